package yang

import (
	"strings"

	"github.com/abide-agent/abide/netconf/tree"
)

// entries judges the entries of a list or leaf-list together: that they have
// their keys, and that nothing is there twice.
func (v *validator) entries(f *frame, def *Node, nodes []*tree.Node) {
	switch def.Kind {
	case LeafList:
		seen := map[string]bool{}
		for _, n := range nodes {
			value, err := v.read(def, n)
			if err != nil {
				continue // is told already
			}
			if seen[value] {
				v.fault(f, n, def.step(), "take one away", "%s is there twice", def.quote(n))
			}
			seen[value] = true
		}
	case List:
		seen := map[string]bool{}
		for _, n := range nodes {
			if key, ok := v.key(f, def, n); ok && len(def.Keys) > 0 {
				if seen[key] {
					v.fault(&frame{n, def, f}, n, "", "take one away, or merge the two", "the entry is there twice")
				}
				seen[key] = true
			}
		}
		for _, leafs := range def.Unique {
			v.unique(f, def, leafs, nodes)
		}
	}
}

// key gives the keys of an entry as one text, and whether it has them all.
func (v *validator) key(f *frame, def *Node, n *tree.Node) (string, bool) {
	var b strings.Builder
	ok := true
	for _, key := range def.Keys {
		name := tree.Name{Space: def.Name.Space, Local: key}
		leaf := n.Child(name)
		if leaf == nil {
			v.fault(&frame{n, def, f}, n, "", "add the element "+key, "the entry has no key %s", key)
			ok = false
			continue
		}
		value, err := v.read(def.Child(name), leaf)
		if err != nil {
			value = leaf.Value
		}
		b.WriteString(value)
		b.WriteByte(0)
	}
	return b.String(), ok
}

// unique holds the entries that have all of some leafs to different values of
// them. A default counts as a value.
func (v *validator) unique(f *frame, def *Node, leafs []*Node, nodes []*tree.Node) {
	seen := map[string]bool{}
	names := make([]string, len(leafs))
	for i, leaf := range leafs {
		names[i] = leaf.Name.Local
	}
entry:
	for _, n := range nodes {
		var b strings.Builder
		for _, leaf := range leafs {
			value, ok := v.below(n, def, leaf)
			if !ok {
				continue entry
			}
			b.WriteString(value)
			b.WriteByte(0)
		}
		if seen[b.String()] {
			v.broken(notUnique, &frame{n, def, f}, n, "", "change one of the two", "another entry has the same %s", strings.Join(names, " and "))
		}
		seen[b.String()] = true
	}
}

// below finds the value of a leaf somewhere below an entry.
func (v *validator) below(n *tree.Node, def, leaf *Node) (string, bool) {
	var way []*Node
	for p := leaf; p != nil && p != def; p = p.dataParent() {
		way = append(way, p)
	}
	for i := len(way) - 1; i >= 0 && n != nil; i-- {
		n = n.Child(way[i].Name)
	}
	if n == nil {
		if len(leaf.Default) == 1 {
			return leaf.Default[0], true
		}
		return "", false
	}
	value, err := v.read(leaf, n)
	return value, err == nil
}

// missing tells what must be among the children of a node and isn't. Path leads
// from the frame to that node where containers between aren't in the document.
func (v *validator) missing(f *frame, at *tree.Node, path string, def *Node, present map[*Node][]*tree.Node) {
	for _, c := range def.children {
		if c.ReadOnly || len(v.faults) == maxFaults {
			continue
		}
		count := len(present[c])
		switch c.Kind {
		case List, LeafList:
			if len(c.When) == 0 || count > 0 {
				v.few(f, at, path, c, count)
			}
			continue
		case Choice:
			v.missingCase(f, at, path, c, present)
			continue
		}
		if count > 0 || !c.demands || def.keyOrder(c) < len(def.Keys) {
			continue
		}
		if c.Kind == Container {
			v.missing(f, at, path+c.step(), c, nil)
		} else {
			v.broken(noData, f, at, path+c.step(), "add it", "the %s %s is missing", kindName(c.Kind), c.Name.Local)
		}
	}
}

// missingCase judges the case that was chosen, or that none was.
func (v *validator) missingCase(f *frame, at *tree.Node, path string, choice *Node, present map[*Node][]*tree.Node) {
	for _, one := range choice.children {
		if one.anyOf(present) {
			if len(one.When) == 0 {
				v.missing(f, at, path, one, present)
			}
			return
		}
	}
	if choice.Mandatory && choice.demands {
		v.broken(noChoice, f, at, path, "add the nodes of one case", "nothing of the choice %s is there", choice.Name.Local)
	}
}

// anyOf says whether something below a choice or case is in the document.
func (n *Node) anyOf(present map[*Node][]*tree.Node) bool {
	for _, c := range n.children {
		if len(present[c]) > 0 || (!c.holdsData() && c.anyOf(present)) {
			return true
		}
	}
	return false
}

// few judges how many entries a list or leaf-list has.
func (v *validator) few(f *frame, at *tree.Node, path string, def *Node, count int) {
	switch {
	case def.Kind != List && def.Kind != LeafList:
	case count < def.Min:
		v.broken(tooFew, f, at, path+def.step(), "add what is missing", "there are %d of at least %d", count, def.Min)
	case def.Max > 0 && count > def.Max:
		v.broken(tooMany, f, at, path+def.step(), "take some away", "there are %d of at most %d", count, def.Max)
	}
}
