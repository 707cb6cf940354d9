package devicetest

import (
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

func confirmedCommits(t *testing.T, r *rig) {
	ctx := t.Context()
	a, b := r.dial(), r.dial()
	try := func(name string, o netconf.CommitOptions) {
		t.Helper()
		o.Confirmed = true
		if o.Timeout == 0 {
			o.Timeout = time.Minute
		}
		r.must(r.edit(a, inUsers(user(name))), a.Commit(ctx, o))
	}
	const token = "token"

	try("a", netconf.CommitOptions{})
	r.has(b, netconf.Running, "a")
	r.refused(r.commit(b), "a commit beside a confirmed one", "in-use")
	r.must(r.commit(a))
	r.has(b, netconf.Running, "a")

	try("b", netconf.CommitOptions{})
	r.must(a.CancelCommit(ctx, ""))
	r.has(b, netconf.Running, "a")
	r.has(b, netconf.Candidate, "a")

	try("c", netconf.CommitOptions{Persist: token})
	r.refused(r.commit(b), "a commit beside a named one", "in-use")
	r.refused(b.Commit(ctx, netconf.CommitOptions{PersistID: "other"}), "a wrong name", "invalid-value")
	r.refused(b.CancelCommit(ctx, "other"), "a wrong name", "invalid-value")
	r.must(b.CancelCommit(ctx, token))
	r.has(b, netconf.Running, "a")

	// What goes on has the place to go back to of the first.
	try("d", netconf.CommitOptions{Persist: token})
	try("e", netconf.CommitOptions{Persist: token, PersistID: token})
	r.has(b, netconf.Running, "a d e")
	r.must(b.CancelCommit(ctx, token))
	r.has(b, netconf.Running, "a")

	try("f", netconf.CommitOptions{Persist: token})
	r.must(b.Commit(ctx, netconf.CommitOptions{PersistID: token}))
	r.has(b, netconf.Running, "a f")
	r.refused(b.Commit(ctx, netconf.CommitOptions{PersistID: token}), "a second confirmation", "invalid-value", "operation-failed")
	r.must(r.edit(b, inUsers(user("g"))), r.commit(b))
}

func lostConfirmations(t *testing.T, r *rig) {
	ctx := t.Context()
	a, b := r.dial(), r.dial()
	try := func(s *netconf.Session, name string, o netconf.CommitOptions) {
		t.Helper()
		o.Confirmed = true
		r.must(s.Discard(ctx), r.edit(s, inUsers(user(name))), s.Commit(ctx, o))
	}
	try(a, "a", netconf.CommitOptions{Timeout: time.Second})
	r.becomes(b, netconf.Running, "")
	try(a, "b", netconf.CommitOptions{Timeout: time.Second, Persist: "token"})
	r.becomes(b, netconf.Running, "")

	try(a, "c", netconf.CommitOptions{Timeout: time.Minute})
	r.has(b, netconf.Running, "c")
	r.must(a.Close(ctx))
	r.becomes(b, netconf.Running, "")

	c := r.dial()
	try(c, "d", netconf.CommitOptions{Timeout: time.Minute})
	r.must(b.Kill(ctx, c.ID()))
	<-c.Done()
	r.becomes(b, netconf.Running, "")

	// With a name it outlives its session.
	d := r.dial()
	try(d, "e", netconf.CommitOptions{Timeout: time.Minute, Persist: "token"})
	r.must(d.Close(ctx), b.Commit(ctx, netconf.CommitOptions{PersistID: "token"}))
	r.has(b, netconf.Running, "e")
}

func notifications(t *testing.T, r *rig) {
	ctx := t.Context()
	a, listener := r.dial(), r.dial()
	if c := a.Capabilities(); !c.Has(":notification") || !c.Has(":interleave") {
		t.Error(c.URIs())
	}
	if err := a.Subscribe(ctx, "nosuch"); err == nil {
		t.Error("there is a stream of any name")
	}
	r.must(listener.Subscribe(ctx, "NETCONF"))
	if err := listener.Subscribe(ctx, "NETCONF"); err == nil {
		t.Error("a session has two subscriptions")
	}
	r.must(r.edit(a, inUsers(user("a"))), r.commit(a))
	name := func(local string) tree.Name {
		return tree.Name{Space: "urn:ietf:params:xml:ns:yang:ietf-netconf-notifications", Local: local}
	}
	for timeout := time.After(20 * time.Second); ; {
		select {
		case n := <-listener.Notifications():
			at := n.Child(tree.Name{Space: netconf.NotificationSpace, Local: "eventTime"})
			if at == nil || !strings.HasPrefix(at.Value, "20") {
				t.Errorf("no time: %s", n.Pretty())
			}
			change := n.Child(name("netconf-config-change"))
			if change == nil {
				continue
			}
			by := change.Child(name("changed-by"))
			if id := by.Child(name("session-id")); id == nil || id.Value != decimal(a.ID()) {
				t.Errorf("not by session %d:\n%s", a.ID(), change.Pretty())
			}
			if user := by.Child(name("username")); user == nil || user.Value != r.device.Target().User {
				t.Errorf("not by that user:\n%s", change.Pretty())
			}
			target := change.Child(name("edit")).Child(name("target"))
			if target == nil || !strings.HasPrefix(target.Value, "/oc-sys:system") || target.Prefixes["oc-sys"] != systemSpace {
				t.Errorf("the edit has no target:\n%s", change.Pretty())
			}
			// The session that listens takes requests, too.
			r.has(listener, netconf.Running, "a")
			return
		case <-timeout:
			t.Fatal("nothing was heard of the change")
		}
	}
}

func sessions(t *testing.T, r *rig) {
	ctx := t.Context()
	a, b := r.dial(), r.dial()
	if a.ID() == b.ID() {
		t.Error("two sessions have one number")
	}
	r.must(b.Lock(ctx, netconf.Candidate), r.edit(b, inUsers(user("b"))))
	r.refused(a.Kill(ctx, a.ID()), "one's own end", "invalid-value")
	r.refused(a.Kill(ctx, 99999), "the end of nobody", "invalid-value")
	r.must(a.Kill(ctx, b.ID()))
	<-b.Done()
	r.must(a.Lock(ctx, netconf.Candidate))
	r.has(a, netconf.Candidate, "")

	// Many questions before the first answer.
	done := make(chan error)
	for range 20 {
		go func() {
			_, _, err := a.GetConfig(ctx, netconf.Running, nil)
			done <- err
		}()
	}
	for range 20 {
		r.must(<-done)
	}
}
