package tree

import (
	"fmt"
	"slices"
)

// shapes completes a schema with what trees show of nodes that it does not
// define. What it has learned of a node only grows: a leaf may prove to be a
// leaf-list or a container, a container to be a list, a list to have more keys.
type shapes struct {
	schema *Def
	extra  map[*Def]*Def // the inferred children of nodes that the schema defines
	// changed is set when something that was known before has to be seen in a new
	// way, so that identities that were made before are void.
	changed bool
	// guesses are the lists that were taken for lists though none repeated.
	guesses []string
}

func newShapes(schema *Def) *shapes {
	if schema == nil {
		schema = &Def{}
	}
	return &shapes{schema: schema, extra: map[*Def]*Def{}}
}

// child gives the definition of a child, learned or from the schema, or nil.
func (s *shapes) child(d *Def, name Name) *Def {
	if c := d.Child(name); c != nil {
		return c
	}
	if len(s.extra) == 0 || d.inferred {
		return nil
	}
	return s.extra[d].Child(name)
}

// learn infers what the schema leaves open of the descendants of n, which d
// defines.
func (s *shapes) learn(d *Def, n *Node) {
	if n == nil || d.Kind == Any || d.Kind == Leaf && !d.inferred {
		return
	}
	var unknown map[Name][]*Node
	var order []Name
	for _, c := range n.Children {
		if known := d.Child(c.Name); known != nil && !known.inferred {
			if len(c.Children) > 0 {
				s.learn(known, c)
			}
			continue
		}
		if unknown == nil {
			unknown = map[Name][]*Node{}
		}
		if unknown[c.Name] == nil {
			order = append(order, c.Name)
		}
		unknown[c.Name] = append(unknown[c.Name], c)
	}
	for _, name := range order {
		group := unknown[name]
		known := s.child(d, name)
		fresh := known == nil
		if fresh {
			known = &Def{Name: name, Kind: Leaf, inferred: true}
			s.add(d, known)
		}
		if s.infer(known, group) && !fresh {
			s.changed = true
		}
		for _, c := range group {
			s.learn(known, c)
		}
	}
}

func (s *shapes) add(d, c *Def) {
	if d.inferred {
		d.Add(c)
		return
	}
	if s.extra[d] == nil {
		s.extra[d] = &Def{}
	}
	s.extra[d].Add(c)
}

// infer is all that is ever guessed. It says what the siblings of one name are,
// on top of what d knows of them already, and whether that changed anything:
//
//   - elements with children that repeat are a list; its key is the first leaf,
//     as RFC 7950 section 7.8.5 puts keys first, and with each pair of entries that
//     it does not tell apart the next leaf too;
//   - an element with children that stands alone is a list, too, when its first
//     child is a leaf with the name of a key (see [keyLike]), else a container
//     without presence;
//   - elements without children that repeat are a leaf-list, and one that stands
//     alone is a leaf.
func (s *shapes) infer(d *Def, group []*Node) (changed bool) {
	kind, keys := d.Kind, len(d.Keys)
	i := slices.IndexFunc(group, func(n *Node) bool { return len(n.Children) > 0 })
	switch repeats := len(group) > 1; {
	case i >= 0 && (repeats || kind == List || kind == LeafList):
		d.Kind = List
	case i >= 0 && keyLike(group[i]):
		if d.Kind = List; kind != List {
			s.guesses = append(s.guesses, fmt.Sprintf("no model describes %s: as its first leaf is %s it is taken for a list with that key",
				d.Name.Local, group[i].Children[0].Name.Local))
		}
	case i >= 0:
		d.Kind = Container
	case repeats && kind == Leaf:
		d.Kind = LeafList
	case repeats && kind == Container:
		d.Kind = List
	}
	if d.Kind == List {
		inferKeys(d, group)
	}
	return d.Kind != kind || len(d.Keys) != keys
}

// inferKeys takes as many leading leaves for keys as tell the entries apart.
func inferKeys(d *Def, group []*Node) {
	seen := make(map[string]*Node, len(group))
	for again := true; again; {
		again = false
		clear(seen)
		for _, n := range group {
			if len(n.Children) == 0 {
				continue
			}
			twin := n
			if len(d.Keys) > 0 {
				key := keyOf(d, n)
				if twin = seen[key]; twin == nil || len(n.Attrs)+len(twin.Attrs) > 0 {
					seen[key] = n // an edit may name an entry twice
					continue
				}
			}
			// YANG allows no two equal entries: where no leaf is left these are twins.
			if k := len(d.Keys); k < len(n.Children) && n.Children[k].isLeaf() && n.Children[k].Name.Space == d.Name.Space &&
				(k == 0 || slices.ContainsFunc(twin.Children, n.Children[k].sameName)) {
				d.Keys = append(slices.Clone(d.Keys), n.Children[k].Name.Local)
				again = true
				break
			}
		}
	}
}

func (n *Node) isLeaf() bool          { return len(n.Children) == 0 && n.Value != "" }
func (n *Node) sameName(m *Node) bool { return n.Name == m.Name }

// keyLike says whether the first child of an element looks like the key of a
// list: a leaf of one of the names that models give to keys, or the element's own
// name with -name or -id. OpenConfig's `config` and `state` repeat the key of the
// entry that they stand in, and are containers.
func keyLike(n *Node) bool {
	first := n.Children[0]
	if !first.isLeaf() || n.Name.Local == "config" || n.Name.Local == "state" {
		return false
	}
	switch first.Name.Local {
	case "name", "id", "key", "index", "address", "ip", "username", "user-name", "user",
		n.Name.Local + "-name", n.Name.Local + "-id", n.Name.Local + "name", n.Name.Local + "id":
		return true
	}
	return false
}

// KeyLike says whether an element that stands alone and has no schema is taken
// for the entry of a list, whose key is its first child.
func KeyLike(n *Node) bool { return len(n.Children) > 0 && keyLike(n) }
