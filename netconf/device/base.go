package device

import (
	"slices"
	"strings"

	"github.com/abide-agent/abide/netconf/tree"
)

// parseBase gives everything that may have been on the device before any owner.
func parseBase(r Record) (*tree.Node, error) {
	if !r.Settled() {
		return parseText(r.NextBase) // which has all that was known before, too
	}
	return parseText(r.Base)
}

func parseText(s string) (*tree.Node, error) {
	if s == "" {
		return nil, nil
	}
	return tree.Parse(strings.NewReader(s), tree.Limits{})
}

func baseText(n *tree.Node) string {
	if n == nil || len(n.Children) == 0 {
		return ""
	}
	return string(n.AppendXML(nil))
}

// union gives a with what b has besides; either may be nil. Of a leaf that both have a's value
// counts; an entry is the owners' own only where both say so.
func union(a, b *tree.Node, d *tree.Def) *tree.Node {
	switch {
	case a == nil || a == b:
		return b
	case b == nil:
		return a
	}
	out := *a
	if _, mine := b.Attr(tree.Ours); !mine {
		out.Attrs = nil
	}
	out.Children = slices.Clone(a.Children)
	for _, c := range b.Children {
		cd := d.Child(c.Name)
		many := repeats(a, c.Name) || repeats(b, c.Name)
		i := slices.IndexFunc(out.Children, func(o *tree.Node) bool { return sameNode(o, c, cd, many) })
		switch {
		case i < 0:
			out.Children = append(out.Children, c)
		case len(c.Children) > 0:
			out.Children[i] = union(out.Children[i], c, cd)
		}
	}
	return &out
}

func repeats(n *tree.Node, name tree.Name) bool {
	count := 0
	for _, c := range n.Children {
		if c.Name == name {
			count++
		}
	}
	return count > 1
}

// sameNode says whether two siblings are one and the same node. Without a
// schema the kind of node is inferred as in trees: many says whether it repeats.
func sameNode(a, b *tree.Node, d *tree.Def, many bool) bool {
	if a.Name != b.Name {
		return false
	}
	kind := tree.Container
	var keys []tree.Name
	switch {
	case d != nil:
		kind = d.Kind
		for _, key := range d.Keys {
			keys = append(keys, tree.Name{Space: d.Name.Space, Local: key})
		}
	case len(a.Children) > 0 && len(b.Children) > 0 && (many || tree.KeyLike(a) && tree.KeyLike(b)):
		kind, keys = tree.List, []tree.Name{a.Children[0].Name}
	case many:
		kind = tree.LeafList
	}
	switch kind {
	case tree.LeafList:
		return a.Value == b.Value
	case tree.List:
		return !slices.ContainsFunc(keys, func(key tree.Name) bool {
			ka, kb := a.Child(key), b.Child(key)
			return ka == nil || kb == nil || ka.Value != kb.Value
		})
	}
	return true
}
