package tree

// place is where a node stands, from the root down; the root's is nil.
type place struct {
	up   *place
	def  *Def
	id   ident
	node *Node // one that stands there, for its keys
}

// touch is one thing that a delta changes: a node that came (old is nil), went
// (new is nil) or has another value. With order it is the order of the list that
// def defines, among the children of the roots old and new.
type touch struct {
	place
	old, new *Node
	order    bool
}

// touches gives what a delta changes, from the last Apply if it was part of it.
func (c *Claims) touches(d Delta) []touch {
	if t, ok := c.last[d]; ok {
		return t
	}
	t, _ := c.diff(d)
	return t
}

// diff compares two outputs of an owner. The conflicts are those of the new one
// with itself.
func (c *Claims) diff(d Delta) ([]touch, []Conflict) {
	old, _ := c.once(d.Old, d.Owner)
	now, conflicts := c.once(d.New, d.Owner)
	f := differ{shapes: c.shapes}
	f.children(&frame{def: c.schema}, old, now)
	return f.out, conflicts
}

// once gives an output in which nothing stands twice.
func (c *Claims) once(n *Node, owner string) (*Node, []Conflict) {
	if n == nil || !c.twins(c.schema, n) {
		return n, nil
	}
	children, err := editor{c.shapes}.children(c.schema, nil, n, Merge)
	if err != nil {
		return n, nil // an output with the attributes of edits is the caller's fault
	}
	merged := &Node{Name: n.Name, Children: children}
	// what was lost in merging was written twice with different values
	var conflicts []Conflict
	c.lost(&frame{def: c.schema}, n, merged, func(f *frame, was, is *Node) {
		conflicts = append(conflicts, Conflict{f.path(), [2]string{owner, owner}, [2]string{holding{node: was}.text(), holding{node: is}.text()}})
	})
	return merged, conflicts
}

// twins says whether anything below n stands there twice.
func (s *shapes) twins(d *Def, n *Node) bool {
	var seen map[ident]bool
	if len(n.Children) > small {
		seen = make(map[ident]bool, len(n.Children))
	}
	for i, child := range n.Children {
		cd := s.child(d, child.Name)
		if seen != nil {
			id := identOf(cd, child)
			if seen[id] {
				return true
			}
			seen[id] = true
		} else {
			for _, other := range n.Children[:i] {
				if other.Name == child.Name && identOf(cd, other) == identOf(cd, child) {
					return true
				}
			}
		}
		if !cd.hasValue() && s.twins(cd, child) {
			return true
		}
	}
	return false
}

// lost calls f with every leaf of n whose value isn't that in the merged tree.
func (s *shapes) lost(up *frame, n, merged *Node, f func(at *frame, was, is *Node)) {
	find := s.finder(up.def, merged)
	for _, child := range n.Children {
		cd := s.child(up.def, child.Name)
		at := &frame{up: up, def: cd, id: identOf(cd, child), node: child}
		is := find.find(cd, at.id)
		switch {
		case is == nil:
		case !cd.hasValue():
			s.lost(at, child, is, f)
		case !sameValue(cd, child, is):
			f(at, child, is)
		}
	}
}

// frame is a place on the way of a comparison, of which a place is made only when
// something is different there.
type frame struct {
	up   *frame
	def  *Def
	id   ident
	node *Node
	made *place
}

func (f *frame) place() *place {
	if f.up == nil {
		return nil
	}
	if f.made == nil {
		f.made = &place{f.up.place(), f.def, f.id, f.node}
	}
	return f.made
}

func (f *frame) path() string {
	if f.up == nil {
		return ""
	}
	return f.up.path() + pathStep(f.up.def, f.def, f.node)
}

type differ struct {
	*shapes
	out []touch
}

// children compares what stands in two nodes, either of which may be nil.
func (f *differ) children(at *frame, old, now *Node) {
	inOld, inNow := f.finder(at.def, old), f.finder(at.def, now)
	both := 0
	for _, o := range inOld.nodes {
		cd := f.child(at.def, o.Name)
		if isKey(at.def, o.Name) {
			continue
		}
		id := identOf(cd, o)
		n := inNow.find(cd, id)
		if n != nil {
			both++
		}
		f.node(at, cd, id, o, n)
	}
	if both < len(inNow.nodes) {
		for _, n := range inNow.nodes {
			cd := f.child(at.def, n.Name)
			if isKey(at.def, n.Name) {
				continue
			}
			if id := identOf(cd, n); inOld.find(cd, id) == nil {
				f.node(at, cd, id, nil, n)
			}
		}
	}
	f.orders(at, old, now)
}

// node compares two nodes of one identity, one of which may be nil.
func (f *differ) node(up *frame, d *Def, id ident, old, now *Node) {
	one := now
	if one == nil {
		one = old
	}
	switch {
	case old == now || old != nil && now != nil && d.hasValue() && sameValue(d, old, now):
	case old != nil && now != nil && d.Kind == List && Equal(old, now): // costs no memory, and most are
	case d.hasValue(), d.owned() && (old == nil || now == nil), one.Value != "":
		f.out = append(f.out, touch{place: place{up.place(), d, id, one}, old: old, new: now})
	default:
		f.children(&frame{up: up, def: d, id: id, node: one}, old, now)
	}
}

// orders finds the `ordered-by user` lists whose entries come in another order.
func (f *differ) orders(at *frame, old, now *Node) {
	var done []*Def
	for _, n := range []*Node{old, now} {
		if n == nil {
			continue
		}
		for _, child := range n.Children {
			cd := f.child(at.def, child.Name)
			if !cd.UserOrdered || contains(done, cd) {
				continue
			}
			done = append(done, cd)
			if !equalOrder(sequence(cd, old), sequence(cd, now)) {
				f.out = append(f.out, touch{place: place{up: at.place(), def: cd}, old: old, new: now, order: true})
			}
		}
	}
}

func contains(list []*Def, d *Def) bool {
	for _, other := range list {
		if other == d {
			return true
		}
	}
	return false
}

func equalOrder(a, b []ident) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
