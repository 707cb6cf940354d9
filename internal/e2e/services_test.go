package e2e

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testkit/netconfd"
	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// lab is an agent that follows a repository of services for real NETCONF devices.
type lab struct {
	*daemon
	*repository
	kit  *netconfd.Kit
	open map[int]*netconf.Session // an operator's, one for each device
}

func (l *lab) fatal(args ...any) { l.daemon.t.Helper(); l.daemon.t.Fatal(args...) }

const usersTemplate = `<system xmlns="http://openconfig.net/yang/system"><aaa><authentication><users>
{{- range .Instance.username }}
  <user><username>{{ .name }}</username><config><username>{{ .name }}</username><ssh-key>{{ .ssh_key }}</ssh-key><role>{{ .role }}</role></config></user>
{{- end }}
</users></authentication></aaa></system>
`

const usersModel = `module ssh-users {
  namespace "http://clicon.org/ssh-users";
  prefix ssh-users;
  import clixon-controller { prefix ctrl; }
  revision 2023-05-22 { description "Initial prototype"; }
  augment "/ctrl:services" {
    list ssh-users {
      uses ctrl:created-by-service;
      key instance;
      leaf instance { type string; }
      list username {
        key name;
        leaf name { type string { pattern '[a-z]+'; } }
        leaf ssh-key { type string; }
        leaf role { type string; }
      }
    }
  }
}
`

// newLab starts devices and gives an agent that is not started yet.
func newLab(t *testing.T, o netconfd.Options, args ...string) *lab {
	t.Helper()
	o.Watch = true
	kit := netconfd.Start(t, o)
	r := newRepository(t)
	var b strings.Builder
	fmt.Fprintf(&b, `<devices xmlns="http://clicon.org/controller">
 <device-profile><name>lab</name><user>%s</user><private-key-file>%s</private-key-file><known-hosts-file>%s</known-hosts-file></device-profile>
`, kit.User, kit.KeyFile, kit.KnownHosts)
	for _, d := range kit.Devices {
		host, port, _ := strings.Cut(d.Addr, ":")
		fmt.Fprintf(&b, " <device><name>%s</name><device-profile>lab</device-profile><addr>%s</addr><port>%s</port></device>\n", d.Name, host, port)
	}
	r.write("devices/lab.xml", b.String()+"</devices>\n")
	r.write("services/ssh-users.yang", usersModel)
	r.write("services/ssh-users.tmpl", usersTemplate)
	d := newDaemon(t, append([]string{"--git", r.dir, "--interval", "200ms", "--units", "off", "--netconf-confirm-timeout", "5s"}, args...)...)
	return &lab{daemon: d, repository: r, kit: kit, open: map[int]*netconf.Session{}}
}

// users writes an instance; each user is "name:key:role".
func (l *lab) users(instance string, users ...string) {
	var b strings.Builder
	fmt.Fprintf(&b, "<services xmlns=\"http://clicon.org/controller\">\n <ssh-users xmlns=\"http://clicon.org/ssh-users\">\n  <instance>%s</instance>\n", instance)
	for _, u := range users {
		f := strings.Split(u, ":")
		fmt.Fprintf(&b, "  <username><name>%s</name><ssh-key>%s</ssh-key><role>%s</role></username>\n", f[0], f[1], f[2])
	}
	l.write("services/"+instance+".xml", b.String()+" </ssh-users>\n</services>\n")
}

// session gives the one with a device that an operator has.
func (l *lab) session(i int) *netconf.Session {
	l.daemon.t.Helper()
	if s := l.open[i]; s != nil && s.Err() == nil {
		return s
	}
	d := l.kit.Devices[i]
	ctx, cancel := context.WithTimeout(l.daemon.t.Context(), 20*time.Second)
	defer cancel()
	s, err := netconf.Dial(ctx, netconf.Target{Addr: d.Addr, User: l.kit.User, Auth: netconf.Auth{KeyFiles: []string{l.kit.KeyFile}}, KnownHosts: l.kit.KnownHosts})
	if err != nil {
		l.fatal(err)
	}
	l.daemon.t.Cleanup(func() { _ = s.Close(context.Background()) })
	l.open[i] = s
	return s
}

var userPattern = regexp.MustCompile(`<user><username>([a-z]+)</username><config><username>[a-z]+</username>(?:<ssh-key>(\w+)</ssh-key>)?`)

