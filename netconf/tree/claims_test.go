package tree

import (
	"cmp"
	"slices"
	"strings"
	"testing"
)

// site is one device with its claims, as those who use them keep it.
type site struct {
	t       *testing.T
	claims  *Claims
	schema  *Def
	device  *Node
	base    *Node
	outputs map[string]*Node
}

func newSite(t *testing.T, schema *Def, device string) *site {
	return &site{t: t, claims: NewClaims(schema), schema: schema, device: config(t, device), outputs: map[string]*Node{}}
}

// want replaces the outputs of owners ("" for none), pushes the difference, and
// gives the plan.
func (s *site) want(outputs map[string]string) Plan {
	s.t.Helper()
	deltas := s.deltas(outputs)
	if conflicts := s.claims.Apply(deltas...); len(conflicts) > 0 {
		s.t.Fatalf("conflicts: %+v", conflicts)
	}
	return s.push(deltas...)
}

func (s *site) deltas(outputs map[string]string) (deltas []Delta) {
	for owner, text := range outputs {
		var now *Node
		if text != "" {
			now = config(s.t, text)
		}
		deltas = append(deltas, Delta{owner, s.outputs[owner], now})
		s.outputs[owner] = now
	}
	slices.SortFunc(deltas, func(a, b Delta) int { return strings.Compare(a.Owner, b.Owner) })
	return deltas
}

// push plans against what the device shows for the filter, sends the edit as
// bytes, and checks that the reverse would bring back what was.
func (s *site) push(deltas ...Delta) Plan {
	s.t.Helper()
	plan := s.claims.Plan(s.device, s.base, deltas...)
	s.base = plan.Base
	if plan.Edit == nil {
		if len(plan.Changes) > 0 {
			s.t.Errorf("no edit, but changes: %+v", plan.Changes)
		}
		return plan
	}
	before := s.device
	s.device = s.edit(s.device, plan.Edit)
	if back := s.edit(s.device, plan.Reverse); show(bare(back)) != show(bare(before)) {
		s.t.Errorf("undone, it is %s and was %s after %s", show(back), show(before), plan.Reverse.Pretty())
	}
	if drift := s.claims.Check(s.device); len(drift) > 0 {
		s.t.Errorf("after the edit %s the device differs: %+v", plan.Edit.Pretty(), drift)
	}
	return plan
}

func (s *site) edit(device, edit *Node) *Node {
	s.t.Helper()
	got, err := ApplyEdit(device, parse(s.t, string(edit.AppendXML(nil))), s.schema)
	if err != nil {
		s.t.Fatalf("%v: %s", err, edit.Pretty())
	}
	return got
}

func (s *site) expect(device string) {
	s.t.Helper()
	if got, want := show(s.device), show(config(s.t, device)); got != want {
		s.t.Errorf("the device has %s, want %s", got, want)
	}
}

// bare gives a tree without the containers in which nothing stands, which mean
// nothing, and with what has no order in one.
func bare(n *Node) *Node {
	if len(n.Children) == 0 {
		return n
	}
	c := &Node{Name: n.Name}
	for _, child := range n.Children {
		if child = bare(child); child != nil {
			c.Children = append(c.Children, child)
		}
	}
	slices.SortStableFunc(c.Children, func(a, b *Node) int {
		switch a.Name.Local {
		case "acl", "rule", "search": // their order counts
			return strings.Compare(a.Name.Local, b.Name.Local)
		}
		return cmp.Or(strings.Compare(a.Name.Local, b.Name.Local), strings.Compare(string(a.AppendXML(nil)), string(b.AppendXML(nil))))
	})
	return c
}

// users writes an output with users, given as name or name=key.
func users(names ...string) string {
	if len(names) == 0 {
		return ""
	}
	return `<system><users>` + userEntries(names...) + `</users></system>`
}

