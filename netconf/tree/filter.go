package tree

// manyEntries of one list are read faster by asking for the whole list: servers
// match each entry with each filter.
const manyEntries = 100

// Filter gives a subtree filter (RFC 6241 section 6) that selects what [Claims.Plan]
// has to see for these deltas: leaves that change, whole entries that come or go,
// and the lists whose order counts. Nil means that there is nothing to read: it is
// no filter, which would select everything.
func (c *Claims) Filter(deltas ...Delta) *Node {
	m := c.marks(deltas)
	if m == nil {
		return nil
	}
	f := filter{shapes: c.shapes, names: map[Name]*tally{}}
	for _, child := range m.children.sorted() {
		f.mark(m, child)
	}
	return subtree(f.finish(m.lists))
}

// FilterAll gives a subtree filter that selects all that is claimed.
func (c *Claims) FilterAll() *Node {
	content := c.filterClaims(c.root)
	if len(content) == 0 {
		return nil
	}
	return subtree(content)
}

func subtree(content []*Node) *Node {
	return &Node{Name: Name{BaseSpace, "filter"}, Attrs: []Attr{{Name{"", "type"}, "subtree"}}, Children: content}
}

// filter gathers what is selected among the children of one node.
type filter struct {
	*shapes
	names map[Name]*tally
	order []Name
}

// tally is what is selected of one name: all of it, or some entries.
type tally struct {
	def   *Def
	all   bool
	nodes []*Node
}

func (f *filter) tally(d *Def) *tally {
	t := f.names[d.Name]
	if t == nil {
		t = &tally{def: d}
		f.names[d.Name] = t
		f.order = append(f.order, d.Name)
	}
	return t
}

// pick selects a node with that content; none is all of it. Of a container with
// presence all is selected, as servers differ in whether they show one in which
// nothing else is.
func (f *filter) pick(d *Def, keys, content []*Node) {
	t := f.tally(d)
	switch {
	case d.Kind == List && len(keys) == len(d.Keys) && len(keys) > 0:
		nodes := make([]*Node, 0, len(keys)+len(content))
		t.nodes = append(t.nodes, &Node{Name: d.Name, Children: append(append(nodes, keys...), content...)})
	case len(content) > 0 && !d.owned():
		t.nodes = append(t.nodes, &Node{Name: d.Name, Children: content})
	default:
		t.all = true
	}
}

// finish gives the content of the filter.
func (f *filter) finish(lists []*Def) (out []*Node) {
	for _, list := range lists {
		f.tally(list).all = true
	}
	for _, name := range f.order {
		t := f.names[name]
		if t.all || len(t.nodes) > manyEntries {
			out = append(out, &Node{Name: name})
			continue
		}
		out = append(out, t.nodes...)
	}
	return out
}

// mark selects what is touched at a child of up.
func (f *filter) mark(up, m *mark) {
	keys := keyNodes(m.def, m.node)
	if len(m.touches) > 0 || m.def.UserOrdered {
		if m.def.UserOrdered {
			f.tally(m.def).all = true
		}
		f.pick(m.def, keys, nil)
		f.cases(up.def, m.def)
		return
	}
	below := filter{shapes: f.shapes, names: map[Name]*tally{}}
	for _, child := range m.children.sorted() {
		below.mark(m, child)
	}
	f.pick(m.def, keys, below.finish(m.lists))
	f.cases(up.def, m.def)
}

// cases selects the nodes that d drives out, as undoing an edit brings them back.
func (f *filter) cases(up, d *Def) {
	if len(d.Case) == 0 {
		return
	}
	for _, other := range up.Children() {
		if excludes(d, other) {
			f.tally(other).all = true
		}
	}
}

// filterClaims selects what is claimed among the children of a claim: entries
// whole, as an entry's own leaves are most of it.
func (c *Claims) filterClaims(at *claim) []*Node {
	f := filter{shapes: c.shapes, names: map[Name]*tally{}}
	for _, child := range at.children.sorted() {
		switch {
		case child.def.Kind == Container && !child.owned():
			f.pick(child.def, nil, c.filterClaims(child))
		case child.def.UserOrdered:
			f.tally(child.def).all = true
		default:
			f.pick(child.def, child.keys, nil)
		}
	}
	return f.finish(nil)
}
