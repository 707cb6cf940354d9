package tree

import (
	"slices"
	"strings"
)

// Op is what a plan does with a node.
type Op string

// The operations of a plan. A node that had a value before any owner is set back.
const (
	OpCreate Op = "create"
	OpSet    Op = "set"
	OpRemove Op = "remove"
	OpMove   Op = "move" // an entry of an `ordered-by user` list
)

// Change is what a plan does with one node.
type Change struct {
	Path     string
	Op       Op
	Old, New string   // values of leaves
	Owners   []string // who wants it; of what is removed or set back, who wanted it
}

// Plan is what has to be done to a device.
type Plan struct {
	Edit    *Node    // the <config> of one edit-config, default operation merge; nil: nothing to do
	Reverse *Node    // the same for undoing Edit; nil like Edit
	Base    *Node    // what is claimed now and was there before any owner; to be stored before Edit is sent
	Changes []Change // sorted by path
}

// Ours is the attribute of those entries and containers in [Plan.Base] that the
// owners made themselves: only what stands in them was there before.
var Ours = Name{"", "ours"}

// Plan compares observed, which holds at least what [Claims.Filter] selects, with
// what is wanted where deltas, which were applied, touch it: leaves, whole entries,
// or the order of lists. Without deltas it compares all that is claimed. Of an
// entry that is missing all that is wanted is made. A node that no owner had
// before the deltas, and that is observed, was there before us: base, which is
// what the last plan said of that, gets it, and it comes back when its last owner
// goes. Neither observed nor base is changed.
func (c *Claims) Plan(observed, base *Node, deltas ...Delta) Plan {
	c.learn(c.schema, observed)
	c.learn(c.schema, base)
	c.settle()
	p := planner{Claims: c, enforce: len(deltas) == 0}
	root := &spot{def: c.schema, claim: c.root, obs: observed, base: base, whole: p.enforce}
	if !p.enforce {
		if root.mark = c.marks(deltas); root.mark == nil {
			return Plan{Base: base}
		}
	}
	edit, undo := p.children(root)
	out := Plan{Base: root.keep(Node{Name: Name{"", "config"}}, false), Changes: p.changes}
	if len(edit) > 0 {
		out.Edit = &Node{Name: Name{BaseSpace, "config"}, Children: edit}
		out.Reverse = &Node{Name: Name{BaseSpace, "config"}, Children: undo}
	}
	slices.SortStableFunc(out.Changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return out
}

type planner struct {
	*Claims
	enforce bool // there are no deltas: all that is claimed was claimed before
	changes []Change
}

// visit plans one place.
func (p *planner) visit(s *spot) {
	switch {
	case s.def.hasValue():
		p.value(s)
	case s.def.owned():
		p.entry(s)
	default:
		p.inside(s)
		s.kept = s.keep(Node{Name: s.id.name}, false)
	}
}

// inside plans what stands in a node that is there, or needs no making.
func (p *planner) inside(s *spot) {
	edit, undo := p.children(s)
	if len(edit) > 0 {
		s.edit, s.undo = s.around(edit), s.around(undo)
	}
}

// value plans a leaf, an entry of a leaf-list, or anydata.
func (p *planner) value(s *spot) {
	after, before := s.claim.owned(), p.before(s)
	s.kept = s.base
	switch {
	case after:
		if s.obs != nil && s.base == nil && !before {
			s.kept = plain(s.obs).detach()
		}
		p.set(s, s.claim.want(), s.claim.ownerNames())
	case before && s.base != nil:
		s.kept = nil
		p.set(s, s.base, s.leavers())
	case before && s.obs != nil:
		s.edit, s.undo = removal(s.def, s.obs), plain(s.obs)
		p.change(s, OpRemove, s.leavers())
	}
}

// set makes a value what it has to be.
func (p *planner) set(s *spot, want *Node, owners []string) {
	switch {
	case s.obs == nil:
		s.edit, s.undo = plain(want), removal(s.def, want)
		p.change(s, OpCreate, owners)
	case !sameValue(s.def, want, s.obs):
		s.edit, s.undo = plain(want), plain(s.obs)
		p.change(s, OpSet, owners)
		if s.def.Kind == Any { // which a merge would not replace everywhere
			replace := Attr{Name{BaseSpace, "operation"}, string(Replace)}
			s.edit.Attrs, s.undo.Attrs = append(s.edit.Attrs, replace), append(s.undo.Attrs, replace)
		}
	}
}

// entry plans an entry of a list, or a container with presence.
func (p *planner) entry(s *spot) {
	after, before := s.claim.owned(), p.before(s)
	adopted := s.base != nil && !s.base.ours()
	switch {
	case after && s.obs == nil:
		p.change(s, OpCreate, s.claim.ownerNames())
		s.whole = true
		edit, _ := p.children(s)
		s.edit, s.undo = s.around(edit), s.removal()
	case after:
		adopted = adopted || s.base == nil && !before
		p.inside(s)
	case before && adopted:
		if s.obs != nil {
			p.inside(s)
		}
		return // and base keeps nothing of it
	case before:
		if s.obs != nil {
			p.change(s, OpRemove, s.leavers())
			s.edit, s.undo = s.removal(), plain(s.obs)
		}
		return
	default: // not ours
		p.inside(s)
	}
	node := Node{Name: s.id.name, Children: s.keys}
	if !adopted {
		node.Attrs = []Attr{{Ours, "true"}}
	}
	s.kept = s.keep(node, adopted)
}

func (n *Node) ours() bool {
	_, ok := n.Attr(Ours)
	return ok
}

// before says whether any owner had the node before the deltas.
func (p *planner) before(s *spot) bool {
	if p.enforce {
		return true
	}
	for _, t := range s.touches {
		if t.old != nil {
			return true
		}
	}
	if s.claim == nil {
		return false
	}
	for _, h := range s.claim.owners {
		if !slices.ContainsFunc(s.touches, func(t touched) bool { return t.owner == h.owner }) {
			return true
		}
	}
	return false
}

// change notes what is done.
func (p *planner) change(s *spot, op Op, owners []string) {
	c := Change{Path: s.path(), Op: op, Owners: owners}
	if s.def.hasValue() {
		if s.obs != nil {
			c.Old = holding{node: s.obs}.text()
		}
		if op != OpRemove {
			c.New = holding{node: s.edit}.text()
		}
	}
	p.changes = append(p.changes, c)
}
