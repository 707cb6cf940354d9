package tree

import (
	"cmp"
	"slices"
	"strings"
)

// Tree gives the merged wish of all owners. Where they disagree, what the first
// of them wants stands.
func (c *Claims) Tree() *Node { return c.root.tree(func(string) bool { return true }) }

// Without gives what all others want.
func (c *Claims) Without(owner string) *Node {
	return c.root.tree(func(o string) bool { return o != owner })
}

// tree gives what owners that are kept want below c; nil if that is nothing and c
// is not the root.
func (c *claim) tree(keep func(owner string) bool) *Node {
	n := &Node{Name: c.def.Name, Children: slices.Clone(c.keys)}
	mine := c.up == nil
	for _, h := range c.owners {
		switch {
		case !keep(h.owner):
		case h.node != nil:
			return h.node
		default:
			mine = true
		}
	}
	if c.up == nil {
		n.Name = Name{"", "config"}
	}
	for _, child := range c.inOrder() {
		if t := child.tree(keep); t != nil {
			n.Children = append(n.Children, t)
			mine = true
		}
	}
	if !mine {
		return nil
	}
	return n
}

// inOrder gives the children in the schema's order, the entries of a list by
// their keys or as their owners want them.
func (c *claim) inOrder() []*claim {
	all := c.children.sorted()
	if len(c.orders) == 0 {
		return all
	}
	for from := 0; from < len(all); {
		list, to := all[from].def, from+1
		for to < len(all) && all[to].def == list {
			to++
		}
		if list.UserOrdered {
			wanted := all[from:from]
			for _, id := range c.order(list) {
				if child := c.children.get(id); child != nil {
					wanted = append(wanted, child)
				}
			}
		}
		from = to
	}
	return all
}

// Owned is a node with those who own it.
type Owned struct {
	Path   string
	Value  string // of a leaf
	Owners []string
}

// Blame gives what is owned at a path and below it, sorted by path. A list without
// its keys means all its entries; "/" means everything.
func (c *Claims) Blame(path string) ([]Owned, error) {
	steps, err := ParsePath(path)
	if err != nil {
		return nil, err
	}
	var out []Owned
	for _, at := range c.match(steps) {
		at.blame(&out)
	}
	slices.SortFunc(out, func(a, b Owned) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

func (c *claim) blame(out *[]Owned) {
	if c.owned() {
		o := Owned{Path: c.path(), Owners: c.ownerNames()}
		if n := c.want(); n != nil {
			o.Value = n.Value
		}
		*out = append(*out, o)
	}
	for _, child := range c.children.list {
		child.blame(out)
	}
}

// Owners gives, sorted, those who own just what stands at a path; nil when nobody
// does, or it is no path.
func (c *Claims) Owners(path string) []string {
	steps, err := ParsePath(path)
	if err != nil {
		return nil
	}
	var out []string
	for _, at := range c.match(steps) {
		out = append(out, at.ownerNames()...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// match gives the claims that steps lead to.
func (c *Claims) match(steps []Step) []*claim {
	found := []*claim{c.root}
	for i, step := range steps {
		var next []*claim
		for _, at := range found {
			for _, child := range at.children.list {
				if child.matches(step) {
					next = append(next, child)
				}
			}
		}
		if next == nil && i == len(steps)-1 && len(step.Keys) == 0 {
			for _, at := range found { // a key is owned with its entry
				if slices.ContainsFunc(at.keys, func(k *Node) bool { return k.Name.Local == step.Name }) {
					next = append(next, at)
				}
			}
		}
		found = next
	}
	return found
}

func (c *claim) matches(step Step) bool {
	if c.def.Name.Local != step.Name || step.Module != "" && c.def.Module != "" && step.Module != c.def.Module {
		return false
	}
	for _, p := range step.Keys {
		if p.Key == "." {
			if c.def.Kind != LeafList || c.key != canonical(c.def, &Node{Value: p.Value}) {
				return false
			}
			continue
		}
		i := slices.IndexFunc(c.keys, func(k *Node) bool { return k.Name.Local == p.Key[strings.IndexByte(p.Key, ':')+1:] })
		if i < 0 {
			return false
		}
		kd := c.def.Child(c.keys[i].Name)
		if c.keys[i].Value != p.Value && canonical(kd, c.keys[i]) != canonical(kd, &Node{Value: p.Value}) {
			return false
		}
	}
	return true
}

// Drift is a node that is not on the device as its owners want it.
type Drift struct {
	Path    string
	Want    string // the value of a leaf; of a list whose order differs, its keys
	Have    string
	Missing bool // it is not there at all
	Owners  []string
}

// Check compares what is owned with what was observed, which has to hold all that
// [Claims.FilterAll] selects. Of an entry that is missing the entry alone is told.
// The result is sorted by path.
func (c *Claims) Check(observed *Node) []Drift {
	c.learn(c.schema, observed)
	c.settle()
	var out []Drift
	c.check(c.root, observed, &out)
	slices.SortFunc(out, func(a, b Drift) int { return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Want, b.Want)) })
	return out
}

func (c *Claims) check(at *claim, have *Node, out *[]Drift) {
	find := c.finder(at.def, have)
	var ordered []*Def
	for _, child := range at.inOrder() {
		n := find.find(child.def, child.ident())
		switch {
		case child.owned() && n == nil:
			d := Drift{Path: child.path(), Missing: true, Owners: child.ownerNames()}
			if w := child.want(); w != nil {
				d.Want = w.Value
			}
			*out = append(*out, d)
			continue
		case child.owned() && child.def.hasValue():
			if w := child.want(); !sameValue(child.def, w, n) {
				*out = append(*out, Drift{Path: child.path(), Want: w.Value, Have: n.Value, Owners: child.ownerNames()})
			}
		default:
			c.check(child, n, out)
		}
		if child.def.UserOrdered && !contains(ordered, child.def) {
			ordered = append(ordered, child.def)
		}
	}
	for _, list := range ordered {
		if d, ok := at.checkOrder(list, have); ok {
			*out = append(*out, d)
		}
	}
}

// checkOrder compares the order of the entries that are both wanted and there.
func (c *claim) checkOrder(list *Def, have *Node) (Drift, bool) {
	var there, want []ident
	for _, id := range sequence(list, have) {
		if c.child(id).owned() {
			there = append(there, id)
		}
	}
	for _, id := range c.order(list) {
		if slices.Contains(there, id) {
			want = append(want, id)
		}
	}
	if slices.Equal(want, there) {
		return Drift{}, false
	}
	d := Drift{Want: keysText(want), Have: keysText(there)}
	for _, o := range c.orders {
		if o.list == list {
			d.Owners = append(d.Owners, o.owner)
		}
	}
	slices.Sort(d.Owners)
	bare := *list
	bare.Kind = Container // a path without keys
	d.Path = string(appendStep(c.appendPath(nil), c.def, &bare, &Node{Name: list.Name}))
	return d, true
}

func keysText(ids []ident) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = strings.ReplaceAll(id.key, "\x00", " ")
	}
	return strings.Join(words, ", ")
}