// has gives the users of a device as "name:key".
func (l *lab) has(i int) []string {
	l.daemon.t.Helper()
	s := l.session(i)
	ctx, cancel := context.WithTimeout(l.daemon.t.Context(), 20*time.Second)
	defer cancel()
	config, _, err := s.GetConfig(ctx, netconf.Running, nil)
	if err != nil {
		l.fatal(err)
	}
	out := []string{}
	for _, m := range userPattern.FindAllStringSubmatch(string(config.AppendXML(nil)), -1) {
		out = append(out, m[1]+":"+m[2])
	}
	slices.Sort(out)
	return out
}

func (l *lab) expectUsers(what string, want ...string) {
	l.daemon.t.Helper()
	for i := range l.kit.Devices {
		l.expectOn(i, what, want...)
	}
}

func (l *lab) expectOn(i int, what string, want ...string) {
	l.daemon.t.Helper()
	var got []string
	l.eventually(fmt.Sprintf("%s: %v on %s", what, want, l.kit.Devices[i].Name), func() bool {
		got = l.has(i)
		return slices.Equal(got, want)
	})
}

// edits gives the <config> of each edit-config that a device was sent.
func (l *lab) edits(i int) (out []string) {
	for _, r := range l.kit.Devices[i].Seen(l.daemon.t) {
		if r.Op == "edit-config" {
			_, rest, _ := strings.Cut(r.Text, "<config")
			rest, _, _ = strings.Cut(rest, "</edit-config>")
			out = append(out, "<config"+rest)
		}
	}
	return out
}

// edit changes a device by hand.
func (l *lab) edit(i int, config string) {
	l.daemon.t.Helper()
	n, err := tree.Parse(strings.NewReader(config), tree.Limits{})
	if err != nil {
		l.fatal(err)
	}
	s := l.session(i)
	ctx, cancel := context.WithTimeout(l.daemon.t.Context(), 20*time.Second)
	defer cancel()
	l.eventually("nobody else has the device locked", func() bool {
		err := s.EditConfig(ctx, netconf.EditOptions{Target: netconf.Candidate}, n)
		if err == nil {
			err = s.Commit(ctx, netconf.CommitOptions{})
		}
		if err != nil && !netconf.HasTag(err, "in-use", "lock-denied") {
			l.fatal(err)
		}
		return err == nil
	})
}

func byHand(user, key string) string {
	return `<config><system xmlns="http://openconfig.net/yang/system"><aaa><authentication><users><user><username>` + user +
		`</username><config><username>` + user + `</username><ssh-key>` + key + `</ssh-key></config></user></users></authentication></aaa></system></config>`
}

// TestServices is the way of service instances from a commit to real devices.
func TestServices(t *testing.T) {
	t.Parallel()
	l := newLab(t, netconfd.Options{Devices: 2})
	l.edit(0, byHand("root", "R0")) // foreign
	l.edit(0, byHand("kim", "K0"))  // there before any service wants it
	l.users("ops", "eric:A1:admin", "alice:B1:guest")
	l.users("devs", "kim:K1:guest", "alice:B1:guest")
	l.commit("two instances")
	for i := range l.kit.Devices {
		l.kit.Devices[i].Seen(t)
	}
	want, _ := cli(t, nil, "", "plan", "--xml", "--git", l.dir, "--state", l.state, "--units", "off")
	l.start()
	l.expectOn(0, "both instances", "alice:B1", "eric:A1", "kim:K1", "root:R0")
	l.expectOn(1, "both instances", "alice:B1", "eric:A1", "kim:K1")
	for i := range l.kit.Devices {
		sent := l.edits(i)
		if len(sent) != 1 || !strings.Contains(want, sent[0]+"\n") {
			t.Errorf("the plan showed\n%s\nand %s was sent %q", want, l.kit.Devices[i].Name, sent)
		}
	}

	l.users("ops", "eric:A2:admin", "alice:B1:guest")
	l.commit("eric's key")
	l.expectOn(1, "one leaf", "alice:B1", "eric:A2", "kim:K1")
	for _, edit := range l.edits(1) {
		if strings.Contains(edit, "alice") || strings.Contains(edit, "role") || strings.Count(edit, "A2") != 1 {
			t.Errorf("more than the leaf was sent: %s", edit)
		}
	}
	out, _ := l.cli("services", "blame", "--device", "d1", "/openconfig-system:system/aaa/authentication/users/user[username='alice']/config/ssh-key")
	if !strings.Contains(out, "ssh-users[devs], ssh-users[ops]") {
		t.Errorf("blame: %s", out)
	}

	l.git("rm", "-q", "services/ops.xml")
	l.commit("without ops")
	l.expectOn(0, "the shared user stays", "alice:B1", "kim:K1", "root:R0")
	l.expectOn(1, "the shared user stays", "alice:B1", "kim:K1")
	l.git("rm", "-q", "services/devs.xml")
	l.commit("without devs")
	l.expectOn(0, "what was there before stays, as it was", "kim:K0", "root:R0")
	l.expectOn(1, "nothing is left")

	l.users("ops", "Eric:A1:admin")
	l.commit("against the pattern of its model")
	l.eventually("a problem with its place", func() bool {
		out, _ := l.cli("plan")
		return strings.Contains(out, "services/ops.xml:4:") && strings.Contains(out, "broken")
	})
	l.git("revert", "--no-edit", "HEAD")
	if out, code := l.cli("plan"); code != 0 {
		t.Errorf("after the revert: %d %s", code, out)
	}
}

