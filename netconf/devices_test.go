package netconf_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testkit/netconfd"
	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// These tests run against netconfd behind OpenSSH, and are about the client. What
// devices do for it is in netconf/devicetest.

const systemSpace = "http://openconfig.net/yang/system"

func target(k *netconfd.Kit, d *netconfd.Device) netconf.Target {
	return netconf.Target{Addr: d.Addr, User: k.User, Auth: netconf.Auth{KeyFiles: []string{k.KeyFile}}, KnownHosts: k.KnownHosts}
}

func dial(t testing.TB, k *netconfd.Kit, d *netconfd.Device) *netconf.Session {
	t.Helper()
	s, err := netconf.Dial(t.Context(), target(k, d))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		s.Close(ctx)
	})
	return s
}

// users is an edit, or a filter, with what is in users.
func users(t testing.TB, inside string) *tree.Node {
	t.Helper()
	n, err := tree.ParseBytes([]byte(`<config xmlns:nc="` + tree.BaseSpace + `"><system xmlns="` + systemSpace +
		`"><aaa><authentication><users>` + inside + `</users></authentication></aaa></system></config>`))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func user(name string) string {
	return fmt.Sprintf("<user><username>%[1]s</username><config><username>%[1]s</username><ssh-key>K</ssh-key><role>admin</role></config></user>", name)
}

// names gives the users that a datastore has.
func names(t testing.TB, s *netconf.Session, d netconf.Datastore) string {
	t.Helper()
	config, _, err := s.GetConfig(t.Context(), d, users(t, "<user><username/></user>"))
	if err != nil {
		t.Fatal(err)
	}
	n := config
	for _, local := range []string{"system", "aaa", "authentication", "users"} {
		n = n.Child(tree.Name{Space: systemSpace, Local: local})
	}
	var out []string
	if n != nil {
		for _, u := range n.Children {
			out = append(out, u.Children[0].Value)
		}
	}
	return strings.Join(out, " ")
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

var merge = netconf.EditOptions{Target: netconf.Candidate, Default: "merge"}

// TestHelloRace asks right after the hello, many times: netconfd loses what it
// reads together with a hello that came late.
func TestHelloRace(t *testing.T) {
	t.Parallel()
	k := netconfd.Start(t, netconfd.Options{})
	for i := range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		s := dial(t, k, k.Devices[0])
		_, _, err := s.GetConfig(ctx, netconf.Running, nil)
		if err == nil {
			err = s.Close(ctx)
		}
		cancel()
		if err != nil {
			t.Fatalf("session %d: %v", i, err)
		}
	}
}

// TestStartup writes to running, and copies it.
func TestStartup(t *testing.T) {
	t.Parallel()
	k := netconfd.Start(t, netconfd.Options{Startup: true})
	d := k.Devices[0]
	s := dial(t, k, d)
	ctx := t.Context()
	if c := s.Capabilities(); c.Has(":candidate") || !c.Has(":startup") || !c.Has(":writable-running") {
		t.Error(c.URIs())
	}
	direct := netconf.EditOptions{Target: netconf.Running, Default: "merge", ErrorOption: "rollback-on-error"}
	must(t, s.EditConfig(ctx, direct, users(t, user("a"))), s.CopyConfig(ctx, netconf.Running, netconf.Startup))
	must(t, s.EditConfig(ctx, direct, users(t, user("b"))))
	d.Stop()
	<-s.Done()
	if err := s.Discard(ctx); err == nil {
		t.Error("a device that is down answers")
	}
	d.Start(t)
	if got := names(t, dial(t, k, d), netconf.Running); got != "a" {
		t.Errorf("the users after a power cut are %q", got)
	}
}

// TestFaults goes through all that the kit lets go wrong.
func TestFaults(t *testing.T) {
	t.Parallel()
	k := netconfd.Start(t, netconfd.Options{Watch: true})
	d := k.Devices[0]
	ctx := t.Context()
	s := dial(t, k, d)
	must(t, s.EditConfig(ctx, merge, users(t, user("a"))))
	d.Fail(t, "commit", netconfd.Refuse, 1)
	if err := s.Commit(ctx, netconf.CommitOptions{}); !netconf.HasTag(err, "operation-failed") {
		t.Errorf("Refuse gave %v", err)
	}
	if got := names(t, s, netconf.Running); got != "" {
		t.Errorf("the users after a refusal are %q", got)
	}
	d.Fail(t, "commit", netconfd.Cut, 1)
	lost, ok := errors.AsType[*netconf.LostError](s.Commit(ctx, netconf.CommitOptions{}))
	if !ok || !lost.Sent {
		t.Errorf("Cut gave %v", lost)
	}
	s = dial(t, k, d)
	must(t, s.Discard(ctx), s.EditConfig(ctx, merge, users(t, user("b"))))
	d.Fail(t, "commit", netconfd.Lose, 1)
	if lost, ok = errors.AsType[*netconf.LostError](s.Commit(ctx, netconf.CommitOptions{})); !ok || !lost.Sent {
		t.Errorf("Lose gave %v", lost)
	}
	s = dial(t, k, d)
	if got := names(t, s, netconf.Running); got != "b" {
		t.Errorf("the users after a lost answer are %q", got)
	}
	d.Fail(t, "", netconfd.Hang, 1)
	bound, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := s.Discard(bound); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Hang gave %v", err)
	}
	must(t, s.Discard(ctx))
	seen := d.Seen(t) // the one that hangs may come late
	if last := seen[len(seen)-1]; last.Op != "discard-changes" || !strings.Contains(last.Text, "<discard-changes/>") {
		t.Errorf("seen: %+v", seen)
	}
	d.Disconnect(t)
	<-s.Done()
}

// BenchmarkSmallCall asks netconfd for nothing, over a warm session.
func BenchmarkSmallCall(b *testing.B) {
	k := netconfd.Start(b, netconfd.Options{})
	s := dial(b, k, k.Devices[0])
	for b.Loop() {
		if _, _, err := s.GetConfig(b.Context(), netconf.Running, users(b, "<user><username>nobody</username></user>")); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkConnect50 connects to 50 devices on the same machine.
func BenchmarkConnect50(b *testing.B) {
	k := netconfd.Start(b, netconfd.Options{Devices: 50})
	used := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc+m.StackInuse) / (1 << 20)
	}
	before := used()
	for b.Loop() {
		var all sync.WaitGroup
		sessions := make([]*netconf.Session, len(k.Devices))
		began := time.Now()
		for i, d := range k.Devices {
			all.Go(func() {
				var err error
				if sessions[i], err = netconf.Dial(b.Context(), target(k, d)); err != nil {
					b.Error(err)
				}
			})
		}
		all.Wait()
		b.ReportMetric(time.Since(began).Seconds(), "s/50-sessions")
		b.ReportMetric(used()-before, "MB/50-sessions")
		for _, s := range sessions {
			if s != nil {
				s.Close(b.Context())
			}
		}
	}
}
