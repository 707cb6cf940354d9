package tree

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawConfig makes a configuration of the test model. What it holds does not hang
// on whether there is a schema if plain.
func drawConfig(t *rapid.T, plain bool, values []string) *Node {
	el := func(name string, children ...*Node) *Node {
		return &Node{Name: Name{"urn:t", name}, Children: slices.DeleteFunc(children, func(n *Node) bool { return n == nil })}
	}
	leaf := func(name, value string) *Node { return &Node{Name: Name{"urn:t", name}, Value: value} }
	some := func(n *Node) *Node {
		if rapid.IntRange(0, 2).Draw(t, n.Name.Local+"?") > 0 {
			return n
		}
		return nil
	}
	full := func(n *Node) *Node {
		if len(n.Children) == 0 {
			return nil
		}
		return n
	}
	value := func() string { return rapid.SampledFrom(values).Draw(t, "value") }
	names := func(what string) []string {
		all := rapid.Permutation([]string{"p", "q", "r", "s"}).Draw(t, what)
		return all[:rapid.IntRange(0, 4).Draw(t, "number")]
	}
	users := el("users")
	for _, name := range names("users") {
		inside := el("config", leaf("username", name), some(leaf("ssh-key", value())), some(leaf("role", value())))
		users.Children = append(users.Children, el("user", leaf("username", name), some(inside)))
	}
	system := el("system", some(leaf("hostname", value())), full(users))
	top := el("config")
	if !plain {
		for _, name := range names("dns") {
			system.Children = append(system.Children, leaf("dns", name))
		}
		for _, name := range names("search") {
			system.Children = append(system.Children, leaf("search", name))
		}
		system.Children = append(system.Children, slices.DeleteFunc([]*Node{
			some(el("banner", some(leaf("text", value())))), some(el("blob", el("any", leaf("thing", value())))),
		}, func(n *Node) bool { return n == nil })...)
	}
	if full(system) != nil {
		top.Children = append(top.Children, system)
	}
	for _, name := range names("acls") {
		acl := el("acl", leaf("name", name), some(leaf("log", value())))
		if !plain {
			for _, port := range names("rules") {
				acl.Children = append(acl.Children, el("rule", leaf("proto", "tcp"), leaf("port", port), some(leaf("action", value()))))
			}
		}
		top.Children = append(top.Children, acl)
	}
	return top
}

// meddle changes a configuration by hand: some nodes go, others come.
func meddle(t *rapid.T, device *Node, schema *Def, plain bool) *Node {
	device = pruned(t, device, schema)
	if rapid.Bool().Draw(t, "add") {
		device, _ = ApplyEdit(device, drawConfig(t, plain, []string{"a", "hand"}), schema)
	}
	return device
}

func pruned(t *rapid.T, n *Node, d *Def) *Node {
	out := &Node{Name: n.Name, Value: n.Value}
	for _, c := range n.Children {
		cd := d.Child(c.Name)
		switch {
		case slices.Contains(d.Keys, c.Name.Local):
		case rapid.IntRange(0, 9).Draw(t, "drop "+c.Name.Local) == 0:
			continue
		case !cd.hasValue():
			if c = pruned(t, c, cd); len(c.Children) == 0 && !cd.owned() {
				continue
			}
		}
		out.Children = append(out.Children, c)
	}
	return out
}

// TestHistories drives random histories of owners and hands through plans and
// compares each step with the model.
func TestHistories(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("schema=%t", !plain), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) { history(t, plain) })
		})
	}
}

// world is one device in a history.
type world struct {
	t       *rapid.T
	schema  *Def // nil for the code under test if plain
	real    *Def
	claims  *Claims
	device  *Node
	base    *Node
	outputs map[string]*Node
	model   model
}

func history(t *rapid.T, plain bool) {
	w := &world{t: t, real: defs(testModel), outputs: map[string]*Node{}, model: model{map[string]items{}, items{}}}
	if !plain {
		w.schema = w.real
		ignoreCase(w.real)
	}
	w.claims = NewClaims(w.schema)
	w.device = drawConfig(t, plain, []string{"a", "hand"})
	for range rapid.IntRange(1, 6).Draw(t, "steps") {
		if rapid.IntRange(0, 3).Draw(t, "by hand") == 0 {
			w.device = meddle(t, w.device, w.real, plain)
			w.enforce()
		}
		w.change(plain)
	}
	// all owners leave
	var deltas []Delta
	before := union2(w.model.outputs, "")
	for _, owner := range slices.Sorted(maps.Keys(w.outputs)) {
		deltas = append(deltas, Delta{owner, w.outputs[owner], nil})
	}
	w.model.outputs = map[string]items{}
	w.claims.Apply(deltas...)
	w.plan(before, deltas...)
	if w.base != nil || len(w.claims.root.children.list) > 0 {
		t.Fatalf("all owners left, but base is %s and there are claims", w.base.Pretty())
	}
}

