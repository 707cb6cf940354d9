package settings

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// section reads a mapping whose keys, after prefix, are those of table and of
// special. The schema bounds the depth, so an alias can't make it go in circles.
func section[T any](r *reading, n *yaml.Node, prefix string, table []option[T], into *T, special map[string]func(*yaml.Node)) {
	n = follow(n)
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // a section whose lines are all commented out
	}
	if n.Kind != yaml.MappingNode {
		r.fault(n, strings.TrimSuffix(prefix, "."), "this is "+describeNode(n)+", not a mapping", "write `key: value` lines")
		return
	}
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			r.fault(key, "", "a key must be a plain word", "write the settings out instead")
			continue
		}
		name := prefix + key.Value
		if first := seen[key.Value]; first != nil {
			r.fault(key, name, fmt.Sprintf("this is given twice, first in line %d", first.Line), "keep one of the two")
			continue
		}
		seen[key.Value] = key
		if read := special[name]; read != nil {
			read(value)
			continue
		}
		if i := slices.IndexFunc(table, func(o option[T]) bool { return o.key == name }); i >= 0 {
			leaf(r, value, table[i], into)
			continue
		}
		if slices.ContainsFunc(table, func(o option[T]) bool { return strings.HasPrefix(o.key, name+".") }) {
			section(r, value, name+".", table, into, nil)
			continue
		}
		r.unknown(key, name, siblings(prefix, table, special))
	}
}

func (r *reading) unknown(key *yaml.Node, name string, known []string) {
	last := name[strings.LastIndexByte(name, '.')+1:]
	hint := "the keys here are " + strings.Join(known, ", ")
	if near := nearest(last, known); near != "" {
		hint = "did you mean " + near + "?"
	}
	r.fault(key, name, "there is no such setting", hint)
}

// siblings lists the keys that a mapping may have, for the hint.
func siblings[T any](prefix string, table []option[T], special map[string]func(*yaml.Node)) []string {
	var out []string
	for name := range special {
		out = append(out, name)
	}
	for _, o := range table {
		if rest, ok := strings.CutPrefix(o.key, prefix); ok {
			rest, _, _ = strings.Cut(rest, ".")
			out = append(out, rest)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// elements reads a list of mappings, each into a copy of fresh.
func elements[T any](r *reading, n *yaml.Node, name string, table []option[T], into []T, fresh T, placed func(*T, place)) []T {
	n = follow(n)
	if n.Kind != yaml.SequenceNode {
		r.fault(n, name, "this is "+describeNode(n)+", not a list", "begin each element with `- `")
		return into
	}
	for _, item := range n.Content {
		t := fresh
		if placed != nil {
			placed(&t, r.place(item))
		}
		section(r, item, "", table, &t, nil)
		into = append(into, t)
	}
	return into
}

// leaf reads the value of one option.
func leaf[T any](r *reading, n *yaml.Node, o option[T], into *T) {
	n = follow(n)
	var values []*yaml.Node
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		r.fault(n, o.key, "the value is missing", "give one, or leave the key away")
		return
	case o.shape == many && n.Kind == yaml.SequenceNode:
		values = n.Content
	case o.shape == pairs && n.Kind == yaml.MappingNode:
		values = pairNodes(n)
	case o.shape == pairs:
		r.fault(n, o.key, "this is "+describeNode(n)+", not a mapping", "write `key: value` lines")
		return
	case n.Kind == yaml.ScalarNode:
		values = []*yaml.Node{n}
	default:
		r.fault(n, o.key, "this is "+describeNode(n)+", not a single value", "write one value")
		return
	}
	if o.later {
		r.faults = append(r.faults, r.place(n).idle(o.key))
	}
	if o.reset != nil {
		o.reset(into)
	}
	for _, v := range values {
		v = follow(v)
		if v.Kind != yaml.ScalarNode || v.Tag == "!!null" {
			r.fault(v, o.key, "an element is "+describeNode(v), "write a plain value")
		} else if err := o.add(into, v.Value); err != nil {
			r.faults = append(r.faults, r.place(v).refuse(o.key, err))
		}
	}
}

// pairNodes turns a mapping of scalars into key=value scalars at their places.
func pairNodes(n *yaml.Node) []*yaml.Node {
	var out []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], follow(n.Content[i+1])
		if value.Kind == yaml.ScalarNode && value.Tag != "!!null" {
			copied := *value
			copied.Value = key.Value + "=" + value.Value
			value = &copied
		}
		out = append(out, value)
	}
	return out
}

// follow gives what an alias stands for. YAML has no alias of an alias.
func follow(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

func describeNode(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Tag == "!!null":
		return "empty"
	}
	return "a single value"
}