// TestServicesInConflict has two instances want different values of one leaf.
func TestServicesInConflict(t *testing.T) {
	t.Parallel()
	l := newLab(t, netconfd.Options{Devices: 1})
	l.users("ops", "alice:B1:guest")
	l.users("devs", "alice:C1:guest", "kim:K1:guest")
	l.commit("in conflict")
	l.start()
	events := l.stream("?since=0")
	line := events.wait(`"service_failed"`)
	for _, want := range []string{"ssh-users[ops]", "ssh-users[devs]", "B1", "C1", "ssh-key"} {
		if !strings.Contains(line, want) {
			t.Errorf("the conflict is told without %s: %s", want, line)
		}
	}
	if sent := l.edits(0); len(sent) != 0 {
		t.Errorf("sent in spite of a conflict: %q", sent)
	}
	l.users("devs", "alice:B1:guest", "kim:K1:guest")
	l.commit("they agree")
	l.expectUsers("both", "alice:B1", "kim:K1")
}

// TestHandWork changes devices behind the agent's back.
func TestHandWork(t *testing.T) {
	t.Parallel()
	l := newLab(t, netconfd.Options{Devices: 1})
	l.users("ops", "eric:A1:admin")
	l.commit("ops")
	l.start()
	l.expectUsers("ops", "eric:A1")
	events := l.stream("")
	l.edit(0, byHand("eric", "HACKED"))
	begin := time.Now()
	events.wait(`"device_drift"`)
	events.wait(`"device_repaired"`)
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("seen and put right after %s", took)
	}
	l.expectUsers("reverted", "eric:A1")
	l.edit(0, byHand("mallory", "M1"))
	l.users("ops", "eric:A3:admin")
	l.commit("another key")
	l.expectUsers("foreign configuration stays", "eric:A3", "mallory:M1")

	l.git("rm", "-q", "services/ops.xml")
	l.users("other", "zoe:Z1:guest")
	l.commit("another instance")
	l.expectUsers("only what is owned goes", "mallory:M1", "zoe:Z1")
}

// TestServicesAfterKill kills the agent in the middle of changes of several
// devices; after the last start all devices have the last wish, and no lock is left.
func TestServicesAfterKill(t *testing.T) {
	t.Parallel()
	l := newLab(t, netconfd.Options{Devices: 3})
	l.users("ops", "eric:K0:admin")
	l.commit("begin")
	l.start()
	l.expectUsers("begin", "eric:K0")
	for round := 1; round <= 6; round++ {
		key := fmt.Sprintf("K%d", round)
		l.users("ops", "eric:"+key+":admin")
		l.commit(key)
		wait := time.Duration(round) * 15 * time.Millisecond
		l.eventually("the commit is seen", func() bool { return strings.Contains(l.output(), ": "+key) || wait < 0 })
		time.Sleep(wait) // the moment of the kill is what the rounds differ in
		l.kill(syscall.SIGKILL)
		l.start()
		l.expectUsers("after a kill", "eric:"+key)
	}
	l.eventually("all are in sync", func() bool {
		out, code := l.cli("devices")
		return code == 0 && strings.Count(out, "in-sync") == 3
	})
}