func userEntries(names ...string) (text string) {
	for _, name := range names {
		name, key, ok := strings.Cut(name, "=")
		text += `<user><username>` + name + `</username><config><username>` + name + `</username>`
		if ok {
			text += `<ssh-key>` + key + `</ssh-key>`
		}
		text += `</config></user>`
	}
	return text
}

// both runs a test with the schema and without any: what it shows must not hang
// on that.
func both(t *testing.T, test func(t *testing.T, schema *Def)) {
	t.Parallel()
	t.Run("schema", func(t *testing.T) { t.Parallel(); test(t, defs(testModel)) })
	t.Run("none", func(t *testing.T) { t.Parallel(); test(t, nil) })
}

// The tests named Case are the rows of the peer's faults about ownership.

func TestCaseSharedObjectStaysWhenOneOwnerIsDeleted(t *testing.T) {
	both(t, func(t *testing.T, schema *Def) {
		s := newSite(t, schema, `<system><hostname>r1</hostname></system>`)
		s.want(map[string]string{"ops": users("eric=E", "alice=A"), "devs": users("kim=K", "alice=A")})
		s.want(map[string]string{"ops": ""})
		s.expect(`<system><hostname>r1</hostname><users>` + userEntries("alice=A", "kim=K") + `</users></system>`)
		if got := s.claims.Owners("/system/users/user[username='alice']"); !slices.Equal(got, []string{"devs"}) {
			t.Errorf("alice is owned by %v", got)
		}
		s.want(map[string]string{"devs": ""})
		s.expect(`<system><hostname>r1</hostname></system>`)
	})
}

func TestCaseSharedObjectSurvivesAModifiedOwner(t *testing.T) {
	both(t, func(t *testing.T, schema *Def) {
		s := newSite(t, schema, "")
		s.want(map[string]string{"ops": users("alice=A", "eric=E"), "devs": users("alice=A")})
		plan := s.want(map[string]string{"ops": users("alice=A", "eric=E2")})
		if len(plan.Changes) != 1 || plan.Changes[0].New != "E2" || plan.Changes[0].Old != "E" {
			t.Errorf("%+v", plan.Changes)
		}
		s.want(map[string]string{"ops": users("eric=E2")})
		s.expect(users("alice=A", "eric=E2"))
	})
}

func TestCaseTwoValuesAreAConflict(t *testing.T) {
	both(t, func(t *testing.T, schema *Def) {
		s := newSite(t, schema, "")
		s.want(map[string]string{"ops": users("alice=A"), "devs": users("kim")})
		deltas := s.deltas(map[string]string{"devs": users("alice=B")})
		conflicts := s.claims.Apply(deltas...)
		path := "/system/users/user[username='alice']/config/ssh-key"
		if schema != nil {
			path = "/oc-sys:system/users/user[username='alice']/config/ssh-key"
		}
		want := Conflict{path, [2]string{"devs", "ops"}, [2]string{"B", "A"}}
		if len(conflicts) != 1 || conflicts[0] != want {
			t.Fatalf("got %+v, want %+v", conflicts, want)
		}
		// the caller takes it back
		s.claims.Apply(Delta{"devs", deltas[0].New, deltas[0].Old})
		if plan := s.push(); plan.Edit != nil {
			t.Errorf("taken back, there is still %s", plan.Edit.Pretty())
		}
		// they agree: no conflict, and both own the key
		if conflicts := s.claims.Apply(Delta{"devs", deltas[0].Old, config(t, users("alice=A"))}); len(conflicts) > 0 {
			t.Error(conflicts)
		}
		if got := s.claims.Owners(path); !slices.Equal(got, []string{"devs", "ops"}) {
			t.Error(got)
		}
	})
}

func TestCaseInstanceWithoutUsers(t *testing.T) {
	t.Parallel()
	s := newSite(t, defs(testModel), `<system><hostname>r1</hostname></system>`)
	if plan := s.want(map[string]string{"ops": `<system><users/></system>`}); plan.Edit != nil {
		t.Errorf("an empty container is sent: %s", plan.Edit.Pretty())
	}
	s.want(map[string]string{"ops": users("eric")})
	s.want(map[string]string{"ops": `<system><users/></system>`})
	s.expect(`<system><hostname>r1</hostname></system>`)
}

