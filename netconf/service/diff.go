package service

import (
	"fmt"
	"strings"

	"github.com/abide-agent/abide/netconf/tree"
)

// diff finds what an edit wants that was not read: what carries the instance's
// tag, and what else is new. What an edit merely sends back is no wish.
type diff struct {
	instance *Instance
	size     int64 // about how many bytes the wishes take
}

var (
	creatorName   = tree.Name{Space: libSpace, Local: "creator"}
	operationName = tree.Name{Space: tree.BaseSpace, Local: "operation"}
)

// wants gives the children of an edited node that the instance wants, with what
// they stand in. The read node is the same one as it was read, or nil.
func (d *diff) wants(edit, read *tree.Node, o tree.Operation) ([]*tree.Node, error) {
	var out []*tree.Node
	f, taken := newFinder(read), map[string]*tree.Node{}
	for _, c := range edit.Children {
		op := o
		if text, ok := c.Attr(operationName); ok {
			op = tree.Operation(text)
		}
		tag, tagged := c.Attr(creatorName)
		if tagged {
			if err := checkTag(d.instance, tag); err != nil {
				return nil, err
			}
		}
		var have *tree.Node
		if !tagged || op == tree.Delete || op == tree.Remove {
			have = f.find(c)
		}
		switch op {
		case tree.Merge, tree.Create, tree.Replace, tree.None:
		case tree.Delete, tree.Remove:
			if have != nil {
				return nil, fmt.Errorf("<%s> can't be removed: another owns it, and service code only adds", c.Name.Local)
			}
			continue
		default:
			return nil, fmt.Errorf("<%s> has the operation %q, which there is not", c.Name.Local, clip(string(op)))
		}
		switch {
		case tagged:
			n, err := d.take(c)
			if err != nil {
				return nil, err
			}
			// Code that adds a thing twice means it once.
			if twin := taken[id(n, 1)]; twin == nil || !tree.Equal(twin, n) {
				taken[id(n, 1)] = n
				out = append(out, n)
			}
		case have != nil && echoes(c, have):
		case len(c.Children) == 0:
			if op != tree.None {
				out = append(out, d.leaf(c))
			}
		default:
			below, err := d.wants(c, have, op)
			if err != nil {
				return nil, err
			}
			if len(below) > 0 {
				out = append(out, shell(c, f.keys(c, have), below))
			}
		}
	}
	return out, nil
}

// take gives all of a tagged node, without its attributes.
func (d *diff) take(n *tree.Node) (*tree.Node, error) {
	bare := *n
	bare.Attrs, bare.Children = nil, nil
	d.size += int64(len(n.Name.Local)+len(n.Value)) + 100
	for _, a := range n.Attrs {
		switch a.Name {
		case creatorName:
			if err := checkTag(d.instance, a.Value); err != nil {
				return nil, err
			}
		case operationName:
			if a.Value == string(tree.Delete) || a.Value == string(tree.Remove) {
				return nil, fmt.Errorf("<%s> is both created and removed", n.Name.Local)
			}
		}
	}
	if len(n.Attrs) > 0 && len(n.Children) > 0 {
		bare.Prefixes = nil // they were the attributes'
	}
	if len(n.Children) > 0 {
		bare.Children = make([]*tree.Node, len(n.Children))
	}
	for i, c := range n.Children {
		var err error
		if bare.Children[i], err = d.take(c); err != nil {
			return nil, err
		}
	}
	return &bare, nil
}

func (d *diff) leaf(n *tree.Node) *tree.Node {
	d.size += int64(len(n.Name.Local)+len(n.Value)) + 100
	bare := *n
	bare.Attrs = nil
	return &bare
}

// shell gives a node with just what is wanted of it. An entry that was there
// keeps the leaves that it is told from others by.
func shell(edit *tree.Node, keys int, below []*tree.Node) *tree.Node {
	n := *edit
	n.Attrs, n.Prefixes, n.Children = nil, nil, nil
	for _, k := range edit.Children[:keys] {
		if below[0].Name == k.Name {
			break // it is wanted itself, and so are those behind it
		}
		n.Children = append(n.Children, &tree.Node{Name: k.Name, Value: k.Value, Prefixes: k.Prefixes})
	}
	n.Children = append(n.Children, below...)
	return &n
}

