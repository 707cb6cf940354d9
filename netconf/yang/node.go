package yang

import (
	"slices"

	"github.com/abide-agent/abide/netconf/tree"
)

// Kind is the kind of a schema node.
type Kind int

// The kinds of schema nodes. From Choice on they hold no data of a datastore.
const (
	Container Kind = iota
	List
	Leaf
	LeafList
	Any
	Choice
	Case
	Operation    // rpc or action, with Input and Output below it
	Input        // what an operation is given
	Output       // what it answers
	Notification // what a device tells on its own
)

// Node is a node of a schema. It is read only.
type Node struct {
	Name   tree.Name
	Module string // the name of the module whose namespace it has
	Kind   Kind
	Type   *Type // of leafs and leaf-lists

	Default     []string // the values that count where none is given
	Keys        []string // of lists: local names, in order
	Unique      [][]*Node
	Min, Max    int // of lists and leaf-lists; Max 0 is unbounded
	Mandatory   bool
	Presence    bool
	UserOrdered bool
	ReadOnly    bool
	Units       string
	Must, When  []string // as they are written: XPath that nobody evaluates

	parent   *Node
	children []*Node             // choices and cases too
	byName   map[tree.Name]*Node // of the children, while a schema is built
	index    map[tree.Name]*Node // nodes that hold data, through choices and cases
	gone     bool                // was taken out while the schema was built
	config   setting
	at       *stmt
	uniques  []uniqueText
	demands  bool // something below it must be there, if it is not there itself
}

// uniqueText is a unique statement before its paths are followed.
type uniqueText struct {
	at    *stmt
	scope *scope
	mod   *module
}

// setting is a config statement: not there, true or false.
type setting int8

const (
	inherits setting = iota
	readWrite
	readOnly
)

// Child gives the node of a child that holds data, through choices and cases,
// or nil.
func (n *Node) Child(name tree.Name) *Node {
	if n == nil {
		return nil
	}
	return n.index[name]
}

// Children gives all children in the order of the module, choices and cases
// among them.
func (n *Node) Children() []*Node { return n.children }

// Parent gives the node above, which may be a choice or a case; nil at the top.
func (n *Node) Parent() *Node { return n.parent }

// holdsData says whether instances of the node stand in a datastore.
func (n *Node) holdsData() bool { return n.Kind <= Any }

// dataParent gives the closest node above that holds data, or the root.
func (n *Node) dataParent() *Node {
	p := n.parent
	for p != nil && (p.Kind == Choice || p.Kind == Case) {
		p = p.parent
	}
	return p
}

// schemaChild gives a child by its name in the schema, choices and cases too.
func (n *Node) schemaChild(name tree.Name) *Node {
	if c := n.byName[name]; c != nil && !c.gone {
		return c
	}
	return nil
}

// attach adds nodes to a node of a schema that is being built. A node that
// stands right below a choice gets the case that it is short for.
func (n *Node) attach(nodes []*Node) {
	for _, c := range nodes {
		if n.Kind == Choice && c.Kind != Case {
			short := &Node{Name: c.Name, Module: c.Module, Kind: Case, at: c.at}
			short.attach([]*Node{c})
			c = short
		}
		c.parent = n
		n.children = append(n.children, c)
		if n.byName == nil {
			n.byName = make(map[tree.Name]*Node, len(nodes))
		}
		if n.byName[c.Name] == nil {
			n.byName[c.Name] = c
		}
	}
}

// prune drops the children that were taken out.
func (n *Node) prune() {
	n.children = slices.DeleteFunc(n.children, func(c *Node) bool { return c.gone })
}