// ignoreCase makes the values of all leaves canonical in small letters.
func ignoreCase(d *Def) {
	for _, c := range d.Children() {
		if c.Kind == Leaf && !slices.Contains(d.Keys, c.Name.Local) {
			c.Canonical = func(v string, _ map[string]string) string { return strings.ToLower(v) }
		}
		ignoreCase(c)
	}
}

// change replaces the outputs of some owners.
func (w *world) change(plain bool) {
	owners := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"o1", "o2", "o3"}), 1, 3, rapid.ID).Draw(w.t, "owners")
	before, oldOutputs := union2(w.model.outputs, ""), maps.Clone(w.model.outputs)
	var deltas, back []Delta
	for _, owner := range owners {
		var now *Node
		if rapid.IntRange(0, 4).Draw(w.t, "output?") > 0 {
			values := []string{"a"}
			if rapid.IntRange(0, 3).Draw(w.t, "own values") == 0 {
				values = []string{"a", "b"}
				if !plain {
					values = append(values, "A")
				}
			}
			now = drawConfig(w.t, plain, values)
		}
		deltas = append(deltas, Delta{owner, w.outputs[owner], now})
		back = append(back, Delta{owner, now, w.outputs[owner]})
		w.model.outputs[owner] = flat(w.real, now)
	}
	was := show(w.claims.Tree())
	conflicts := w.claims.Apply(deltas...)
	if got, want := len(conflicts) > 0, w.model.conflicts(); got != want {
		w.t.Fatalf("conflicts %+v, want %t", conflicts, want)
	}
	if len(conflicts) > 0 {
		w.claims.Apply(back...)
		if now := show(w.claims.Tree()); !strings.EqualFold(now, was) { // but for the spelling
			w.t.Fatalf("taken back, the claims are %s and were %s", now, was)
		}
		w.model.outputs = oldOutputs
		return
	}
	for _, d := range deltas {
		w.outputs[d.Owner] = d.New
	}
	w.plan(before, deltas...)
}

// enforce plans without deltas after a change by hand.
func (w *world) enforce() {
	before := union2(w.model.outputs, "")
	w.plan(before)
}

// plan plans, with the whole device and with what the filter selects of it, and
// compares with the model.
func (w *world) plan(before items, deltas ...Delta) {
	t := w.t
	filter := w.claims.FilterAll()
	if len(deltas) > 0 {
		filter = w.claims.Filter(deltas...)
	}
	seen := show(w.device)
	plan := w.claims.Plan(w.device, w.base, deltas...)
	less := w.claims.Plan(selected(w.device, filter), w.base, deltas...)
	if !Equal(plan.Edit, less.Edit) || !Equal(plan.Reverse, less.Reverse) || !Equal(plan.Base, less.Base) || !reflect.DeepEqual(plan.Changes, less.Changes) {
		t.Fatalf("of %s what the filter %s selects gives another plan: %s", seen, filter.Pretty(), cmp.Diff(plan, less, noPlace))
	}
	if show(w.device) != seen {
		t.Fatal("the plan changed what was observed")
	}
	device := w.device
	if plan.Edit != nil {
		device = w.apply(device, plan.Edit)
		back := w.apply(device, plan.Reverse)
		same := show(bare(back)) == show(bare(w.device))
		if w.schema == nil { // which lists have an order is not known then
			same = cmp.Equal(flat(w.real, back), flat(w.real, w.device))
		}
		if !same {
			t.Fatalf("of %s the edit %s makes %s and the reverse %s makes %s", seen, plan.Edit.Pretty(), show(device), plan.Reverse.Pretty(), show(back))
		}
	}
	want, have := w.model.push(flat(w.real, w.device), before), flat(w.real, device)
	if !maps.Equal(want, have) {
		t.Fatalf("of %s the edit makes %s: %s", seen, show(device), cmp.Diff(want, have))
	}
	if base := flat(w.real, plan.Base); !maps.Equal(w.model.base, base) {
		t.Fatalf("of %s base is not as it should be: %s", seen, cmp.Diff(w.model.base, base))
	}
	if drift := w.claims.Check(device); len(drift) > 0 {
		t.Fatalf("of %s the edit makes %s, which differs: %+v", seen, show(device), drift)
	}
	if (plan.Edit == nil) != (len(plan.Changes) == 0) {
		t.Fatalf("the edit and the changes disagree: %+v", plan)
	}
	w.device, w.base = device, stored(t, plan.Base)
}

// stored gives base as it comes back from storage.
func stored(t *rapid.T, base *Node) *Node {
	if base == nil {
		return nil
	}
	n, err := ParseBytes(base.AppendXML(nil))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (w *world) apply(device, edit *Node) *Node {
	sent, err := ParseBytes(edit.AppendXML(nil))
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := ApplyEdit(device, sent, w.real)
	if err != nil {
		w.t.Fatalf("%v: %s", err, edit.Pretty())
	}
	return got
}
