package netconf_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testkit/netconfd"
	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// These tests run against netconfd behind OpenSSH.

const systemSpace = "http://openconfig.net/yang/system"

func dial(t testing.TB, k *netconfd.Kit, d *netconfd.Device) *netconf.Session {
	t.Helper()
	s, err := netconf.Dial(t.Context(), netconf.Target{
		Addr: d.Addr, User: k.User, Auth: netconf.Auth{KeyFiles: []string{k.KeyFile}}, KnownHosts: k.KnownHosts,
	})
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

func TestCandidate(t *testing.T) {
	t.Parallel()
	k := netconfd.Start(t, netconfd.Options{})
	s, other := dial(t, k, k.Devices[0]), dial(t, k, k.Devices[0])
	ctx := t.Context()
	c := s.Capabilities()
	if !c.Has(":candidate") || !c.Has(":confirmed-commit:1.1") || c.Has(":startup") || c.ModuleSet() == "" || c.ModuleSet() != other.Capabilities().ModuleSet() {
		t.Error(c.URIs())
	}

	// A thousand users come in some 226 chunks.
	var all strings.Builder
	for i := range 1000 {
		all.WriteString(user(fmt.Sprintf("u%04d", i)))
	}
	must(t, s.Discard(ctx), s.Lock(ctx, netconf.Candidate))
	if err := other.Lock(ctx, netconf.Candidate); !netconf.HasTag(err, "lock-denied") {
		t.Errorf("the second lock gave %v", err)
	}
	must(t, s.EditConfig(ctx, merge, users(t, all.String())), s.Commit(ctx, netconf.CommitOptions{}), s.Unlock(ctx, netconf.Candidate))
	config, modified, err := other.GetConfig(ctx, netconf.Running, users(t, ""))
	must(t, err)
	want, err := tree.ParseBytes([]byte(users(t, all.String()).Pretty()))
	must(t, err)
	if !tree.Equal(config, want) || modified == "" {
		t.Errorf("what was read is not what was written; last modified %q", modified)
	}

	// The device refuses, with the place.
	err = s.EditConfig(ctx, merge, users(t, strings.Replace(user("x"), "admin", strings.Repeat("x", 40), 1)))
	if e, ok := errors.AsType[*netconf.RPCError](err); !ok || e.Tag != "invalid-value" || !strings.Contains(e.Path, "role") {
		t.Errorf("a wrong value gave %v", err)
	}
	must(t, s.Discard(ctx))

	// Schemas.
	schemas, err := s.Schemas(ctx)
	must(t, err)
	found := false
	for _, m := range schemas {
		found = found || m.Name == "openconfig-system" && m.Format == "yang" && m.Namespace == systemSpace
	}
	if !found {
		t.Errorf("%+v", schemas)
	}
	text, err := s.GetSchema(ctx, "openconfig-system", "2024-01-01")
	if err != nil || !strings.Contains(text, "module openconfig-system {") {
		t.Errorf("%.100q %v", text, err)
	}
	if _, err := s.GetSchema(ctx, "nosuch", ""); !netconf.HasTag(err, "invalid-value", "operation-failed", "data-missing") {
		t.Errorf("a schema that is not there gave %v", err)
	}

	// One session ends another.
	must(t, s.Kill(ctx, other.ID()))
	<-other.Done()
}

func TestConfirmedCommit(t *testing.T) {
	t.Parallel()
	k := netconfd.Start(t, netconfd.Options{})
	d := k.Devices[0]
	s, other := dial(t, k, d), dial(t, k, d)
	ctx := t.Context()
	try := func(name string, o netconf.CommitOptions) {
		t.Helper()
		must(t, s.EditConfig(ctx, merge, users(t, user(name))), s.Commit(ctx, o))
	}
	expect := func(want string) {
		t.Helper()
		if got := names(t, other, netconf.Running); got != want {
			t.Errorf("the users are %q, want %q", got, want)
		}
	}
	// netconfd looks at its timers only when nobody has asked it for a second.
	await := func(want string) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); names(t, other, netconf.Running) != want; time.Sleep(1500 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the users are still %q, want %q", names(t, other, netconf.Running), want)
			}
		}
	}

	try("a", netconf.CommitOptions{Confirmed: true, Timeout: time.Minute, Persist: "token"})
	expect("a")
	if err := other.Commit(ctx, netconf.CommitOptions{}); !netconf.HasTag(err, "in-use") {
		t.Errorf("a commit beside the confirmed one gave %v", err)
	}
	must(t, other.CancelCommit(ctx, "token"))
	expect("")

	try("b", netconf.CommitOptions{Confirmed: true, Timeout: time.Minute, Persist: "token"})
	must(t, other.Commit(ctx, netconf.CommitOptions{PersistID: "token"}))
	expect("b")

	try("c", netconf.CommitOptions{Confirmed: true, Timeout: 500 * time.Millisecond})
	await("b") // nobody confirmed it in its one second

	must(t, s.Discard(ctx))
	try("d", netconf.CommitOptions{Confirmed: true, Timeout: time.Minute})
	expect("b d")
	must(t, s.Close(ctx))
	await("b") // it ended with its session
}

