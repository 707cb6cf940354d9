package devicetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

func locks(t *testing.T, r *rig) {
	ctx := t.Context()
	a, b := r.dial(), r.dial()
	r.must(a.Lock(ctx, netconf.Running), a.Lock(ctx, netconf.Candidate))
	for _, d := range []netconf.Datastore{netconf.Running, netconf.Candidate} {
		err := b.Lock(ctx, d)
		r.refused(err, "a second lock of "+string(d), "lock-denied")
		if e, ok := errors.AsType[*netconf.RPCError](err); ok {
			id := e.Info.Child(tree.Name{Space: tree.BaseSpace, Local: "session-id"})
			if want := a.ID(); id == nil || id.Value != decimal(want) {
				t.Errorf("the lock is said to be that of %v, not of %d", id, want)
			}
		}
		if err := b.Unlock(ctx, d); err == nil {
			t.Error("somebody else's lock was given back")
		}
	}
	r.refused(a.Lock(ctx, netconf.Candidate), "a lock that one has", "lock-denied")
	r.refused(r.edit(b, inUsers(user("b"))), "an edit under somebody else's lock", "in-use")
	r.refused(r.commit(b), "a commit under somebody else's lock", "in-use")
	r.must(r.edit(a, inUsers(user("a"))), r.commit(a), a.Unlock(ctx, netconf.Candidate), a.Unlock(ctx, netconf.Running))
	if err := a.Unlock(ctx, netconf.Running); err == nil {
		t.Error("a lock was given back twice")
	}
	r.has(b, netconf.Running, "a")

	// Locks and edits go with their session.
	r.must(a.Lock(ctx, netconf.Candidate), r.edit(a, inUsers(user("gone"))), a.Close(ctx))
	r.must(b.Lock(ctx, netconf.Candidate))
	r.has(b, netconf.Candidate, "a")
	r.must(b.Unlock(ctx, netconf.Candidate))

	// Edits that are still there keep others from locking.
	c := r.dial()
	r.must(r.edit(b, inUsers(user("b"))))
	r.refused(c.Lock(ctx, netconf.Candidate), "a lock of a candidate with changes", "lock-denied", "resource-denied")
	r.must(b.Discard(ctx), c.Lock(ctx, netconf.Candidate))
}

func candidate(t *testing.T, r *rig) {
	ctx := t.Context()
	a, b := r.dial(), r.dial()
	c := a.Capabilities()
	if !c.Has(":candidate") || !c.Has(":confirmed-commit:1.1") || !c.Has(":validate") || !c.Has(":rollback-on-error") || c.Has(":startup") || c.ModuleSet() == "" || c.ModuleSet() != b.Capabilities().ModuleSet() {
		t.Error(c.URIs())
	}
	// All sessions share the candidate.
	r.must(r.edit(a, inUsers(user("a"))), r.edit(b, inUsers(user("b"))))
	r.has(a, netconf.Candidate, "a b")
	r.has(a, netconf.Running, "")
	r.must(a.Discard(ctx))
	r.has(a, netconf.Candidate, "")
	r.must(r.edit(a, inUsers(user("a"))), r.commit(b))
	r.has(b, netconf.Running, "a")
	r.must(r.commit(b)) // nothing

	// A thousand at a time.
	var all strings.Builder
	for i := range 1000 {
		all.WriteString(user("u" + decimal(uint32(i))))
	}
	r.must(r.edit(a, inUsers(all.String())), r.commit(a))
	if n := len(strings.Fields(r.users(b, netconf.Running))); n != 1001 {
		t.Errorf("there are %d users", n)
	}
	r.must(r.edit(a, system(`<aaa xmlns:nc="`+tree.BaseSpace+`" nc:operation="remove"/>`)), r.commit(a))
	r.has(b, netconf.Running, "")
	_, stamp, err := a.GetConfig(ctx, netconf.Running, nil)
	if err != nil || !strings.HasSuffix(stamp, "Z") {
		t.Errorf("the stamp is %q, %v", stamp, err)
	}
	r.refused(a.EditConfig(ctx, netconf.EditOptions{Target: netconf.Running}, r.parse(inUsers(user("a")))), "an edit of running", "operation-not-supported", "operation-failed", "invalid-value")
}

