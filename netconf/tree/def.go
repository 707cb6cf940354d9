package tree

import "cmp"

// Kind is the kind of a schema node.
type Kind int

// The kinds of nodes that hold data. Choices and cases are no nodes of a tree.
const (
	Container Kind = iota
	List
	Leaf
	LeafList
	Any // anydata and anyxml: one value, compared as a whole
)

// String gives the YANG keyword.
func (k Kind) String() string {
	return [...]string{"container", "list", "leaf", "leaf-list", "anydata"}[k]
}

// Def is what a schema says about a node. What a nil Def, or one without the
// wanted child, leaves open is inferred from the data. Once built it is only
// read, by any number of goroutines.
type Def struct {
	Name   Name
	Module string // the name of the module that defines the node, for paths
	Kind   Kind
	// Keys are the local names of a list's keys, in the schema's order; their
	// namespace is the list's own. A list without keys has none.
	Keys        []string
	UserOrdered bool // `ordered-by user`, of lists and leaf-lists
	Presence    bool // of containers: that it is there means something
	ReadOnly    bool // `config false`
	// Case names the choice and the case that a node stands in, outermost first:
	// setting a node of one case removes those of the others (RFC 7950 section
	// 7.9). Empty for nodes outside choices.
	Case []CaseOf
	// Canonical gives the canonical form of a leaf's value; nil: as it is. The
	// prefixes are the bindings that the value needs.
	Canonical func(value string, prefixes map[string]string) string

	inferred bool // made up from data, see shapes
	place    int  // among its siblings
	children []*Def
	byName   map[Name]*Def
}

// CaseOf is the place of a node in one choice.
type CaseOf struct{ Choice, Case string }

// Child gives the definition of a child, or nil where the schema has none.
func (d *Def) Child(n Name) *Def {
	if d == nil {
		return nil
	}
	return d.byName[n]
}

// Children gives the definitions of all children in the schema's order, to be
// read only.
func (d *Def) Children() []*Def {
	if d == nil {
		return nil
	}
	return d.children
}

// Add adds the definition of a child, in place of one of the same name.
func (d *Def) Add(c *Def) {
	if d.byName == nil {
		d.byName = map[Name]*Def{}
	}
	if old := d.byName[c.Name]; old != nil {
		for i := range d.children {
			if d.children[i] == old {
				d.children[i], c.place = c, i
			}
		}
	} else {
		c.place = len(d.children)
		d.children = append(d.children, c)
	}
	d.byName[c.Name] = c
}

// owned says whether a node is something that an owner can own. A container
// without presence is none: it is there whenever something in it is.
func (d *Def) owned() bool { return d.Kind != Container || d.Presence }

// hasValue says whether a node is compared by its value, rather than by what
// stands in it.
func (d *Def) hasValue() bool { return d.Kind == Leaf || d.Kind == LeafList || d.Kind == Any }

// compareDefs puts siblings in the order of the schema, and those that it does
// not define behind them, as they were first seen.
func compareDefs(a, b *Def) int {
	switch {
	case a.inferred == b.inferred:
		return cmp.Compare(a.place, b.place)
	case a.inferred:
		return 1
	}
	return -1
}
