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
		i := slices.IndexFunc(out.Children, func(o *tree.Node) bool { return sameNode(o, c, cd) })
		switch {
		case i < 0:
			out.Children = append(out.Children, c)
		case len(c.Children) > 0:
			out.Children[i] = union(out.Children[i], c, cd)
		}
	}
	return &out
}

// sameNode says whether two siblings are one and the same node: of a list by
// its keys, which come first where no schema names them, of a leaf-list by value.
// A leaf that may be one of a leaf-list is taken for that.
func sameNode(a, b *tree.Node, d *tree.Def) bool {
	if a.Name != b.Name {
		return false
	}
	if d == nil {
		if len(a.Children) == 0 || len(b.Children) == 0 || len(a.Children[0].Children) > 0 {
			return a.Value == b.Value
		}
		return a.Children[0].Name != b.Children[0].Name || a.Children[0].Value == b.Children[0].Value
	}
	switch d.Kind {
	case tree.LeafList:
		return a.Value == b.Value
	case tree.List:
		return !slices.ContainsFunc(d.Keys, func(key string) bool {
			n := tree.Name{Space: d.Name.Space, Local: key}
			ka, kb := a.Child(n), b.Child(n)
			return ka == nil || kb == nil || ka.Value != kb.Value
		})
	}
	return true
}
