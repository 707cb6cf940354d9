package tree

import (
	"slices"
	"strings"
)

// siblings are the children of one node while an edit changes them. Those that
// were removed leave a nil, so that the places of the others stay.
type siblings struct {
	editor
	def   *Def
	nodes []*Node
	index map[ident]int // of nodes[:known], made when it is worth it
	known int
}

// at gives the place of a node, or -1.
func (s *siblings) at(d *Def, id ident) int {
	if len(s.nodes) <= 16 {
		return slices.IndexFunc(s.nodes, func(n *Node) bool { return n != nil && n.Name == id.name && identOf(d, n) == id })
	}
	if s.index == nil {
		s.index, s.known = make(map[ident]int, len(s.nodes)), 0
	}
	for ; s.known < len(s.nodes); s.known++ {
		if n := s.nodes[s.known]; n != nil {
			s.index[identOf(s.child(s.def, n.Name), n)] = s.known
		}
	}
	if i, ok := s.index[id]; ok && s.nodes[i] != nil {
		return i
	}
	return -1
}

// apply applies one node of an edit, which d defines.
func (s *siblings) apply(d *Def, edit *Node, inherited Operation) error {
	i := s.at(d, identOf(d, edit))
	var have *Node
	if i >= 0 {
		have = s.nodes[i]
	}
	got, err := s.node(d, have, edit, inherited)
	if err != nil {
		return err
	}
	if got != nil && got != have {
		s.leaveCases(d)
	}
	switch {
	case i >= 0:
		s.nodes[i] = got
	case got != nil:
		i = len(s.nodes)
		s.nodes = append(s.nodes, got)
	}
	if got != nil && d.UserOrdered {
		return s.insert(d, i, edit)
	}
	return nil
}

// leaveCases removes what stands in another case of the choices of d.
func (s *siblings) leaveCases(d *Def) {
	if len(d.Case) == 0 {
		return
	}
	for i, n := range s.nodes {
		if n != nil && excludes(d, s.child(s.def, n.Name)) {
			s.nodes[i] = nil
		}
	}
}

// excludes says whether two siblings stand in different cases of one choice.
func excludes(a, b *Def) bool {
	for i := 0; i < len(a.Case) && i < len(b.Case) && a.Case[i].Choice == b.Case[i].Choice; i++ {
		if a.Case[i].Case != b.Case[i].Case {
			return true
		}
	}
	return false
}

// insert moves the node at i to where the attribute `insert` of an edit says.
func (s *siblings) insert(d *Def, i int, edit *Node) error {
	where, ok := edit.Attr(Name{YANGSpace, "insert"})
	if !ok {
		return nil
	}
	moved := s.nodes[i]
	rest := slices.Delete(slices.Clone(s.nodes), i, i+1)
	to := -1
	switch where {
	case "first":
		to = max(0, slices.IndexFunc(rest, func(n *Node) bool { return n != nil && n.Name == d.Name }))
	case "last":
		to = len(rest)
	case "before", "after":
		to = slices.IndexFunc(rest, func(n *Node) bool { return n != nil && n.Name == d.Name && isAnchor(d, n, edit) })
		if to < 0 {
			return &EditError{Tag: "bad-attribute", Message: "the node to insert at is missing"}
		}
		if where == "after" {
			to++
		}
	default:
		return &EditError{Tag: "bad-attribute", Message: "an entry is inserted first, last, before or after"}
	}
	s.nodes, s.index = slices.Insert(rest, to, moved), nil
	return nil
}

// isAnchor says whether the attributes `key` or `value` of an edit mean n.
func isAnchor(d *Def, n, edit *Node) bool {
	if d.Kind == LeafList {
		value, ok := edit.Attr(Name{YANGSpace, "value"})
		return ok && canonical(d, &Node{Value: value, Prefixes: edit.Prefixes}) == canonical(d, n)
	}
	text, _ := edit.Attr(Name{YANGSpace, "key"})
	predicates, rest, err := cutPredicates(text)
	if err != nil || rest != "" || len(predicates) != len(d.Keys) {
		return false
	}
	for _, p := range predicates {
		name := Name{d.Name.Space, p.Key[strings.IndexByte(p.Key, ':')+1:]}
		k := n.Child(name)
		if k == nil || !isKey(d, name) || canonical(d.Child(name), &Node{Value: p.Value, Prefixes: edit.Prefixes}) != canonical(d.Child(name), k) {
			return false
		}
	}
	return true
}

// left gives the nodes that are left.
func (s *siblings) left() []*Node {
	if slices.Contains(s.nodes, nil) {
		return slices.DeleteFunc(s.nodes, func(n *Node) bool { return n == nil })
	}
	return s.nodes
}
