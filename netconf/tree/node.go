// Package tree knows configuration trees: how they are read and written as XML,
// what a schema says of their nodes, who owns what in them, and the smallest
// edit that turns one into another. It never knows a session, a device's
// address, YANG's text, or where the trees come from.
package tree

import (
	"maps"
	"slices"
)

// Namespaces that the protocol itself uses in trees.
const (
	// BaseSpace is NETCONF's own (RFC 6241), that of the attribute `operation`.
	BaseSpace = "urn:ietf:params:xml:ns:netconf:base:1.0"
	// YANGSpace is that of `insert`, `key` and `value` (RFC 7950 section 7.8.6).
	YANGSpace = "urn:ietf:params:xml:ns:yang:1"

	xmlSpace = "http://www.w3.org/XML/1998/namespace" // bound to `xml` for ever
)

// Name is the expanded name of an element or attribute: it is what names are
// compared by. Space is the namespace's URI, "" for none; prefixes are no part
// of a name.
type Name struct{ Space, Local string }

// Attr is one attribute of an element. Declarations of namespaces are none.
type Attr struct {
	Name  Name
	Value string
}

// Node is one element of a configuration tree, with its descendants. A tree is
// never changed once it is made, and may then be read by many goroutines and be
// a part of many trees.
type Node struct {
	Name     Name
	Value    string  // the text of a leaf, "" for others
	Children []*Node // in the order of the document
	Attrs    []Attr  // nil in plain configuration
	// Prefixes binds the prefixes that Value, or the value of an attribute, uses:
	// those of an identity ("ianaift:ethernetCsmacd") or of an XPath. Nil for most.
	Prefixes map[string]string
	// Line and Column say where the element was read, both from 1 and the column in
	// bytes; 0 for what was not read.
	Line, Column int
}

// Child gives the first child of that name, or nil. A nil node has no child.
func (n *Node) Child(name Name) *Node {
	if n == nil {
		return nil
	}
	for _, c := range n.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Attr gives the value of an attribute, and whether the node has it.
func (n *Node) Attr(name Name) (value string, ok bool) {
	for _, a := range n.Attrs {
		if a.Name == name {
			return a.Value, true
		}
	}
	return "", false
}

// Clone gives a copy that shares nothing with the node but strings.
func (n *Node) Clone() *Node {
	if n == nil {
		return nil
	}
	c := *n
	c.Attrs, c.Prefixes = slices.Clone(n.Attrs), maps.Clone(n.Prefixes)
	if n.Children != nil {
		c.Children = make([]*Node, len(n.Children))
		for i, child := range n.Children {
			c.Children[i] = child.Clone()
		}
	}
	return &c
}

// Equal says whether two trees are the same document: the same names, values,
// attributes and order. Where they were read doesn't count; of prefixes only what
// they are bound to counts. Two nils are equal.
func Equal(a, b *Node) bool {
	if a == b || a == nil || b == nil {
		return a == b
	}
	return a.Name == b.Name && sameText(a, b) && slices.Equal(a.Attrs, b.Attrs) &&
		slices.EqualFunc(a.Children, b.Children, Equal)
}

// sameText compares the values of two nodes: by what their prefixes are bound to
// where both bind them, else letter by letter. One side alone may have bindings
// for a text that only looks as if it had prefixes.
func sameText(a, b *Node) bool {
	if len(a.Prefixes) == 0 || len(b.Prefixes) == 0 {
		return a.Value == b.Value
	}
	return expand(a.Value, a.Prefixes) == expand(b.Value, b.Prefixes)
}

// expand writes a value with each bound prefix replaced by its namespace.
func expand(value string, prefixes map[string]string) string {
	var out []byte
	done := 0
	eachPrefix(value, func(start, end int) {
		if uri, ok := prefixes[value[start:end]]; ok {
			out = append(append(append(append(out, value[done:start]...), '{'), uri...), '}')
			done = end + 1
		}
	})
	if done == 0 {
		return value
	}
	return string(append(out, value[done:]...))
}

// eachPrefix calls f with the bounds of everything in a value that could be a
// prefix: a name that stands right before a single colon.
func eachPrefix(value string, f func(start, end int)) {
	for i := 0; i < len(value); i++ {
		if value[i] != ':' {
			continue
		}
		if i+1 < len(value) && value[i+1] == ':' {
			i++ // an axis of an XPath, or an IPv6 address
			continue
		}
		start := i
		for start > 0 && class[value[start-1]]&nameByte != 0 {
			start--
		}
		for start < i && class[value[start]]&nameStart == 0 {
			start++
		}
		if start < i {
			f(start, i)
		}
	}
}