func edits(t *testing.T, r *rig) {
	ctx := t.Context()
	s := r.dial()
	const key = "<username>a</username>"
	op := func(op string) string { return `<user nc:operation="` + op + `">` }
	for _, tt := range []struct {
		name, edit string
		def        string // default-operation
		test       string // test-option
		tags       string // of the refusal; "" is none
		want       string // the users then, with their roles
	}{
		{"merge", user("a"), "", "", "", "a=admin"},
		{"merge a leaf", "<user>" + key + "<config><role>r</role></config></user>", "merge", "", "", "a=r"},
		{"create what is there", op("create") + user("a")[6:], "", "", "data-exists", "a=r"},
		{"create", op("create") + user("b")[6:], "none", "", "", "a=r b=admin"},
		{"delete what isn't there", op("delete") + "<username>x</username></user>", "", "", "data-missing", "a=r b=admin"},
		{"remove what isn't there", op("remove") + "<username>x</username></user>", "", "", "", "a=r b=admin"},
		{"replace an entry", op("replace") + key + "<config><username>a</username></config></user>", "", "", "", "a= b=admin"},
		{"replace a leaf", "<user>" + key + `<config><role nc:operation="replace">r2</role></config></user>`, "none", "", "", "a=r2 b=admin"},
		{"only test", user("c"), "", "test-only", "", "a=r2 b=admin"},
		{"only set", user("c"), "", "set", "", "a=r2 b=admin c=admin"},
		{"delete a leaf", "<user>" + key + `<config><role nc:operation="delete"/></config></user>`, "", "", "", "a= b=admin c=admin"},
		{"delete an entry", op("delete") + key + "</user>", "", "", "", "b=admin c=admin"},
		{"several at once", op("remove") + "<username>b</username></user>" + user("d"), "", "", "", "c=admin d=admin"},
		{"replace everything", user("e"), "replace", "", "", "e=admin"},
	} {
		err := s.EditConfig(ctx, netconf.EditOptions{Target: netconf.Candidate, Default: tt.def, TestOption: tt.test}, r.parse(strings.Replace(inUsers(tt.edit), "<system", `<system xmlns:nc="`+tree.BaseSpace+`"`, 1)))
		if tt.tags != "" {
			r.refused(err, tt.name, tt.tags)
		} else if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		config, _, err := s.GetConfig(ctx, netconf.Candidate, r.parse(inUsers("")))
		r.must(err)
		if got := roles(config); got != tt.want {
			t.Errorf("after %s there is %q, want %q", tt.name, got, tt.want)
		}
	}
}

// roles gives the users with their roles.
func roles(config *tree.Node) string {
	in := func(n *tree.Node, locals ...string) *tree.Node {
		for _, l := range locals {
			n = n.Child(tree.Name{Space: systemSpace, Local: l})
		}
		return n
	}
	var out []string
	if users := in(config, "system", "aaa", "authentication", "users"); users != nil {
		for _, u := range users.Children {
			role := ""
			if n := in(u, "config", "role"); n != nil {
				role = n.Value
			}
			out = append(out, in(u, "username").Value+"="+role)
		}
	}
	return strings.Join(out, " ")
}

func startup(t *testing.T, r *rig) {
	ctx := t.Context()
	s, b := r.dial(), r.dial()
	if c := s.Capabilities(); c.Has(":candidate") || !c.Has(":startup") || !c.Has(":writable-running") {
		t.Error(c.URIs())
	}
	direct := netconf.EditOptions{Target: netconf.Running, ErrorOption: "rollback-on-error"}
	r.must(s.Lock(ctx, netconf.Running))
	r.refused(b.EditConfig(ctx, direct, r.parse(inUsers(user("b")))), "an edit under somebody else's lock", "in-use")
	r.must(s.EditConfig(ctx, direct, r.parse(inUsers(user("a")))), s.Unlock(ctx, netconf.Running))
	r.has(b, netconf.Running, "a")
	r.has(b, netconf.Startup, "")
	r.must(s.CopyConfig(ctx, netconf.Running, netconf.Startup))
	r.has(b, netconf.Startup, "a")

	// An edit that is refused leaves nothing behind.
	bad := inUsers(user("x") + strings.Replace(user("y"), "admin", strings.Repeat("y", 40), 1))
	r.refused(s.EditConfig(ctx, direct, r.parse(bad)), "a wrong value", "invalid-value")
	r.has(s, netconf.Running, "a")

	r.must(s.EditConfig(ctx, direct, r.parse(inUsers(user("b")))), s.EditConfig(ctx, direct, r.parse("")))
	r.has(s, netconf.Running, "a b")
	r.refused(s.CopyConfig(ctx, netconf.Running, netconf.Running), "a copy onto itself", "invalid-value", "operation-not-supported")
	r.must(r.base(s, "<delete-config><target><startup/></target></delete-config>"))
	if err := r.base(s, "<delete-config><target><running/></target></delete-config>"); err == nil {
		t.Error("running was deleted")
	}
	if err := r.commit(s); err == nil {
		t.Error("there is a commit without a candidate")
	}
}
