package sim

import (
	"errors"
	"slices"
	"strings"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// choice reads a parameter that is one of some words; the first is the default.
func (c call) choice(local string, words ...string) (string, error) {
	p := c.param(local)
	if p == nil {
		return words[0], nil
	}
	word := strings.TrimSpace(p.Value)
	if !slices.Contains(words, word) {
		return "", protocol("invalid-value", "%s is one of %s", local, strings.Join(words, ", "))
	}
	return word, nil
}

// editConfig is RFC 6241 section 7.2. An edit is taken as a whole or not at all,
// but with continue-on-error, where that holds for each element at its top.
func (c call) editConfig() (result, error) {
	name, st, err := c.named("target")
	if err != nil {
		return result{}, err
	}
	var words [3]string
	for i, p := range [...][]string{
		{"default-operation", "merge", "replace", "none"},
		{"test-option", "test-then-set", "set", "test-only"},
		{"error-option", "stop-on-error", "continue-on-error", "rollback-on-error"},
	} {
		if words[i], err = c.choice(p[0], p[1:]...); err != nil {
			return result{}, err
		}
	}
	edit := c.param("config")
	switch {
	case c.param("url") != nil:
		return result{}, unsupported("a configuration can't be fetched from a URL; send it along")
	case edit == nil:
		return result{}, element("missing-element", baseName("config"), "edit-config needs a config")
	}
	if err := c.writable(name); err != nil {
		return result{}, err
	}
	parts := []*tree.Node{edit}
	if words[2] == "continue-on-error" && words[0] != "replace" {
		parts = parts[:0]
		for _, child := range edit.Children {
			parts = append(parts, &tree.Node{Name: edit.Name, Children: []*tree.Node{child}})
		}
	}
	config := st.config
	var errs netconf.RPCErrors
	for _, part := range parts {
		next, err := c.edit(config, part, tree.Operation(words[0]), name != netconf.Candidate)
		if err != nil {
			list, _ := errors.AsType[netconf.RPCErrors](err)
			errs = append(errs, list...)
			continue
		}
		config = next
	}
	if config != st.config && words[1] != "test-only" {
		if err := c.assign(name, config); err != nil {
			return result{}, err
		}
	}
	if errs != nil {
		return result{}, errs
	}
	return result{}, nil
}

// edit gives what an edit makes of a configuration.
func (c call) edit(config, edit *tree.Node, op tree.Operation, whole bool) (*tree.Node, error) {
	if list := c.models.payload(edit); list != nil {
		return nil, list
	}
	next, err := tree.ApplyEditBy(op, config, edit, c.models.root)
	if err != nil {
		return nil, netconf.RPCErrors{editError(err)}
	}
	return next, c.judge(next, whole)
}