// echoes says whether an edit says nothing else than what was read.
func echoes(edit, read *tree.Node) bool {
	if edit.Name != read.Name || len(edit.Children) != len(read.Children) || len(edit.Attrs) > 0 || !sameText(edit.Value, read.Value) {
		return false
	}
	for i := range edit.Children {
		if !echoes(edit.Children[i], read.Children[i]) {
			return false
		}
	}
	return true
}

// sameText compares what was read with what comes back of it: clients lose line
// ends, and texts of white space.
func sameText(a, b string) bool { return a == b || unlined(a) == unlined(b) }

func unlined(s string) string {
	if strings.IndexByte(s, '\n') >= 0 || strings.IndexByte(s, '\r') >= 0 {
		s = lineEnds.Replace(s)
	}
	if strings.TrimLeft(s, " \t") == "" {
		return ""
	}
	return s
}

var lineEnds = strings.NewReplacer("\n", "", "\r", "")

// maxKeys is how many leading leaves of an entry may be its keys.
const maxKeys = 3

// finder finds the children of what was read that children of an edit are. The
// keys of a list's entry stand first (RFC 7950 section 7.8.5); how many leaves
// they are is not known.
type finder struct {
	nodes []*tree.Node
	next  int                           // where the next hit is likely
	index [maxKeys + 1]map[string][]int // places by name and that many leading leaves
}

func newFinder(read *tree.Node) *finder {
	f := &finder{}
	if read != nil {
		f.nodes = read.Children
	}
	return f
}

// find gives the node that n is, or nil: the first of those that agree with it
// in the most leading leaves, at least one if it begins with one. One that
// begins with another leaf, and stands alone, is no entry of a list. A leaf is
// the one of the same value, else the first of its name.
func (f *finder) find(n *tree.Node) *tree.Node {
	if f.next < len(f.nodes) && same(n, f.nodes[f.next]) {
		f.next++
		return f.nodes[f.next-1]
	}
	at := -1
	for k := maxKeys; k >= 0 && at < 0; k-- {
		places := f.places(n, k)
		switch {
		case len(places) == 0:
		case k > 0 || leading(n) == 0:
			at = places[0]
		case len(places) == 1:
			if c := f.nodes[places[0]]; leading(c) == 0 || c.Children[0].Name != n.Children[0].Name {
				at = places[0]
			}
		}
	}
	if at < 0 {
		return nil
	}
	f.next = at + 1
	return f.nodes[at]
}

// keys gives how many leading leaves of n it takes to tell it from what else was
// read, when it is what was read as have.
func (f *finder) keys(n, have *tree.Node) int {
	if have == nil || len(have.Children) == 0 || have.Children[0].Name != n.Children[0].Name {
		return 0
	}
	most := min(maxKeys, leading(n))
	for k := min(1, most); k < most; k++ {
		if len(f.places(n, k)) < 2 {
			return k
		}
	}
	return most
}

// places gives the nodes with the name of n and the same first k leaves.
func (f *finder) places(n *tree.Node, k int) []int {
	if f.index[k] == nil {
		f.index[k] = make(map[string][]int, len(f.nodes))
		for i, c := range f.nodes {
			s := id(c, k)
			f.index[k][s] = append(f.index[k][s], i)
		}
	}
	return f.index[k][id(n, k)]
}

// id is the name of a node and its first k leaves; of a leaf its value is one.
func id(n *tree.Node, k int) string {
	s := n.Name.Space + " " + n.Name.Local
	if len(n.Children) == 0 && k > 0 {
		return s + "\x00" + unlined(n.Value)
	}
	for _, c := range n.Children[:min(k, leading(n))] {
		s += "\x00" + c.Name.Local + "\x00" + unlined(c.Value)
	}
	return s
}

// leading counts the leaves that a node begins with.
func leading(n *tree.Node) int {
	for i, c := range n.Children {
		if len(c.Children) > 0 {
			return i
		}
	}
	return len(n.Children)
}

// same says whether two siblings agree in name, value and all leading leaves, so
// that edits in the order of what was read need no index.
func same(a, b *tree.Node) bool {
	if a.Name != b.Name || !sameText(a.Value, b.Value) || len(a.Children) > 0 != (len(b.Children) > 0) {
		return false
	}
	for i := 0; i < len(a.Children) && i < len(b.Children); i++ {
		x, y := a.Children[i], b.Children[i]
		if len(x.Children) > 0 || len(y.Children) > 0 {
			break
		}
		if x.Name != y.Name || !sameText(x.Value, y.Value) {
			return false
		}
	}
	return true
}