func TestCaseNoOrphanWhenCodeStopsCreating(t *testing.T) {
	both(t, func(t *testing.T, schema *Def) {
		s := newSite(t, schema, "")
		s.want(map[string]string{"ops": users("al=1", "bo=1")})
		s.want(map[string]string{"ops": users("bo=1")})
		s.expect(users("bo=1"))
		if got, _ := s.claims.Blame("/system/users/user[username='al']"); len(got) > 0 {
			t.Errorf("al is still owned: %+v", got)
		}
	})
}

func TestCaseMadeByHandIsKept(t *testing.T) {
	both(t, func(t *testing.T, schema *Def) {
		hand := `<system><users>` + userEntries("alice=HAND", "zoe=Z") + `</users></system>`
		s := newSite(t, schema, hand)
		s.want(map[string]string{"ops": users("alice=A", "eric=E")})
		s.expect(users("alice=A", "zoe=Z", "eric=E"))
		s.want(map[string]string{"devs": users("alice=A")})
		s.want(map[string]string{"ops": ""})
		s.expect(users("alice=A", "zoe=Z"))
		s.want(map[string]string{"devs": ""})
		s.expect(hand)
		if s.base != nil {
			t.Errorf("base still has %s", s.base.Pretty())
		}
	})
}

func TestCaseRemoveIsNeverOnAnEmptiedParent(t *testing.T) {
	both(t, func(t *testing.T, schema *Def) {
		s := newSite(t, schema, "")
		s.want(map[string]string{"ops": users("eric=E")})
		plan := s.want(map[string]string{"ops": ""})
		want := `<config xmlns="` + BaseSpace + `" xmlns:nc="` + BaseSpace + `"><system xmlns="urn:t"><users><user nc:operation="remove"><username>eric</username></user></users></system></config>`
		if got := string(plan.Edit.AppendXML(nil)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestCaseWishSurvivesWhateverWasRead(t *testing.T) {
	both(t, func(t *testing.T, schema *Def) {
		s := newSite(t, schema, "")
		s.want(map[string]string{"ops": users("alice=A", "eric=E")})
		for _, byHand := range []string{"", users("zoe"), users("alice=HAND", "zoe=Z")} {
			s.device = config(t, byHand)
			if drift := s.claims.Check(s.device); len(drift) == 0 || slices.ContainsFunc(drift, func(d Drift) bool { return strings.Contains(d.Path, "zoe") }) {
				t.Errorf("of %s: %+v", byHand, drift)
			}
			s.push()
		}
		s.expect(users("alice=A", "zoe=Z", "eric=E"))
	})
}

func TestCaseOrderIsKept(t *testing.T) {
	t.Parallel()
	acl := func(names ...string) (text string) {
		for _, n := range names {
			text += `<acl><name>` + n + `</name></acl>`
		}
		return text
	}
	s := newSite(t, defs(testModel), acl("x", "b", "y", "a"))
	s.want(map[string]string{"ops": acl("a", "b", "c")})
	s.expect(acl("x", "y", "a", "b", "c"))
	s.want(map[string]string{"ops": acl("c", "n", "a")}) // b was there before and stays
	s.expect(acl("x", "y", "b", "c", "n", "a"))
	s.want(map[string]string{"devs": acl("n", "m")})
	s.expect(acl("x", "y", "b", "c", "n", "a", "m"))
	s.device = config(t, acl("m", "x", "n", "y", "b", "c", "a"))
	if drift := s.claims.Check(s.device); len(drift) != 1 || drift[0].Path != "/acl" || drift[0].Want != "c, n, a, m" || drift[0].Have != "m, n, c, a" {
		t.Errorf("%+v", drift)
	}
	s.push()
	s.want(map[string]string{"ops": ""})
	s.expect(acl("x", "y", "b", "n", "a", "m"))
}
