package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testkit/netconfd"
	"github.com/abide-agent/abide/netconf"
)

// addRunning adds devices without a candidate to the lab, which is not started
// yet: r1, r2, …
func (l *lab) addRunning(n int) {
	t := l.daemon.t
	t.Helper()
	kit := netconfd.Start(t, netconfd.Options{Devices: n, Startup: true, Watch: true})
	var b strings.Builder
	fmt.Fprintf(&b, `<devices xmlns="http://clicon.org/controller">
 <device-profile><name>running</name><user>%s</user><private-key-file>%s</private-key-file><known-hosts-file>%s</known-hosts-file></device-profile>
`, kit.User, kit.KeyFile, kit.KnownHosts)
	for i, d := range kit.Devices {
		d.Name = fmt.Sprintf("r%d", i+1)
		host, port, _ := strings.Cut(d.Addr, ":")
		fmt.Fprintf(&b, " <device><name>%s</name><device-profile>running</device-profile><addr>%s</addr><port>%s</port></device>\n", d.Name, host, port)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s, err := netconf.Dial(ctx, netconf.Target{Addr: d.Addr, User: kit.User, Auth: netconf.Auth{KeyFiles: []string{kit.KeyFile}}, KnownHosts: kit.KnownHosts})
		if err != nil {
			l.fatal(err)
		}
		t.Cleanup(func() { _ = s.Close(context.Background()) })
		l.open[len(l.kit.Devices)] = s
		l.kit.Devices = append(l.kit.Devices, d)
	}
	l.write("devices/running.xml", b.String()+"</devices>\n")
}

// key commits a new key of eric.
func (l *lab) key(key string) {
	l.users("ops", "eric:"+key+":admin")
	l.commit("key " + key)
}

// idle waits until all devices are connected and in sync, and nothing is locked.
func (l *lab) idle() {
	l.daemon.t.Helper()
	var out string
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		out, _ = l.cli("devices")
		if strings.Count(out, " connected ") == len(l.kit.Devices) && strings.Count(out, " in-sync ") == len(l.kit.Devices) {
			break
		}
		if time.Now().After(deadline) {
			l.fatal("the devices don't come to rest:\n", out, l.output())
		}
	}
	for i, d := range l.kit.Devices {
		ctx, cancel := context.WithTimeout(l.daemon.t.Context(), time.Minute)
		store := netconf.Candidate
		if strings.HasPrefix(d.Name, "r") {
			store = netconf.Running
		}
		s := l.session(i)
		err := s.Lock(ctx, store)
		for deadline := time.Now().Add(20 * time.Second); err != nil && time.Now().Before(deadline); err = s.Lock(ctx, store) {
			time.Sleep(500 * time.Millisecond) // the agent may be at work on it again
		}
		if err != nil {
			l.daemon.t.Errorf("%s is left locked: %v", d.Name, err)
		} else if err := s.Unlock(ctx, store); err != nil {
			l.daemon.t.Error(err)
		}
		cancel()
	}
}

// all says whether every device but one (-1: all) has eric's key.
func (l *lab) all(but int, key string) bool {
	for i := range l.kit.Devices {
		if i != but && !slices.Equal(l.has(i), []string{"eric:" + key}) {
			return false
		}
	}
	return true
}

// forget forgets what the devices were asked, and the faults that did not come
// to pass.
func (l *lab) forget(ops ...string) {
	for _, d := range l.kit.Devices {
		d.Seen(l.daemon.t)
		for _, op := range ops {
			d.Fail(l.daemon.t, op, netconfd.Refuse, 0)
		}
	}
}

var faults = map[string]netconfd.Fault{"refuses": netconfd.Refuse, "cuts": netconfd.Cut, "loses": netconfd.Lose, "hangs": netconfd.Hang}

