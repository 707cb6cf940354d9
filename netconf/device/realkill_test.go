package device

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testkit/netconfd"
	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// mortal is a session of a process that may die: then nothing is sent any more.
type mortal struct {
	Session
	l *realLife
}

func (s mortal) CancelCommit(ctx context.Context, id string) error {
	if err := s.l.alive(); err != nil {
		return err
	}
	return s.Session.CancelCommit(ctx, id)
}

func (s mortal) Commit(ctx context.Context, o netconf.CommitOptions) error {
	if err := s.l.alive(); err != nil {
		return err
	}
	return s.Session.Commit(ctx, o)
}

func (s mortal) EditConfig(ctx context.Context, o netconf.EditOptions, edit *tree.Node) error {
	if err := s.l.alive(); err != nil {
		return err
	}
	return s.Session.EditConfig(ctx, o, edit)
}

// realLife is a process with real devices.
type realLife struct {
	*memory
	kit    *netconfd.Kit
	killAt string
	mu     sync.Mutex
	dead   bool
	open   []Session
	m      *Manager
	stop   func()
}

func (l *realLife) alive() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return errKilled
	}
	return nil
}

func (l *realLife) Commit(ctx context.Context, writes ...Write) error {
	if err := l.alive(); err != nil {
		return err
	}
	return l.memory.Commit(ctx, writes...)
}

func (l *realLife) step(name string) error {
	if name != l.killAt {
		return l.alive()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, s := range l.open {
		_ = s.Close(ctx) // as the kernel does
	}
	return errKilled
}

func startLife(t *testing.T, kit *netconfd.Kit, keep *memory, killAt string) *realLife {
	t.Helper()
	l := &realLife{memory: keep, kit: kit, killAt: killAt}
	m, err := New(t.Context(), Config{
		Keep: l, ConfirmTimeout: 20 * time.Second, fail: l.step,
		Tell: func(e Event) { t.Logf("%s: %s", e.Type, e.Message) },
		Dial: func(ctx context.Context, d Device) (Session, error) {
			if err := l.alive(); err != nil {
				return nil, err
			}
			s, err := Dial(ctx, d)
			if err != nil {
				return nil, err
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.open = append(l.open, s)
			return mortal{s, l}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var devices []Device
	for _, d := range kit.Devices {
		devices = append(devices, Device{Name: d.Name, Confirmed: true, Target: netconf.Target{
			Addr: d.Addr, User: kit.User, Auth: netconf.Auth{KeyFiles: []string{kit.KeyFile}}, KnownHosts: kit.KnownHosts,
		}})
	}
	m.Inventory(devices)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = m.Run(ctx)
	}()
	l.m, l.stop = m, sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(l.stop)
	return l
}

// TestNetconfdKilled kills the process between the steps of a transaction over
// two real devices. The next one ends it by the name of the confirmed commit,
// well before the devices' timers: none has changed before the decision, all
// after it.
func TestNetconfdKilled(t *testing.T) {
	t.Parallel()
	kit := netconfd.Start(t, netconfd.Options{Devices: 2})
	keep := &memory{entries: map[string][]byte{}}
	banner := func(text string) map[string]*tree.Node {
		n := mustParse(`<config><system xmlns="http://openconfig.net/yang/system"><config><login-banner>` + text + `</login-banner></config></system></config>`)
		return map[string]*tree.Node{"d1": n, "d2": n}
	}
	l := startLife(t, kit, keep, "")
	if r := l.m.Apply(t.Context(), []Change{{"a", banner("old")}}, Options{})["a"]; r.Err != nil {
		t.Fatal(r.Err)
	}
	l.stop()
	was := "old"
	for _, tt := range []struct{ step, text, want string }{
		{"device.begun", "one", "old"},
		{"device.committed", "two", "old"},
		{"device.verified", "three", "old"},
		{"device.decided", "four", "four"},
		{"device.confirmed", "five", "five"},
	} {
		l := startLife(t, kit, keep, tt.step)
		_ = l.m.Apply(t.Context(), []Change{{"a", banner(tt.text)}}, Options{})
		l.stop()
		start := time.Now()
		l = startLife(t, kit, keep, "")
		for _, d := range kit.Devices {
			for l.m.book.recordOf(d.Name).Push != "" || !l.m.book.recordOf(d.Name).Settled() {
				if time.Since(start) > 15*time.Second {
					t.Fatalf("killed at %s: %s doesn't settle", tt.step, d.Name)
				}
				time.Sleep(20 * time.Millisecond)
			}
			config, err := l.m.Read(t.Context(), d.Name, true)
			if err != nil {
				t.Fatal(err)
			}
			if want := mustParse(string(banner(tt.want)["d1"].AppendXML(nil))); !tree.Equal(config, want) {
				t.Errorf("killed at %s, after %q: %s has %s, want %q", tt.step, was, d.Name, config.AppendXML(nil), tt.want)
			}
		}
		l.stop()
		was = tt.want
	}
}
