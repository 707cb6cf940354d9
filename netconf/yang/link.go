package yang

import (
	"slices"

	"github.com/abide-agent/abide/netconf/tree"
)

// maxRounds bounds how many augments build on each other.
const maxRounds = 50

// augment is one of the top of a module, with its nodes.
type augment struct {
	at    *stmt
	path  []tree.Name
	nodes []*Node
}

// deviation is one with the types that it brings.
type deviation struct {
	at    *stmt
	path  []tree.Name
	mod   *module
	scope *scope
	types map[*stmt]*Type // by deviate statement
}

func (c *compiler) readAugment(m *module, s *stmt, x site) error {
	if !featuresOn(s) {
		return nil
	}
	path, err := parseNodeID(s, x.scope, m)
	if err != nil {
		return err
	}
	x.scope = x.scope.enter(s)
	nodes, err := c.expand(s, x)
	if err != nil {
		return err
	}
	m.augments = append(m.augments, &augment{s, path, nodes})
	return nil
}

func (c *compiler) readDeviation(m *module, s *stmt, x site) error {
	path, err := parseNodeID(s, x.scope, m)
	if err != nil {
		return err
	}
	d := &deviation{at: s, path: path, mod: m, scope: x.scope, types: map[*stmt]*Type{}}
	for _, how := range all(s, "deviate") {
		if t := first(how, "type"); t != nil {
			if d.types[how], err = c.typeOf(t, x.scope); err != nil {
				return err
			}
		}
	}
	m.deviates = append(m.deviates, d)
	return nil
}

// link puts the augments of all modules in place, then the deviations. An
// augment may build on another's nodes, so that several rounds may be needed.
func (c *compiler) link(s *Schema, modules []*module) {
	var left []*augment
	for _, m := range modules {
		left = append(left, m.augments...)
	}
	for range maxRounds {
		var later []*augment
		for _, a := range left {
			if target := s.root.follow(a.path); target != nil {
				target.augment(a.at, a.nodes)
			} else {
				later = append(later, a)
			}
		}
		if len(later) == len(left) {
			break
		}
		left = later
	}
	for _, a := range left {
		c.warnAt(a.at, "the augment is left out; give the module that has the node", "there is no node %s", clip(a.at.Argument))
	}
	for _, m := range modules {
		for _, d := range m.deviates {
			if n := s.root.follow(d.path); n == nil {
				c.warnAt(d.at, "the deviation is left out; give the module that has the node", "there is no node %s", clip(d.at.Argument))
			} else if err := d.apply(n); err != nil {
				c.warnErr(m.name, err, "the rest of the deviation is left out")
			}
		}
	}
}

// follow goes down by an absolute schema node identifier.
func (n *Node) follow(path []tree.Name) *Node {
	for _, name := range path {
		if n = n.schemaChild(name); n == nil {
			return nil
		}
	}
	return n
}

// apply changes a node as a deviation says (RFC 7950 section 7.20.3).
func (d *deviation) apply(n *Node) error {
	for _, how := range all(d.at, "deviate") {
		switch how.Argument {
		case "not-supported":
			n.gone = true
			return nil
		case "add", "replace":
			before := n.Default
			if err := n.properties(how); err != nil {
				return err
			}
			if how.Argument == "add" && n.Kind == LeafList && first(how, "default") != nil {
				n.Default = slices.Concat(before, n.Default)
			}
			if t := d.types[how]; t != nil {
				n.Type = t
			}
			if u := first(how, "units"); u != nil {
				n.Units = u.Argument
			}
			for _, u := range all(how, "unique") {
				n.uniques = append(n.uniques, uniqueText{u, d.scope, d.mod})
			}
		case "delete":
			d.remove(n, how)
		}
	}
	return nil
}

// remove takes properties away from a node.
func (d *deviation) remove(n *Node, how *stmt) {
	for _, p := range how.SubStatements() {
		same := func(s string) bool { return s == p.Argument }
		switch p.Keyword {
		case "default":
			n.Default = slices.DeleteFunc(slices.Clone(n.Default), same)
		case "must":
			n.Must = slices.DeleteFunc(slices.Clone(n.Must), same)
		case "units":
			n.Units = ""
		case "unique":
			n.uniques = slices.DeleteFunc(slices.Clone(n.uniques), func(u uniqueText) bool { return u.at.Argument == p.Argument })
		}
	}
}
