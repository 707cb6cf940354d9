package tree

import "strings"

// Delta is a change of what one owner wants of the device: Old is its output
// before, New its output now; nil for nothing. Outputs are configurations, whose
// top-level elements stand in a root of any name. An element that stands in one
// twice counts as written once.
type Delta struct {
	Owner    string
	Old, New *Node
}

// Claims is the merged wish of all owners of one device: who owns which node, and
// with which value. An owner owns every leaf, entry of a leaf-list or list, and
// container with presence that its output holds; containers without presence are
// owned by nobody. A Claims is not safe for concurrent use.
type Claims struct {
	*shapes
	root     *claim
	suspects []*claim          // where the deltas of an Apply may have made a conflict
	last     map[Delta][]touch // what the last Apply found out about its deltas
}

// NewClaims gives the empty wish of a device with that schema; without one, or
// for what it does not define, see [Claims.Warnings].
func NewClaims(schema *Def) *Claims {
	c := &Claims{shapes: newShapes(schema)}
	c.root = &claim{def: c.schema, content: &content{}}
	return c
}

// Warnings tells what was guessed for lack of a schema.
func (c *Claims) Warnings() []string { return c.guesses }

// Conflict is a node that two owners want differently. Where the owners are equal
// one output contradicts itself.
type Conflict struct {
	Path   string
	Owners [2]string
	Values [2]string
}

// Apply replaces outputs, and gives the conflicts that are now where it changed
// something. Applying the deltas with Old and New swapped undoes it. Comparing
// costs time in the size of the outputs, changing in the size of the difference.
func (c *Claims) Apply(deltas ...Delta) []Conflict {
	for _, d := range deltas {
		c.learn(c.schema, d.Old)
		c.learn(c.schema, d.New)
	}
	c.settle()
	c.last, c.suspects = make(map[Delta][]touch, len(deltas)), nil
	var conflicts []Conflict
	for _, d := range deltas {
		touches, twins := c.diff(d)
		conflicts = append(conflicts, twins...)
		c.last[d] = touches
		for _, t := range touches {
			if t.old != nil && !t.order && (t.new == nil || !t.def.hasValue()) {
				c.release(c.lookup(t.up).child(t.id), t.def, t.old, d.Owner)
			}
		}
		for _, t := range touches {
			switch {
			case t.order:
				c.reorder(t, d.Owner)
			case t.new != nil && d.Old != nil:
				c.hold(c.place(t.up), t.def, t.new.detach(), d.Owner)
			case t.new != nil:
				c.hold(c.place(t.up), t.def, t.new, d.Owner)
			}
		}
	}
	for _, at := range c.suspects {
		conflicts = append(conflicts, at.conflicts()...)
	}
	c.suspects = nil
	return compact(conflicts)
}

// detach gives a copy that shares no memory with the document that n is of, so
// that a small change does not keep all of it.
func (n *Node) detach() *Node {
	c := *n
	c.Value = strings.Clone(n.Value)
	c.Children = nil
	for _, child := range n.Children {
		c.Children = append(c.Children, child.detach())
	}
	return &c
}

// conflicts gives what owners of one node, or of nodes in several cases of one
// choice, disagree about.
func (c *claim) conflicts() (out []Conflict) {
	if len(c.owners) == 0 {
		return nil
	}
	first := c.owners[0]
	for _, h := range c.owners[1:] {
		switch {
		case h.node == nil && first.node == nil:
			continue
		case h.node != nil && first.node != nil && sameValue(c.def, h.node, first.node):
			continue
		}
		out = append(out, Conflict{c.path(), [2]string{first.owner, h.owner}, [2]string{first.text(), h.text()}})
	}
	if len(c.def.Case) == 0 {
		return out
	}
	for _, other := range c.up.children.sorted() {
		if other.owned() && excludes(c.def, other.def) {
			pair := [2]*claim{c, other}
			if compareDefs(other.def, c.def) < 0 {
				pair = [2]*claim{other, c}
			}
			out = append(out, Conflict{
				pair[0].path(),
				[2]string{pair[0].owners[0].owner, pair[1].owners[0].owner},
				[2]string{pair[0].def.Name.Local, pair[1].def.Name.Local},
			})
		}
	}
	return out
}

// text gives what an owner wants of a node, for people.
func (h holding) text() string {
	switch {
	case h.node == nil:
		return "(a container)"
	case len(h.node.Children) > 0:
		return string(h.node.AppendXML(nil))
	}
	return h.node.Value
}

func compact(all []Conflict) (out []Conflict) {
	seen := map[Conflict]bool{}
	for _, c := range all {
		if !seen[c] {
			seen[c] = true
			out = append(out, c)
		}
	}
	return out
}

// settle makes all claims anew when something that they were made of has proved
// to be of another kind.
func (c *Claims) settle() {
	if !c.changed {
		return
	}
	c.changed, c.last = false, nil
	owners := map[string]bool{}
	c.root.eachOwner(func(owner string) { owners[owner] = true })
	old := c.root
	c.root = &claim{def: c.schema, content: &content{}}
	for owner := range owners {
		tree := old.tree(func(o string) bool { return o == owner })
		for _, n := range tree.Children {
			c.hold(c.root, c.child(c.schema, n.Name), n, owner)
		}
		c.setOrders(c.root, c.schema, tree, owner)
	}
}

func (c *claim) eachOwner(f func(owner string)) {
	for _, h := range c.owners {
		f(h.owner)
	}
	for _, child := range c.children.list {
		child.eachOwner(f)
	}
}
