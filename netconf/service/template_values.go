package service

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/abide-agent/abide/netconf/tree"
)

// data is the dot of a template.
type data struct {
	Service, Key string
	Instance     any // values, or the text of an instance that is a leaf
	Device       *device
	Devices      []device
}

// Format prints nothing: what a rendering depends on is told by the names that
// the template uses, and the whole has none.
func (*data) Format(fmt.State, rune) {}

// device is a [Device] as templates see it.
type device struct {
	Name, Addr string
	Groups     []string
	Vars       values
}

func (device) Format(fmt.State, rune) {}

func deviceOf(d *Device) device {
	vars := make(values, len(d.Vars))
	for k, v := range d.Vars {
		vars[k] = v
	}
	return device{Name: d.Name, Addr: d.Addr, Groups: d.Groups, Vars: vars.aliased()}
}

// values are the children of an element, or the variables of a device, by name:
// a text, values, or a list of them.
type values map[string]any

// aliased adds the names that can be written behind a dot.
func (v values) aliased() values {
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if alias := aliases.Replace(name); alias != name {
			if _, taken := v[alias]; !taken {
				v[alias] = v[name]
			}
		}
	}
	return v
}

var aliases = strings.NewReplacer("-", "_", ".", "_")

// valuesOf gives what a template sees of an element: the text of a leaf, or the
// values of what has children. What the schema calls a list is one even with one
// entry.
func valuesOf(n *tree.Node, def *tree.Def) any {
	if len(n.Children) == 0 && (def == nil || def.Kind != tree.Container && def.Kind != tree.List) {
		return n.Value
	}
	v := make(values, len(n.Children))
	for _, c := range n.Children {
		child := def.Child(c.Name)
		value := valuesOf(c, child)
		isList := child != nil && (child.Kind == tree.List || child.Kind == tree.LeafList)
		switch old := v[c.Name.Local].(type) {
		case nil:
			if isList {
				value = []any{value}
			}
			v[c.Name.Local] = value
		case []any:
			v[c.Name.Local] = append(old, value)
		default:
			v[c.Name.Local] = []any{old, value}
		}
	}
	return v.aliased()
}
