package tree

import "strings"

// ident is what tells a node from its siblings. Key is the canonical value of a
// leaf-list's entry, the values of the keys of a list's entry, or "".
type ident struct {
	name Name
	key  string
}

// identOf gives the identity of a node that d defines.
func identOf(d *Def, n *Node) ident {
	switch d.Kind {
	case LeafList:
		return ident{n.Name, canonical(d, n)}
	case List:
		return ident{n.Name, keyOf(d, n)}
	}
	return ident{name: n.Name}
}

// keyOf joins the canonical values of an entry's keys. XML has no character 0, so
// that nothing but a key ends one. An entry without keys is known by all of it.
func keyOf(d *Def, n *Node) string {
	switch len(d.Keys) {
	case 0:
		return string(n.AppendXML(nil))
	case 1:
		return keyValue(d, n, d.Keys[0])
	}
	var b strings.Builder
	for i, k := range d.Keys {
		if i > 0 {
			b.WriteByte(0)
		}
		b.WriteString(keyValue(d, n, k))
	}
	return b.String()
}

func keyValue(d *Def, n *Node, key string) string {
	name := Name{d.Name.Space, key}
	if k := n.Child(name); k != nil {
		return canonical(d.Child(name), k)
	}
	return ""
}

// keyNodes gives the key leaves of an entry, in the schema's order; those that it
// lacks are left out.
func keyNodes(d *Def, n *Node) []*Node {
	if d.Kind != List {
		return nil
	}
	out := make([]*Node, 0, len(d.Keys)+1)
	for _, k := range d.Keys {
		if k := n.Child(Name{d.Name.Space, k}); k != nil {
			out = append(out, k)
		}
	}
	return out
}

// isKey says whether a child of an entry of d is one of its keys.
func isKey(d *Def, name Name) bool {
	if d.Kind != List || name.Space != d.Name.Space {
		return false
	}
	for _, k := range d.Keys {
		if k == name.Local {
			return true
		}
	}
	return false
}

// canonical gives the canonical form of a leaf's value.
func canonical(d *Def, n *Node) string {
	if d == nil || d.Canonical == nil {
		return n.Value
	}
	return d.Canonical(n.Value, n.Prefixes)
}

// sameValue compares two nodes that d, which has a value, defines.
func sameValue(d *Def, a, b *Node) bool {
	switch {
	case a == b:
		return true
	case d.Kind == Any:
		return Equal(a, b)
	case d.Canonical == nil:
		return sameText(a, b)
	}
	return a.Value == b.Value && len(a.Prefixes)+len(b.Prefixes) == 0 || canonical(d, a) == canonical(d, b)
}

// finder finds the children of a node by identity: fast where they are asked for
// in their order, or often.
type finder struct {
	shapes *shapes
	def    *Def
	nodes  []*Node
	next   int // where the next hit is likely
	misses int
	index  map[ident]*Node
}

func (s *shapes) finder(d *Def, n *Node) finder {
	f := finder{shapes: s, def: d}
	if n != nil {
		f.nodes = n.Children
	}
	return f
}

// find gives the child with that identity, which d defines, or nil.
func (f *finder) find(d *Def, id ident) *Node {
	const patience = 4 // scans before an index is worth its making
	if len(f.nodes) == 0 {
		return nil
	}
	if f.next < len(f.nodes) {
		if n := f.nodes[f.next]; n.Name == id.name && identOf(d, n) == id {
			f.next++
			return n
		}
	}
	if f.index == nil && (f.misses < patience || len(f.nodes) <= 8) {
		f.misses++
		for i, n := range f.nodes {
			if n.Name == id.name && identOf(d, n) == id {
				f.next = i + 1
				return n
			}
		}
		return nil
	}
	if f.index == nil {
		f.index = make(map[ident]*Node, len(f.nodes))
		for _, n := range f.nodes {
			if d := f.shapes.child(f.def, n.Name); d != nil {
				if id := identOf(d, n); f.index[id] == nil {
					f.index[id] = n
				}
			}
		}
	}
	return f.index[id]
}
