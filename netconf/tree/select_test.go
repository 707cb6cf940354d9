package tree

import (
	"maps"
	"slices"
	"strings"
)

// selected is a subtree filter as a server does it (RFC 6241 section 6): the
// independent other side of Claims.Filter.
func selected(config, filter *Node) *Node {
	out := &Node{Name: config.Name}
	if filter != nil {
		out.Children = selectAmong(config.Children, filter.Children)
	}
	return out
}

func selectAmong(nodes, filters []*Node) (out []*Node) {
	for _, n := range nodes {
		var got *Node
		for _, f := range filters {
			if f.Name != n.Name {
				continue
			}
			if len(f.Children) == 0 {
				if f.Value == "" || f.Value == n.Value {
					got = n // a selection node
				}
				continue
			}
			if part := selectIn(n, f); part != nil {
				got = joined(got, part)
			}
		}
		if got != nil {
			out = append(out, got)
		}
	}
	return out
}

func selectIn(n, f *Node) *Node {
	var matches, others []*Node
	for _, c := range f.Children {
		if c.Value != "" && len(c.Children) == 0 {
			matches = append(matches, c)
		} else {
			others = append(others, c)
		}
	}
	for _, m := range matches {
		if !slices.ContainsFunc(n.Children, func(c *Node) bool { return c.Name == m.Name && c.Value == m.Value }) {
			return nil
		}
	}
	if len(others) == 0 {
		return n
	}
	out := &Node{Name: n.Name, Children: selectAmong(n.Children, others)}
	for i := len(matches) - 1; i >= 0; i-- {
		out.Children = slices.Insert(out.Children, 0, n.Child(matches[i].Name))
	}
	if len(out.Children) == 0 {
		return nil
	}
	return out
}

// joined merges two parts of one node.
func joined(a, b *Node) *Node {
	if a == nil {
		return b
	}
	out := &Node{Name: a.Name, Value: a.Value, Children: slices.Clone(a.Children)}
	for _, c := range b.Children {
		if i := slices.IndexFunc(out.Children, func(o *Node) bool { return o.Name == c.Name && o.Value == c.Value && firstLeaf(o) == firstLeaf(c) }); i >= 0 {
			out.Children[i] = joined(out.Children[i], c)
		} else {
			out.Children = append(out.Children, c)
		}
	}
	return out
}

func firstLeaf(n *Node) string {
	if len(n.Children) == 0 {
		return ""
	}
	return n.Children[0].Value
}

// items are all that can be owned in a tree, by path: the values of leaves, and
// "" for entries and containers.
type items map[string]string

func flat(schema *Def, n *Node) items {
	out := items{}
	if n != nil {
		flatten(schema, n, "", out)
	}
	return out
}

func flatten(d *Def, n *Node, path string, out items) {
	for _, c := range n.Children {
		cd := d.Child(c.Name)
		if slices.Contains(d.Keys, c.Name.Local) {
			continue
		}
		at := path + "/" + c.Name.Local
		switch cd.Kind {
		case LeafList:
			out[at+"="+c.Value] = c.Value
			continue
		case Leaf:
			out[at] = strings.ToLower(c.Value)
			continue
		case Any:
			out[at] = string(c.AppendXML(nil))
			continue
		case List:
			for _, k := range cd.Keys {
				at += "=" + c.Child(Name{"urn:t", k}).Value
			}
		}
		if cd.Kind == List || cd.Presence {
			if _, ours := c.Attr(Ours); !ours {
				out[at] = ""
			}
		}
		flatten(cd, c, at, out)
	}
}

// model is what has to come out, by the plainest means there are.
type model struct {
	outputs map[string]items // by owner
	base    items
}

func union2(outputs map[string]items, but string) items {
	out := items{}
	for owner, o := range outputs {
		if owner != but {
			maps.Copy(out, o)
		}
	}
	return out
}

// conflicts says whether two owners want different values.
func (m *model) conflicts() bool {
	all := items{}
	for _, o := range m.outputs {
		for p, v := range o {
			if other, ok := all[p]; ok && other != v {
				return true
			}
			all[p] = v
		}
	}
	return false
}

// push gives what the device has to hold after a plan for what changed from
// before, and moves base.
func (m *model) push(device, before items) items {
	want := union2(m.outputs, "")
	out := maps.Clone(device)
	for _, p := range slices.Sorted(maps.Keys(before)) {
		if _, still := want[p]; still {
			continue
		}
		if v, ok := m.base[p]; ok {
			delete(m.base, p)
			if _, there := out[p]; there || v != "" && parentIn(out, p) {
				out[p] = v
			}
			continue
		}
		below := func(q, _ string) bool { return q == p || strings.HasPrefix(q, p+"/") }
		maps.DeleteFunc(out, below)
		maps.DeleteFunc(m.base, below)
	}
	for p, v := range want {
		if _, had := before[p]; !had {
			if have, there := device[p]; there {
				m.base[p] = have
			}
		}
		out[p] = v
	}
	return out
}

// parentIn says whether the entry in which a path stands is there.
func parentIn(out items, path string) bool {
	for at := strings.LastIndexByte(path, '/'); at > 0; at = strings.LastIndexByte(path[:at], '/') {
		step := path[strings.LastIndexByte(path[:at], '/')+1 : at]
		if strings.Contains(step, "=") || step == "banner" {
			_, ok := out[path[:at]]
			return ok
		}
	}
	return true
}
