package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/abide-agent/abide/internal/testkit/netconfd"
	"github.com/abide-agent/abide/netconf/device"
	"github.com/abide-agent/abide/sse"
)

// lab is a network of real devices. The first half is the agent's, the second
// the bare client's: equal ones, so that neither sees what the other does.
type lab struct {
	*rig
	kit  *netconfd.Kit
	repo *repository
	bare *bare
}

// newLab starts n devices for each side, and connects the bare client to its own.
func (r *rig) newLab(ctx context.Context, n int) (l *lab, err error) {
	l = &lab{rig: r}
	if l.kit, err = netconfd.Boot(ctx, netconfd.Options{Devices: 2 * n}); err != nil {
		if errors.Is(err, netconfd.ErrMissing) {
			err = &notRun{err}
		}
		return nil, err
	}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	l.bare = &bare{kit: l.kit, devices: l.kit.Devices[n:]}
	if l.repo, err = r.repository(); err != nil {
		return nil, err
	}
	return l, errors.Join(l.inventory(true), l.repo.put("services/ssh-users.yang", usersModel),
		l.repo.put("services/ssh-users.tmpl", usersTemplate), l.commitOnly("inventory"))
}

func (l *lab) close() {
	l.bare.close()
	l.kit.Stop()
}

func (l *lab) mine() []*netconfd.Device { return l.kit.Devices[:len(l.kit.Devices)/2] }

// groupSizes are how many devices the groups have that instances name.
var groupSizes = []int{1, 10, 50}

func group(n int) string { return fmt.Sprintf("first-%d", n) }

// inventory stages the agent's devices, with or without confirmed commits.
func (l *lab) inventory(confirmed bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "<devices xmlns=%q>\n<device-profile><name>lab</name><user>%s</user><private-key-file>%s</private-key-file>"+
		"<known-hosts-file>%s</known-hosts-file><confirmed-commit>%t</confirmed-commit></device-profile>\n",
		device.Namespace, l.kit.User, l.kit.KeyFile, l.kit.KnownHosts, confirmed)
	for _, d := range l.mine() {
		host, port, err := net.SplitHostPort(d.Addr)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "<device><name>%s</name><device-profile>lab</device-profile><addr>%s</addr><port>%s</port></device>\n", d.Name, host, port)
	}
	for _, n := range groupSizes {
		fmt.Fprintf(&b, "<device-group><name>%s</name>", group(n))
		for _, d := range l.mine()[:min(n, len(l.mine()))] {
			fmt.Fprintf(&b, "<device-name>%s</device-name>", d.Name)
		}
		b.WriteString("</device-group>\n")
	}
	return l.repo.put("devices/lab.xml", b.String()+"</devices>\n")
}

func (l *lab) commitOnly(message string) error {
	_, err := l.repo.commit(message)
	return err
}

// network is an agent that looks after the devices of a lab, and what it tells.
type network struct {
	*lab
	*daemon
	events *stream
}

// agent starts an agent that knows nothing yet, and waits until all devices are
// connected. It gives the time from the start of the process until then.
func (l *lab) agent(ctx context.Context) (*network, time.Duration, error) {
	d, err := l.start(ctx, nil, "--git", l.repo.dir, "--units", "off", "--max-prune", "100000")
	if err != nil {
		return nil, 0, err
	}
	n := &network{lab: l, daemon: d}
	types := []string{sse.TypeSourceUpdated, sse.TypeServiceApplied, sse.TypeServiceFailed, sse.TypeDeviceConnected, sse.TypeResourceRemoved}
	if n.events, err = d.follow(ctx, "since=0&types="+strings.Join(types, ",")); err != nil {
		return nil, 0, errors.Join(d.explain(err), d.stop())
	}
	last, err := n.connected()
	if err != nil {
		return nil, 0, errors.Join(d.explain(err), n.stop())
	}
	return n, last.Sub(d.began), nil
}

// connected waits until every device has told that it is connected.
func (n *network) connected() (last time.Time, err error) {
	defer n.bound()()
	for range n.mine() {
		e, err := n.events.await(func(e sse.Event) bool { return e.Type == sse.TypeDeviceConnected })
		if err != nil {
			return last, err
		}
		last = e.Time
	}
	return last, nil
}