// TestTenDevices lets one of ten devices go wrong in each way, when all or none
// is to change and when each follows by itself. Two of them have no candidate,
// and no commit that undoes itself.
func TestTenDevices(t *testing.T) {
	t.Parallel()
	binary(t, "")
	l := newLab(t, netconfd.Options{Devices: 8}, "--netconf-atomic", "all")
	l.addRunning(2)
	l.key("K")
	l.start()
	l.expectUsers("at the beginning", "eric:K")
	l.idle()

	const one, other = 4, 9 // of those with a candidate, and of those without
	n, was := 0, "K"
	next := func() string { n++; return fmt.Sprintf("K%d", n) }
	atomic := func(at int, op, fault string) {
		t.Helper()
		what, key := fmt.Sprintf("all or none, %s %s its %s", l.kit.Devices[at].Name, fault, op), next()
		events := l.stream("")
		l.forget(op)
		l.kit.Devices[at].Fail(t, op, faults[fault], 1)
		begin := time.Now()
		l.key(key)
		aborted := events.wait(`"transaction_aborted"`)
		t.Logf("%s: undone after %v", what, time.Since(begin).Round(10*time.Millisecond))
		if !strings.Contains(aborted, l.kit.Devices[at].Name) {
			t.Errorf("%s: the event doesn't name it: %s", what, aborted)
		}
		if fault == "refuses" {
			l.refused(what, at, op, was)
			if out, code := l.cli("retry", "service/ssh-users[ops]"); code != 0 {
				t.Fatal(out)
			}
		}
		l.expectUsers(what, "eric:"+key)
		t.Logf("%s: on all after %v", what, time.Since(begin).Round(10*time.Millisecond))
		l.idle()
		was = key
	}
	for _, fault := range []string{"refuses", "cuts", "loses", "hangs"} {
		atomic(one, "commit", fault)
	}
	for _, fault := range []string{"refuses", "loses"} {
		atomic(other, "edit-config", fault)
	}

	// One is down from the start: nobody waits for it, and none has changed.
	l.kill(syscall.SIGTERM)
	l.kit.Devices[one].Stop()
	key := next()
	l.key(key)
	begin := time.Now()
	l.start()
	if line := l.stream("?since=0").wait(fmt.Sprintf("device %s can't be reached", l.kit.Devices[one].Name)); !strings.Contains(line, "ssh-users[ops]") {
		t.Errorf("of a device that is down is told: %s", line)
	}
	took := time.Since(begin)
	t.Logf("all or none, %s is down: known after %v", l.kit.Devices[one].Name, took.Round(10*time.Millisecond))
	if !l.all(one, was) {
		t.Errorf("some have changed although %s is down", l.kit.Devices[one].Name)
	}
	l.kit.Devices[one].Start(t)
	l.expectUsers("it is up again", "eric:"+key)
	l.idle()

	l.kill(syscall.SIGTERM)
	l.args = append(l.args, "--netconf-atomic", "per-device")
	l.start()
	l.idle()
	begin = time.Now()
	key = next()
	l.key(key)
	l.eventually("all have it", func() bool { return l.all(-1, key) })
	normal := time.Since(begin)
	t.Logf("each by itself: on all after %v", normal.Round(10*time.Millisecond))
	l.idle() // what all have may have yet to be confirmed
	alone := func(at int, op, fault string) {
		t.Helper()
		what, key := fmt.Sprintf("each by itself, %s %s its %s", l.kit.Devices[at].Name, fault, op), next()
		l.forget(op)
		l.kit.Devices[at].Fail(t, op, faults[fault], 1)
		begin := time.Now()
		l.key(key)
		l.eventually(what+", the others have it", func() bool { return l.all(at, key) })
		took := time.Since(begin)
		if took > 2*normal+4*time.Second {
			t.Errorf("%s: the others had it after %v", what, took)
		}
		if fault == "refuses" {
			l.eventually(what, func() bool {
				out, _ := l.cli("devices", "status", l.kit.Devices[at].Name)
				return strings.Contains(out, "refused: ") && strings.Contains(out, "disk full") && strings.Contains(l.service("ssh-users[ops]"), "failed")
			})
			if out, code := l.cli("retry", "service/ssh-users[ops]"); code != 0 {
				t.Fatal(out)
			}
		}
		l.expectOn(at, what, "eric:"+key)
		t.Logf("%s: on the others after %v, on it after %v", what, took.Round(10*time.Millisecond), time.Since(begin).Round(10*time.Millisecond))
		l.idle()
	}
	for _, fault := range []string{"refuses", "cuts", "loses", "hangs"} {
		alone(one, "commit", fault)
	}
	alone(other, "edit-config", "cuts")

	l.kit.Devices[one].Stop()
	begin = time.Now()
	key = next()
	l.key(key)
	l.eventually("one is down, the others have it", func() bool { return l.all(one, key) })
	t.Logf("each by itself, %s is down: on the others after %v", l.kit.Devices[one].Name, time.Since(begin).Round(10*time.Millisecond))
	l.kit.Devices[one].Start(t)
	l.expectOn(one, "it is up again", "eric:"+key)
	l.idle()
}

