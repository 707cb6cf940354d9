package tree

import "slices"

// spot is a place while it is planned: all that is known of it, and what comes
// out.
type spot struct {
	up    *spot
	def   *Def
	id    ident
	node  *Node // one that stands there
	keys  []*Node
	claim *claim
	mark  *mark
	// touches are those of the deltas here; whole says that all that is claimed
	// below is looked at, not only what is touched.
	touches   []touched
	whole     bool
	obs, base *Node

	edit, undo *Node
	kept       *Node   // base afterwards
	below      []*Node // what stands in base below afterwards
}

func (s *spot) ident() ident { return s.id }
func (s *spot) schema() *Def { return s.def }

func (s *spot) path() string {
	if s.up == nil {
		return ""
	}
	return s.up.path() + pathStep(s.up.def, s.def, s.node)
}

// leavers gives those that had the node and have it no more, or no more so.
func (s *spot) leavers() []string {
	var out []string
	for _, t := range s.touches {
		if t.old != nil {
			out = append(out, t.owner)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// around gives the node with its keys and other content.
func (s *spot) around(content []*Node) *Node {
	return &Node{Name: s.id.name, Children: slices.Concat(s.keys, content)}
}

// gone says whether the edit removes the node.
func (s *spot) gone() bool {
	op, _ := s.edit.Attr(Name{BaseSpace, "operation"})
	return op == string(Remove)
}

// removal gives the edit that removes the node.
func (s *spot) removal() *Node { return removal(s.def, s.around(nil)) }

// removal gives the edit that removes n, which d defines.
func removal(d *Def, n *Node) *Node {
	r := &Node{Name: n.Name, Attrs: []Attr{{Name{BaseSpace, "operation"}, string(Remove)}}}
	switch d.Kind {
	case LeafList:
		r.Value, r.Prefixes = n.Value, n.Prefixes
	case List:
		r.Children = keyNodes(d, n)
	}
	return r
}

// keep gives what base holds of a node afterwards: empty with what stands below,
// nil when that is nothing, unless the node itself was there.
func (s *spot) keep(empty Node, itself bool) *Node {
	none := 0
	if s.base != nil {
		none = len(empty.Children) // the keys
	}
	switch {
	case s.base != nil && slices.Equal(s.below, s.base.Children):
		return s.base
	case !itself && len(s.below) <= none:
		return nil
	case s.base == nil:
		empty.Children = slices.Concat(empty.Children, s.below)
	default:
		empty.Children = s.below
	}
	return &empty
}

// children plans what stands in a node.
func (p *planner) children(s *spot) (edit, undo []*Node) {
	all := p.spots(s)
	obs, base := p.finder(s.def, s.obs), p.finder(s.def, s.base)
	if s.base != nil {
		s.below = s.base.Children
	}
	shared := true // s.below is that of the old base
	var lists []*Def
	for _, child := range all {
		child.obs, child.base = obs.find(child.def, child.id), base.find(child.def, child.id)
		p.visit(child)
		if child.kept != child.base {
			if shared {
				s.below, shared = slices.Clone(s.below), false
			}
			s.below = replaced(s.below, child.base, child.kept)
		}
		switch {
		case child.def.UserOrdered:
			if !contains(lists, child.def) {
				lists = append(lists, child.def)
			}
		case child.edit != nil:
			edit, undo = append(edit, child.edit), append(undo, child.undo)
		}
	}
	undo = append(undo, p.drivenOut(s, all)...)
	if s.mark != nil {
		for _, list := range s.mark.lists {
			if !contains(lists, list) {
				lists = append(lists, list)
			}
		}
	}
	for _, list := range lists {
		e, u := p.order(s, list, all)
		edit, undo = append(edit, e...), append(undo, u...)
	}
	return edit, undo
}

// replaced puts a node in the place of another; either may be nil.
func replaced(nodes []*Node, old, now *Node) []*Node {
	if old == nil {
		return append(nodes, now)
	}
	i := slices.Index(nodes, old)
	if now == nil {
		return slices.Delete(nodes, i, i+1)
	}
	nodes[i] = now
	return nodes
}

// spots gives the children that have to be planned, in their order.
func (p *planner) spots(s *spot) []*spot {
	var all family[*spot]
	add := func(d *Def, id ident, n *Node) *spot {
		child := all.get(id)
		if child == nil {
			child = &spot{up: s, def: d, id: id, node: n, keys: keyNodes(d, n), claim: s.claim.child(id), whole: s.whole}
			all.add(child)
		}
		return child
	}
	if s.whole && s.claim != nil {
		for _, c := range s.claim.children.list {
			add(c.def, c.ident(), c.node())
		}
	}
	for _, t := range s.touches {
		for _, n := range contents(t.old) {
			if cd := p.child(s.def, n.Name); !isKey(s.def, n.Name) {
				child := add(cd, identOf(cd, n), n)
				child.touches = append(child.touches, touched{owner: t.owner, old: n})
			}
		}
		for _, n := range contents(t.new) {
			if cd := p.child(s.def, n.Name); !isKey(s.def, n.Name) {
				child := add(cd, identOf(cd, n), n)
				child.touches = append(child.touches, touched{owner: t.owner, new: n})
			}
		}
	}
	if s.mark != nil {
		for _, m := range s.mark.children.list {
			child := add(m.def, m.id, m.node)
			child.mark = m
			child.touches = append(child.touches, m.touches...)
		}
	}
	return all.sorted()
}

func contents(n *Node) []*Node {
	if n == nil {
		return nil
	}
	return n.Children
}

// drivenOut gives what the device removes by itself when a node of another case
// is made, for undoing that, and tells it.
func (p *planner) drivenOut(s *spot, all []*spot) (undo []*Node) {
	for _, maker := range all {
		if len(maker.def.Case) == 0 || maker.obs != nil || maker.edit == nil {
			continue
		}
		for _, n := range contents(s.obs) {
			cd := p.child(s.def, n.Name)
			if !excludes(maker.def, cd) || slices.Contains(undo, n) ||
				slices.ContainsFunc(all, func(o *spot) bool { return o.obs == n && o.edit != nil }) {
				continue
			}
			undo = append(undo, n)
			gone := &spot{up: s, def: cd, id: identOf(cd, n), node: n, obs: n}
			p.change(gone, OpRemove, maker.claim.ownerNames())
		}
	}
	return undo
}