// bound lets nobody wait for events for ever, until the function that it gives
// is called.
func (n *network) bound() (end func() bool) {
	return time.AfterFunc(patience, func() { _ = n.events.close() }).Stop
}

func (n *network) stop() error { return errors.Join(n.events.close(), n.daemon.stop()) }

// change is how long the agent took for one commit.
type change struct {
	all  time.Duration // from the moving of the branch to a client that knows
	seen time.Duration // of that, until the agent knew what the commit says
	made time.Duration // of that, from there until the devices had it and the locks were given back
}

// commit commits what is staged and waits until the named instances are where
// they are wanted.
func (n *network) commit(ctx context.Context, instances ...string) (c change, err error) {
	if err := pause(ctx, restTime); err != nil {
		return c, err
	}
	moved, err := n.repo.commit("change")
	if err != nil {
		return c, err
	}
	open := map[string]bool{}
	for _, i := range instances {
		open["ssh-users["+i+"]"] = true
	}
	known := time.Time{}
	defer n.bound()()
	_, err = n.events.await(func(e sse.Event) bool {
		switch e.Type {
		case sse.TypeSourceUpdated:
			known = e.Time
		case sse.TypeServiceFailed:
			err = errors.New(e.Message)
			return true
		case sse.TypeServiceApplied:
			delete(open, e.Pipeline)
			c.made, c.seen = e.Time.Sub(known), known.Sub(moved)
		}
		return len(open) == 0 && !known.IsZero()
	})
	c.all = time.Since(moved)
	return c, err
}

// restTime is how long after a commit the next one comes: the agent rests after
// each, and users don't commit as fast as that.
const restTime = 150 * time.Millisecond

const usersModel = `module ssh-users {
  namespace "http://clicon.org/ssh-users";
  prefix ssh-users;
  import clixon-controller { prefix ctrl; }
  augment "/ctrl:services" {
    list ssh-users {
      uses ctrl:created-by-service;
      key instance;
      leaf instance { type string; }
      leaf devices { type string; }
      list username {
        key name;
        leaf name { type string { pattern '[a-z0-9]+'; } }
        leaf ssh-key { type string; }
        leaf role { type string; }
      }
    }
  }
}
`

const usersTemplate = `{{ if memberOf .Instance.devices -}}
<system xmlns="http://openconfig.net/yang/system"><aaa><authentication><users>
{{- range .Instance.username }}
  <user><username>{{ .name }}</username><config><username>{{ .name }}</username><ssh-key>{{ .ssh_key }}</ssh-key><role>{{ .role }}</role></config></user>
{{- end }}
</users></authentication></aaa></system>
{{- end }}
`

// account is one user of an instance.
type account struct{ name, key string }

// accounts makes n users; the variant is in the key of the one in the middle.
func accounts(prefix string, n, variant int) []account {
	out := make([]account, n)
	for i := range out {
		out[i] = account{fmt.Sprintf("%s%05d", prefix, i), key(i * 7919)}
	}
	out[n/2].key = key(1_000_000_000 + variant)
	return out
}

func key(i int) string {
	return fmt.Sprintf("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI%043d %d@example.net", i, i)
}

// instance stages an instance for the first so many devices.
func (l *lab) instance(name string, devices int, users []account) error {
	var b strings.Builder
	fmt.Fprintf(&b, "<services xmlns=%q>\n <ssh-users xmlns=\"http://clicon.org/ssh-users\">\n  <instance>%s</instance>\n  <devices>%s</devices>\n",
		device.Namespace, name, group(devices))
	for _, u := range users {
		fmt.Fprintf(&b, "  <username><name>%s</name><ssh-key>%s</ssh-key><role>guest</role></username>\n", u.name, u.key)
	}
	return l.repo.put("services/"+name+".xml", b.String()+" </ssh-users>\n</services>\n")
}

func (l *lab) withdraw(name string) { l.repo.remove("services/" + name + ".xml") }
