package sim

import (
	"strings"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// payload refuses what can't be part of an edit, whatever the datastore holds: what
// no model has, state, entries without their keys (RFC 7950 section 8.3.1).
func (m *Models) payload(edit *tree.Node) netconf.RPCErrors {
	j := judge{models: m}
	j.children(m.root, edit, nil)
	return j.errors
}

type judge struct {
	models *Models
	errors netconf.RPCErrors
}

// trail is the way to a node that is judged.
type trail struct {
	up   *trail
	def  *tree.Def
	node *tree.Node
}

func (j *judge) refuse(at *trail, e *netconf.RPCError) {
	e.Type, e.Path = "application", at.path()
	j.errors = append(j.errors, e)
}

func (j *judge) children(def *tree.Def, n *tree.Node, at *trail) {
	for _, c := range n.Children {
		if len(j.errors) >= maxTold {
			return
		}
		d := def.Child(c.Name)
		switch {
		case d == nil && !j.models.knows(c.Name.Space):
			j.refuse(at, element("unknown-namespace", c.Name, "no model has the namespace of %s", c.Name.Local))
			continue
		case d == nil:
			j.refuse(at, element("unknown-element", c.Name, "no model has %s here", c.Name.Local))
			continue
		case d.ReadOnly:
			j.refuse(at, element("unknown-element", c.Name, "%s is state, which only the device sets", c.Name.Local))
			continue
		}
		below := &trail{at, d, c}
		switch d.Kind {
		case tree.Any:
			continue
		case tree.List:
			for _, key := range d.Keys {
				if c.Child(tree.Name{Space: d.Name.Space, Local: key}) == nil {
					j.refuse(below, element("missing-element", tree.Name{Local: key}, "the entry has no key %s", key))
				}
			}
		}
		leafs := d.Kind == tree.Leaf || d.Kind == tree.LeafList
		switch {
		case leafs && len(c.Children) > 0:
			j.refuse(below, element("unknown-element", c.Children[0].Name, "a %s holds no elements", d.Kind))
		case !leafs && c.Value != "":
			j.refuse(below, &netconf.RPCError{Tag: "invalid-value", Message: "a " + d.Kind.String() + " holds no text"})
		case !leafs:
			j.children(d, c, below)
		}
	}
}

// knows says whether a model has the namespace.
func (m *Models) knows(space string) bool {
	for _, info := range m.schema.Modules() {
		if info.Namespace == space {
			return true
		}
	}
	return false
}

// path writes the way as messages for people have it.
func (t *trail) path() string {
	var ways []*trail
	for ; t != nil; t = t.up {
		ways = append(ways, t)
	}
	var b strings.Builder
	module := ""
	for i := len(ways) - 1; i >= 0; i-- {
		b.WriteString(step(module, ways[i].def, ways[i].node))
		module = ways[i].def.Module
	}
	return b.String()
}

// step writes one node of a path, below one of that module.
func step(module string, d *tree.Def, n *tree.Node) string {
	var b strings.Builder
	b.WriteByte('/')
	if d.Module != module {
		b.WriteString(d.Module + ":")
	}
	b.WriteString(d.Name.Local)
	predicate := func(key, value string) {
		quote := "'"
		if strings.Contains(value, quote) {
			quote = `"`
		}
		value = strings.ReplaceAll(value, quote, quote+quote)
		b.WriteString("[" + key + "=" + quote + value + quote + "]")
	}
	switch d.Kind {
	case tree.List:
		for _, key := range d.Keys {
			if k := n.Child(tree.Name{Space: d.Name.Space, Local: key}); k != nil {
				predicate(key, k.Value)
			}
		}
	case tree.LeafList:
		predicate(".", n.Value)
	}
	return b.String()
}

// judge holds a whole configuration to the models; unless whole is set, each of its
// nodes alone. The last one is remembered: it is judged when it is edited, and again
// when it is committed.
func (d *Device) judge(config *tree.Node, whole bool) error {
	if config != d.judged {
		d.judged, d.verdict = config, d.models.schema.Validate(config)
	}
	if list := faultErrors(d.verdict, whole); list != nil {
		return list
	}
	return nil
}