// refused: a device said no, so that none has changed, and it isn't asked again
// for the same.
func (l *lab) refused(what string, at int, op, was string) {
	l.daemon.t.Helper()
	l.expectUsers(what, "eric:"+was)
	l.eventually(what+": told", func() bool {
		out, _ := l.cli("services", "show", "ssh-users[ops]")
		return strings.Contains(out, "rolled back")
	})
	asked := 0
	for _, d := range l.kit.Devices {
		for _, r := range d.Seen(l.daemon.t) {
			if r.Op == "edit-config" && strings.HasPrefix(d.Name, "r") && op == "commit" {
				l.daemon.t.Errorf("%s: %s, which has no way back of its own, was changed although another had not said yes", what, d.Name)
			}
			if d == l.kit.Devices[at] && r.Op == op {
				asked++
			}
		}
	}
	if asked != 1 && (op == "commit" || asked != 2) { // running is put back to be sure
		l.daemon.t.Errorf("%s: it was asked %d times", what, asked)
	}
	events := l.stream("")
	l.write("README", what)
	l.commit("another turn of the loop")
	events.wait("another turn of the loop")
	l.expectUsers(what+", and a turn later", "eric:"+was)
	for _, d := range l.kit.Devices {
		if slices.ContainsFunc(d.Seen(l.daemon.t), func(r netconfd.Request) bool { return r.Op == "edit-config" }) {
			l.daemon.t.Errorf("%s: %s is asked again for what was refused", what, d.Name)
		}
	}
}

// steps are those of a transaction at which the agent is killed.
var steps = map[string][]string{
	"all":        {"device.before-begin", "device.begun", "device.edited", "device.committed", "device.committed:2", "device.verified", "device.before-decision", "device.decided", "device.confirmed", "device.finished"},
	"per-device": {"device.before-wish", "device.wished", "device.before-begin:2", "device.begun", "device.edited:2", "device.committed", "device.verified:2", "device.decided", "device.confirmed:2", "device.finished"},
}

// TestKilledAtEveryStepOfATransaction kills the agent at each step of a change of
// three devices, one of which has no candidate. Every second time the change is
// taken back before the restart. Afterwards all devices have what is wanted, and
// none is left locked.
func TestKilledAtEveryStepOfATransaction(t *testing.T) {
	t.Parallel()
	for mode, points := range steps {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, netconfd.Options{Devices: 2}, "--netconf-atomic", mode)
			l.tags = "failpoint"
			l.addRunning(1)
			l.key("K")
			l.start()
			l.expectUsers("at the beginning", "eric:K")
			l.idle()
			l.kill(syscall.SIGTERM)
			was := "K"
			for i, point := range points {
				key := fmt.Sprintf("K%d", i)
				name, at, _ := strings.Cut(point, ":")
				if at == "" {
					at = "1"
				}
				l.key(key)
				l.launch("ABIDE_FAILPOINTS=" + name + "=kill:" + at)
				select {
				case <-l.end:
				case <-time.After(time.Minute):
					t.Fatalf("%s was never come to:\n%s", point, l.output())
				}
				if i%2 == 1 {
					key = was
					l.key(key)
				}
				l.start()
				l.expectUsers("killed at "+point, "eric:"+key)
				l.idle()
				l.expectUsers("killed at "+point+", and at rest", "eric:"+key)
				l.kill(syscall.SIGTERM)
				was = key
			}
		})
	}
}
