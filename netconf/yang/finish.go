package yang

import (
	"fmt"
	"slices"
	"strings"

	"github.com/abide-agent/abide/netconf/tree"
)

// finish completes a schema whose nodes are all in place.
func (c *compiler) finish(s *Schema) {
	f := &finisher{compiler: c, schema: s}
	f.settle(s.root, false)
	f.refer(s.root)
	f.untie()
	s.def = &tree.Def{Name: s.root.Name, Kind: tree.Container}
	f.define(s.def, s.root, nil)
	if f.musts+f.whens > 0 {
		c.warn(Warning{
			Message: fmt.Sprintf("%d must and %d when conditions of the modules are not evaluated", f.musts, f.whens),
			Hint:    "the device judges them itself when it is given the configuration",
		})
	}
}

type finisher struct {
	*compiler
	schema       *Schema
	musts, whens int
	refs         []*Node // leafs whose type refers to others
}

// settle gives the nodes what they inherit, and finds children by name.
func (f *finisher) settle(n *Node, state bool) {
	n.ReadOnly = state || n.config == readOnly
	f.musts += len(n.Must)
	f.whens += len(n.When)
	if n.Type != nil && n.Default == nil && n.Type.HasDefault && !n.Mandatory && n.Min == 0 {
		n.Default = []string{n.Type.Default}
	}
	n.prune()
	for _, child := range n.children {
		f.settle(child, n.ReadOnly)
	}
	if n.Kind != Choice && n.Kind != Case && len(n.children) > 0 {
		n.index = make(map[tree.Name]*Node, len(n.children))
		f.fill(n, n)
	}
	n.Keys = slices.DeleteFunc(n.Keys, func(key string) bool {
		return n.index[tree.Name{Space: n.Name.Space, Local: key}] == nil // a deviation took it away
	})
	for _, u := range n.uniques {
		f.unique(n, u)
	}
	n.demands = !n.ReadOnly && len(n.When) == 0 && n.demanding()
}

// demanding says whether something must be there where the parent is: the node
// itself or, of a container that is there by itself, something below it.
func (n *Node) demanding() bool {
	switch n.Kind {
	case Leaf, Any:
		return n.Mandatory
	case List, LeafList:
		return n.Min > 0
	case Choice:
		return n.Mandatory
	case Container:
		return !n.Presence && slices.ContainsFunc(n.children, func(c *Node) bool { return c.demands })
	}
	return false
}

// fill takes the nodes that hold data into an index, through choices and cases.
// The second of two equal names goes.
func (f *finisher) fill(n, from *Node) {
	for _, child := range from.children {
		switch {
		case child.Kind == Choice || child.Kind == Case:
			f.fill(n, child)
		case n.index[child.Name] != nil:
			f.warnAt(child.at, "the second is left out; rename one", "%s stands twice in %s", child.Name.Local, n.Name.Local)
			child.gone = true
		default:
			n.index[child.Name] = child
		}
	}
	from.prune()
}

// unique follows the paths of a unique statement.
func (f *finisher) unique(n *Node, u uniqueText) {
	var leafs []*Node
	for _, text := range strings.Fields(u.at.Argument) {
		names, err := parseNames(u.at, text, u.scope, u.mod)
		leaf := n
		if err == nil {
			for _, name := range names {
				leaf = leaf.Child(name)
			}
		}
		if err != nil || leaf == nil || leaf.Kind != Leaf {
			f.warnAt(u.at, "entries are not held to it; correct the path", "%s is no leaf of the list %s", clip(text), n.Name.Local)
			return
		}
		leafs = append(leafs, leaf)
	}
	n.Unique = append(n.Unique, leafs)
}

// refer finds what leafrefs refer to.
func (f *finisher) refer(n *Node) {
	if n.Type != nil && n.Type.refers() {
		f.refs = append(f.refs, n)
		n.Type = n.Type.withTargets(func(p *path) *Node {
			target := f.schema.root
			if !p.root {
				target = n
				for range p.up {
					if target = target.dataParent(); target == nil {
						break
					}
				}
			}
			for _, st := range p.steps {
				target = target.Child(in(n.Name.Space, st.name))
			}
			if target == nil || target.Type == nil {
				f.warnAt(n.at, "its values are not held to it; correct the path", "the leafref %s of %s leads to no leaf", clip(p.text), n.Name.Local)
				return nil
			}
			return target
		})
	}
	for _, child := range n.children {
		f.refer(child)
	}
}

// untie breaks circles of leafrefs that refer to each other.
func (f *finisher) untie() {
	state := map[*Node]int{}
	var visit func(n *Node)
	visit = func(n *Node) {
		state[n] = underWay
		for _, t := range n.Type.references() {
			switch state[t.target] {
			case underWay:
				f.warnAt(n.at, "its values are not held to it; break the circle", "the leafref %s refers to itself", n.Name.Local)
				t.target = nil
			case 0:
				visit(t.target)
			}
		}
		state[n] = done
	}
	for _, n := range f.refs {
		if state[n] == 0 {
			visit(n)
		}
	}
}

// references gives the leafrefs among a type that have a target.
func (t *Type) references() []*Type {
	var out []*Type
	for _, m := range append([]*Type{t}, t.Union...) {
		if m.target != nil {
			out = append(out, m)
		}
	}
	return out
}

// define builds the definitions that trees are handled by. From here on the
// statements aren't needed any more.
func (f *finisher) define(def *tree.Def, n *Node, cases []tree.CaseOf) {
	n.at, n.uniques, n.byName = nil, nil, nil
	for _, child := range n.children {
		switch child.Kind {
		case Choice:
			child.at = nil
			for _, one := range child.children {
				choice := child.Name.Local
				if child.Module != def.Module {
					choice = child.Module + ":" + choice
				}
				f.define(def, one, append(slices.Clip(cases), tree.CaseOf{Choice: choice, Case: one.Name.Local}))
			}
		case Container, List, Leaf, LeafList, Any:
			d := &tree.Def{
				Name: child.Name, Module: child.Module, Kind: tree.Kind(child.Kind), Keys: child.Keys,
				UserOrdered: child.UserOrdered, Presence: child.Presence, ReadOnly: child.ReadOnly, Case: cases,
			}
			if child.Type.canonicalizes() {
				d.Canonical = f.schema.canonical(child)
			}
			def.Add(d)
			f.define(d, child, nil)
		default:
			f.define(&tree.Def{}, child, nil) // operations and notifications
		}
	}
}