func TestNotifications(t *testing.T) {
	t.Parallel()
	k := netconfd.Start(t, netconfd.Options{})
	s, listener := dial(t, k, k.Devices[0]), dial(t, k, k.Devices[0])
	ctx := t.Context()
	must(t, listener.Subscribe(ctx, "NETCONF"))
	must(t, s.EditConfig(ctx, merge, users(t, user("a"))), s.Commit(ctx, netconf.CommitOptions{}))
	for timeout := time.After(20 * time.Second); ; {
		select {
		case n := <-listener.Notifications():
			change := n.Child(tree.Name{Space: "urn:ietf:params:xml:ns:yang:ietf-netconf-notifications", Local: "netconf-config-change"})
			if change == nil {
				continue
			}
			if text := change.Pretty(); !strings.Contains(text, ">/oc-sys:system") {
				t.Errorf("the change is\n%s", text)
			}
			// The session that listens takes requests, too.
			if got := names(t, listener, netconf.Running); got != "a" {
				t.Errorf("the users are %q", got)
			}
			return
		case <-timeout:
			t.Fatal("nothing was heard of the change")
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
	d.Seen(t)
	must(t, s.Discard(ctx))
	if seen := d.Seen(t); len(seen) != 1 || seen[0].Op != "discard-changes" || !strings.Contains(seen[0].Text, "<discard-changes/>") {
		t.Errorf("seen: %+v", seen)
	}
	d.Disconnect(t)
	<-s.Done()
}

// TestPoolOfDevices keeps sessions with more devices than one sshd serves, of
// which one loses its power for a while.
func TestPoolOfDevices(t *testing.T) {
	t.Parallel()
	const devices = 18
	k := netconfd.Start(t, netconfd.Options{Devices: devices})
	p, _ := connect(t, k)
	d := k.Devices[devices-1]
	s, err := p.Session(t.Context(), d.Name)
	must(t, err)
	d.Stop()
	<-s.Done()
	d.Start(t)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		p.Wake(d.Name)
		if s, err = p.Session(t.Context(), d.Name); err == nil && s.Discard(t.Context()) == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the device does not come back: %v", err)
		}
	}
}

// connect keeps a session with every device, and gives the time that it took.
func connect(t testing.TB, k *netconfd.Kit) (*netconf.Pool, time.Duration) {
	t.Helper()
	targets := map[string]netconf.Target{}
	for _, d := range k.Devices {
		targets[d.Name] = netconf.Target{Addr: d.Addr, User: k.User, Auth: netconf.Auth{KeyFiles: []string{k.KeyFile}}, KnownHosts: k.KnownHosts}
	}
	p := netconf.NewPool(netconf.PoolConfig{})
	t.Cleanup(p.Close)
	began := time.Now()
	p.Set(targets)
	for name := range targets {
		if _, err := p.Session(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	return p, time.Since(began)
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
		p, took := connect(b, k)
		b.ReportMetric(took.Seconds(), "s/50-sessions")
		b.ReportMetric(used()-before, "MB/50-sessions")
		p.Close()
	}
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
