package sim_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/sim"
	"github.com/abide-agent/abide/netconf/tree"
)

const systemSpace = "http://openconfig.net/yang/system"

// box is a device behind SSH on the loopback, and how to reach it.
type box struct {
	*sim.Device
	target netconf.Target
}

func start(t testing.TB, o sim.Options) *box {
	t.Helper()
	private, public, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	o.AuthorizedKeys = public
	d, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := d.Serve(ctx, l); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); serving.Wait() })
	key := write(t, "id", string(private))
	known := write(t, "known_hosts", d.KnownHosts(l.Addr().String())+"\n")
	return &box{d, netconf.Target{Addr: l.Addr().String(), User: "noc", Auth: netconf.Auth{KeyFiles: []string{key}}, KnownHosts: known}}
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func (b *box) dial(t testing.TB) *netconf.Session {
	t.Helper()
	s, err := netconf.Dial(t.Context(), b.target)
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

func TestOverSSH(t *testing.T) {
	t.Parallel()
	b := start(t, sim.Options{User: "noc"})
	s, other := b.dial(t), b.dial(t)
	ctx := t.Context()
	must(t, s.Discard(ctx), s.Lock(ctx, netconf.Running), s.Lock(ctx, netconf.Candidate))
	if err := other.Lock(ctx, netconf.Candidate); !netconf.HasTag(err, "lock-denied") {
		t.Errorf("the second lock gave %v", err)
	}
	must(t, s.EditConfig(ctx, merge, users(t, user("a"))), s.Commit(ctx, netconf.CommitOptions{Confirmed: true, Persist: "x"}))
	if got := names(t, other, netconf.Running); got != "a" {
		t.Errorf("running has %q", got)
	}
	must(t, s.CancelCommit(ctx, "x"))
	if got := names(t, other, netconf.Running); got != "" {
		t.Errorf("running has %q", got)
	}
	if got := b.Counts()["commit"]; got != 1 {
		t.Error(got)
	}
	if _, err := netconf.Dial(ctx, netconf.Target{Addr: b.target.Addr, User: "eve", Auth: b.target.Auth, KnownHosts: b.target.KnownHosts}); err == nil {
		t.Error("another user gets in")
	}
}

func newKey() (private, public []byte, err error) {
	if private, err = sim.NewKey(); err == nil {
		public, err = sim.PublicKey(private)
	}
	return private, public, err
}
