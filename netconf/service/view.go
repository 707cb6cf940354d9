package service

import (
	"maps"
	"slices"
	"sync"

	"github.com/abide-agent/abide/netconf/tree"
)

// view is what a client reads in one run: <services>, and <devices> with what
// others claim of each. It is made once, and only what is asked for.
type view struct {
	services func() *tree.Node
	config   func(device string) *tree.Node
	devices  func() *tree.Node
}

var (
	servicesName = tree.Name{Space: Namespace, Local: "services"}
	devicesName  = tree.Name{Space: Namespace, Local: "devices"}
)

func newView(r *Request) *view {
	v := &view{}
	v.services = sync.OnceValue(func() *tree.Node {
		var n *tree.Node
		switch {
		case r.All != nil:
			n = r.All()
		case r.Instance.Config != nil && !r.Deleted:
			n = element("services", r.Instance.Config)
		}
		if n == nil {
			return element("services")
		}
		return n
	})
	var mu sync.Mutex
	configs := map[string]*tree.Node{}
	v.config = func(device string) *tree.Node {
		mu.Lock()
		defer mu.Unlock()
		n, ok := configs[device]
		if !ok && r.Config != nil {
			n = r.Config(device)
		}
		if n == nil {
			n = emptyConfig
		}
		configs[device] = n
		return n
	}
	v.devices = sync.OnceValue(func() *tree.Node { return devicesNode(r.Devices, v.config) })
	return v
}

// devicesNode gives <devices>: the groups, and the devices with their variables.
// It is nil without devices, as clients take one that is there for one with some.
func devicesNode(list []Device, config func(string) *tree.Node) *tree.Node {
	if len(list) == 0 {
		return nil
	}
	members := map[string][]*tree.Node{}
	entries := make([]*tree.Node, len(list))
	for i := range list {
		d := &list[i]
		for _, g := range d.Groups {
			members[g] = append(members[g], textElement("device-name", d.Name))
		}
		n := element("device", textElement("name", d.Name), textElement("enabled", "true"))
		optional(n, "addr", d.Addr)
		for _, name := range slices.Sorted(maps.Keys(d.Vars)) {
			n.Children = append(n.Children, element("variable", textElement("name", name), textElement("value", d.Vars[name])))
		}
		c := config(d.Name)
		n.Children = append(n.Children, &tree.Node{Name: tree.Name{Space: Namespace, Local: "config"}, Children: c.Children})
		entries[i] = n
	}
	out := element("devices")
	for _, g := range slices.Sorted(maps.Keys(members)) {
		out.Children = append(out.Children, element("device-group", append([]*tree.Node{textElement("name", g)}, members[g]...)...))
	}
	out.Children = append(out.Children, entries...)
	return out
}

// top gives the elements of which something may be selected.
func (v *view) top(sel selection) []*tree.Node {
	var out []*tree.Node
	if sel.wants(servicesName) {
		out = append(out, v.services())
	}
	if sel.wants(devicesName) {
		if d := v.devices(); d != nil {
			out = append(out, d)
		}
	}
	return out
}
