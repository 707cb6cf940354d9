package tree

import (
	"slices"
	"strings"
)

// claim is a node that is wanted, or one above such a node.
type claim struct {
	def    *Def
	key    string // of its identity
	up     *claim
	owners []holding // by name
	*content
}

// content is what a claim has unless it has a value. Most claims are those of
// leaves, and share one.
type content struct {
	keys     []*Node // of a list's entry
	children family[*claim]
	orders   []ordering // of the `ordered-by user` lists among the children
}

var noContent = &content{} // never changed

// holding is what one owner wants of a node. The node is nil for list entries and
// containers, of which all that is wanted is that they are there.
type holding struct {
	owner string
	node  *Node
}

// ordering is the order in which one owner wants the entries of one list.
type ordering struct {
	list  *Def
	owner string
	ids   []ident
}

func (c *claim) ident() ident { return ident{c.def.Name, c.key} }
func (c *claim) schema() *Def { return c.def }

func (c *claim) child(id ident) *claim {
	if c == nil {
		return nil
	}
	return c.children.get(id)
}

// owned says whether anybody owns the node itself.
func (c *claim) owned() bool { return c != nil && len(c.owners) > 0 }

// want gives the node that is wanted: where owners disagree, that of the first.
func (c *claim) want() *Node { return c.owners[0].node }

func (c *claim) holder(owner string) (int, bool) {
	return slices.BinarySearchFunc(c.owners, owner, func(h holding, owner string) int { return strings.Compare(h.owner, owner) })
}

func (c *claim) ownerNames() []string {
	if c == nil {
		return nil
	}
	out := make([]string, len(c.owners))
	for i, h := range c.owners {
		out[i] = h.owner
	}
	return out
}

// place gives the claim of a place, made if it is missing.
func (c *Claims) place(at *place) *claim {
	if at == nil {
		return c.root
	}
	up := c.place(at.up)
	return up.descend(at.def, at.id, at.node)
}

// lookup gives the claim of a place, or nil.
func (c *Claims) lookup(at *place) *claim {
	if at == nil {
		return c.root
	}
	return c.lookup(at.up).child(at.id)
}

// reorder notes the order that a touch brings.
func (c *Claims) reorder(t touch, owner string) {
	ids := sequence(t.def, t.new)
	if at := c.lookup(t.up); at != nil {
		at.setOrder(t.def, owner, ids)
	}
}

// descend gives the claim of a child, made if it is missing.
func (c *claim) descend(d *Def, id ident, n *Node) *claim {
	if found := c.children.get(id); found != nil {
		return found
	}
	made := &claim{def: d, key: id.key, up: c, content: noContent}
	if !d.hasValue() {
		made.content = &content{keys: keyNodes(d, n)}
	}
	c.children.add(made)
	return made
}

// hold makes owner own n, which is a child of up, and all that stands in it.
func (c *Claims) hold(up *claim, d *Def, n *Node, owner string) {
	at := up.descend(d, identOf(d, n), n)
	if d.owned() || n.Value != "" { // a value where the schema has none is a conflict if not a fault
		h := holding{owner: owner}
		if d.hasValue() || n.Value != "" {
			h.node = n
		}
		i, ok := at.holder(owner)
		if !ok {
			at.owners = slices.Insert(at.owners, i, h)
		}
		at.owners[i] = h
		if len(at.owners) > 1 && d.Kind != List || len(d.Case) > 0 {
			c.suspects = append(c.suspects, at)
		}
	}
	if d.hasValue() {
		return
	}
	for _, child := range n.Children {
		if !isKey(d, child.Name) {
			c.hold(at, c.child(d, child.Name), child, owner)
		}
	}
	c.setOrders(at, d, n, owner)
}

// release takes from owner what hold gave it, and forgets what nobody owns.
func (c *Claims) release(at *claim, d *Def, n *Node, owner string) {
	if at == nil {
		return
	}
	if i, ok := at.holder(owner); ok {
		at.owners = slices.Delete(at.owners, i, i+1)
	}
	if !d.hasValue() {
		for _, child := range n.Children {
			if cd := c.child(d, child.Name); !isKey(d, child.Name) {
				c.release(at.children.get(identOf(cd, child)), cd, child, owner)
			}
		}
		at.orders = slices.DeleteFunc(at.orders, func(o ordering) bool { return o.owner == owner })
	}
	at.prune()
}

// prune forgets a claim, and those above it, that nobody needs any more.
func (c *claim) prune() {
	for c.up != nil && len(c.owners) == 0 && len(c.children.list) == 0 {
		c.up.children.remove(c.ident())
		c = c.up
	}
}

// setOrders notes in which order owner has the entries of the `ordered-by user`
// lists in n.
func (c *Claims) setOrders(at *claim, d *Def, n *Node, owner string) {
	var lists []*Def
	for _, child := range n.Children {
		if cd := c.child(d, child.Name); cd.UserOrdered && !slices.Contains(lists, cd) {
			lists = append(lists, cd)
			at.setOrder(cd, owner, sequence(cd, n))
		}
	}
}

func (c *claim) setOrder(list *Def, owner string, ids []ident) {
	c.orders = slices.DeleteFunc(c.orders, func(o ordering) bool { return o.owner == owner && o.list == list })
	if len(ids) > 0 {
		c.orders = append(c.orders, ordering{list, owner, ids})
	}
}

// sequence gives the entries of a list among the children of n, in their order.
func sequence(list *Def, n *Node) []ident {
	if n == nil {
		return nil
	}
	var ids []ident
	for _, child := range n.Children {
		if child.Name == list.Name {
			ids = append(ids, identOf(list, child))
		}
	}
	return ids
}

// order gives the order in which the entries of a list are wanted: that of the
// first owner, with the entries of the next ones behind their neighbours.
func (c *claim) order(list *Def) []ident {
	var mine []ordering
	for _, o := range c.orders {
		if o.list == list {
			mine = append(mine, o)
		}
	}
	slices.SortFunc(mine, func(a, b ordering) int { return strings.Compare(a.owner, b.owner) })
	if len(mine) == 0 {
		return nil
	}
	out := mine[0].ids
	for _, o := range mine[1:] {
		out = slices.Clone(out)
		known := make(map[ident]bool, len(out))
		for _, id := range out {
			known[id] = true
		}
		at := 0 // behind the last entry of o that was known
		for _, id := range o.ids {
			if known[id] {
				at = slices.Index(out, id) + 1
				continue
			}
			out = slices.Insert(out, at, id)
			at++
		}
	}
	return out
}

// node gives a node with the identity of the claim, and what is wanted if that is
// a value.
func (c *claim) node() *Node {
	if c.owned() && c.want() != nil {
		return c.want()
	}
	return &Node{Name: c.def.Name, Value: c.key, Children: c.keys}
}

// path writes where a claim stands.
func (c *claim) path() string { return string(c.appendPath(nil)) }

func (c *claim) appendPath(dst []byte) []byte {
	if c.up == nil {
		return dst
	}
	return appendStep(c.up.appendPath(dst), c.up.def, c.def, c.node())
}
