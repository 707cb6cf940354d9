package sim

import (
	"strings"

	"github.com/abide-agent/abide/netconf/tree"
)

// filtered gives what a subtree filter selects of data (RFC 6241 section 6). The
// keys of a list's entry come with whatever else of it is selected. A nil filter
// selects everything.
func (m *Models) filtered(data, filter *tree.Node) (*tree.Node, error) {
	if filter == nil {
		return data, nil
	}
	if kind, ok := attr(filter, "type"); ok && kind != "subtree" {
		return nil, unsupported("the filter is of the type %.20q; use a subtree filter", kind)
	}
	out := &tree.Node{Name: data.Name}
	if s := m.within(m.root, data, []*tree.Node{filter}); s != nil {
		out.Children = s.Children
	}
	return out, nil
}

// attr reads an attribute of a parameter, which some clients give the namespace of
// the element.
func attr(n *tree.Node, local string) (string, bool) {
	if v, ok := n.Attr(tree.Name{Local: local}); ok {
		return v, true
	}
	return n.Attr(baseName(local))
}

// within gives the part of n that the children of any of the filters select, or nil.
// Filters without children select nothing here.
func (m *Models) within(def *tree.Def, n *tree.Node, filters []*tree.Node) *tree.Node {
	var wanted []*tree.Node // selection and containment nodes
	var exact []*tree.Node  // content match nodes, which hold
	for _, f := range filters {
		values, others := split(f)
		if !holds(def, n, values) {
			continue
		}
		if len(others) == 0 && len(values) > 0 {
			return n // nothing but a condition selects all (section 6.2.5)
		}
		wanted, exact = append(wanted, others...), append(exact, values...)
	}
	out := &tree.Node{Name: n.Name}
	some := len(exact) > 0
	for _, c := range n.Children {
		d := child(def, c.Name)
		if key(def, c.Name) || named(exact, c.Name) {
			out.Children = append(out.Children, c)
			some = some || named(wanted, c.Name)
			continue
		}
		if s := m.selected(d, c, wanted); s != nil {
			out.Children = append(out.Children, s)
			some = true
		}
	}
	if !some {
		return nil
	}
	return out
}

// selected gives the part of a node that filters beside each other select, or nil.
func (m *Models) selected(def *tree.Def, n *tree.Node, filters []*tree.Node) *tree.Node {
	var deeper []*tree.Node
	for _, f := range filters {
		switch {
		case !matches(f, n):
		case len(f.Children) == 0:
			return n
		default:
			deeper = append(deeper, f)
		}
	}
	if deeper == nil {
		return nil
	}
	return m.within(def, n, deeper)
}

// matches compares names; a filter without a namespace fits any (section 6.2.1).
func matches(f, n *tree.Node) bool {
	return f.Name.Local == n.Name.Local && (f.Name.Space == n.Name.Space || f.Name.Space == "")
}

// split tells the conditions of a filter from what it selects.
func split(f *tree.Node) (values, others []*tree.Node) {
	for _, c := range f.Children {
		if len(c.Children) == 0 && strings.TrimSpace(c.Value) != "" {
			values = append(values, c)
		} else {
			others = append(others, c)
		}
	}
	return values, others
}

// holds says whether a node has all the values.
func holds(def *tree.Def, n *tree.Node, values []*tree.Node) bool {
	for _, v := range values {
		found := false
		for _, c := range n.Children {
			if matches(v, c) && len(c.Children) == 0 && sameValue(child(def, c.Name), v, c) {
				found = true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

func sameValue(d *tree.Def, f, n *tree.Node) bool {
	want := strings.TrimSpace(f.Value)
	if want == strings.TrimSpace(n.Value) {
		return true
	}
	return d != nil && d.Canonical != nil && d.Canonical(want, f.Prefixes) == d.Canonical(n.Value, n.Prefixes)
}

// named says whether one of the filters has the name.
func named(filters []*tree.Node, name tree.Name) bool {
	for _, f := range filters {
		if matches(f, &tree.Node{Name: name}) {
			return true
		}
	}
	return false
}

// child is Child of a Def that may be nil, as that of state is.
func child(d *tree.Def, name tree.Name) *tree.Def {
	if d == nil {
		return nil
	}
	return d.Child(name)
}

// key says whether a child of an entry is one of its keys.
func key(d *tree.Def, name tree.Name) bool {
	if d == nil || d.Kind != tree.List || name.Space != d.Name.Space {
		return false
	}
	for _, k := range d.Keys {
		if k == name.Local {
			return true
		}
	}
	return false
}
