package sim

import (
	"strings"

	"github.com/abide-agent/abide/netconf/tree"
)

// edit is a change of running, as a notification tells it.
type edit struct {
	target   string // an instance-identifier
	prefixes map[string]string
	op       string // create, delete or replace
}

// changes compares two configurations: what came or went is told with its highest
// node, values with their leafs. Of too many changes the last is one of the top.
func (m *Models) changes(before, after *tree.Node) []edit {
	c := comparison{models: m}
	c.children(m.root, before, after, "")
	if len(c.edits) > maxTold {
		c.edits = append(c.edits[:maxTold-1], edit{target: "/", op: "merge"})
	}
	return c.edits
}

type comparison struct {
	models *Models
	edits  []edit
}

func (c *comparison) tell(path, op string) {
	target, prefixes := c.models.instance(path)
	c.edits = append(c.edits, edit{target, prefixes, op})
}

func (c *comparison) children(def *tree.Def, before, after *tree.Node, path string) {
	if before == after || len(c.edits) > maxTold {
		return
	}
	old := make(map[string]*tree.Node, len(before.Children))
	order := make([]string, 0, len(before.Children))
	for _, n := range before.Children {
		id := identity(def, n)
		old[id] = n
		order = append(order, id)
	}
	for _, n := range after.Children {
		id := identity(def, n)
		o := old[id]
		delete(old, id)
		if o == n {
			continue
		}
		d := child(def, n.Name)
		if d == nil {
			continue
		}
		at := path + step(def.Module, d, n)
		switch {
		case o == nil:
			c.tell(at, "create")
		case d.Kind == tree.Container || d.Kind == tree.List:
			c.children(d, o, n, at)
		case !tree.Equal(o, n):
			c.tell(at, "replace")
		}
	}
	for _, id := range order {
		n := old[id]
		if n == nil {
			continue
		}
		if d := child(def, n.Name); d != nil {
			c.tell(path+step(def.Module, d, n), "delete")
		}
	}
}

// identity is what tells a node from its siblings.
func identity(def *tree.Def, n *tree.Node) string {
	var b strings.Builder
	b.WriteString(n.Name.Space + "\x00" + n.Name.Local)
	d := child(def, n.Name)
	if d == nil {
		return b.String()
	}
	canonical := func(d *tree.Def, n *tree.Node) string {
		if d == nil || d.Canonical == nil {
			return n.Value
		}
		return d.Canonical(n.Value, n.Prefixes)
	}
	switch d.Kind {
	case tree.List:
		for _, k := range d.Keys {
			name := tree.Name{Space: d.Name.Space, Local: k}
			if leaf := n.Child(name); leaf != nil {
				b.WriteString("\x00" + canonical(d.Child(name), leaf))
			}
		}
		if len(d.Keys) == 0 {
			b.Write(n.AppendXML(nil))
		}
	case tree.LeafList:
		b.WriteString("\x00" + canonical(d, n))
	}
	return b.String()
}
