package tree

import (
	"fmt"
	"slices"
)

// Operation is what an edit does with a node (RFC 6241 section 7.2).
type Operation string

// The operations. None is no value of the attribute `operation`, only of the
// parameter `default-operation`, as Create, Delete and Remove are none of that.
const (
	Merge   Operation = "merge"
	Replace Operation = "replace"
	Create  Operation = "create"
	Delete  Operation = "delete"
	Remove  Operation = "remove"
	None    Operation = "none"
)

// EditError is an edit that can't be done. Tag is the error-tag of RFC 6241
// appendix A.
type EditError struct {
	Tag     string
	Path    string // as Path writes it
	Message string
}

// Error gives `path: message`.
func (e *EditError) Error() string { return e.Path + ": " + e.Message }

// ApplyEdit gives the configuration that an edit-config with the default
// operation merge makes of config, by RFC 6241 section 7.2 and RFC 7950 sections
// 7.5 to 7.10: the nodes of another case go, `ordered-by user` is kept with the
// attributes of [YANGSpace], and containers without presence that the edit leaves
// empty vanish. The roots may have any name; config may be nil. Nothing is
// validated. The result shares with both what did not change. Errors are
// *[EditError].
func ApplyEdit(config, edit *Node, schema *Def) (*Node, error) {
	return ApplyEditBy(Merge, config, edit, schema)
}

// ApplyEditBy is ApplyEdit with another default operation: Merge, Replace or
// None.
func ApplyEditBy(op Operation, config, edit *Node, schema *Def) (*Node, error) {
	if config == nil {
		config = &Node{Name: Name{"", "config"}}
	}
	e := editor{newShapes(schema)}
	e.learn(e.schema, config)
	e.learn(e.schema, edit)
	if op == Replace {
		config = &Node{Name: config.Name}
	}
	if edit == nil {
		return config, nil
	}
	children, err := e.children(e.schema, config, edit, op)
	if err != nil {
		return nil, err
	}
	return &Node{Name: config.Name, Children: children}, nil
}

type editor struct{ *shapes }

// operation reads the attribute of an edit's node; inherited is its parent's.
func operation(n *Node, inherited Operation) (Operation, error) {
	if _, ok := n.Attr(Name{"", "operation"}); ok {
		return "", &EditError{Tag: "unknown-attribute", Message: "the attribute operation has no namespace; write it with the prefix of " + BaseSpace}
	}
	value, ok := n.Attr(Name{BaseSpace, "operation"})
	if !ok {
		return inherited, nil
	}
	switch op := Operation(value); op {
	case Merge, Replace, Create, Delete, Remove:
		return op, nil
	}
	return "", &EditError{Tag: "bad-attribute", Message: fmt.Sprintf("%q is no operation", value)}
}

// node applies an edit's node to the one of the same identity, or to nil; nil is
// the result when nothing is left.
func (e editor) node(d *Def, have, edit *Node, inherited Operation) (*Node, error) {
	op, err := operation(edit, inherited)
	if err != nil {
		return nil, err
	}
	implied := d.Kind == Container && !d.Presence // is there even when it isn't
	switch {
	case op == Remove || op == Delete && (have != nil || implied):
		return nil, nil
	case op == Delete, op == None && have == nil && !implied:
		return nil, &EditError{Tag: "data-missing", Message: "there is no such node"}
	case op == Create && have != nil:
		return nil, &EditError{Tag: "data-exists", Message: "there is such a node already"}
	case op == Replace:
		have = nil
	}
	switch d.Kind {
	case Leaf, LeafList, Any:
		if op == None || have != nil && sameValue(d, have, edit) && d.Kind != Any {
			return have, nil
		}
		return plain(edit), nil
	}
	children, err := e.children(d, have, edit, op)
	switch {
	case err != nil:
		return nil, err
	case implied && len(children) == 0:
		return nil, nil
	}
	return &Node{Name: edit.Name, Children: children}, nil
}

// children applies the children of an edit's node to those of have, which may be
// nil.
func (e editor) children(d *Def, have, edit *Node, op Operation) ([]*Node, error) {
	if have == nil {
		have = &Node{}
	}
	out := siblings{editor: e, def: d, nodes: slices.Clone(have.Children)}
	for _, key := range keyNodes(d, edit) {
		kd := e.child(d, key.Name)
		if out.at(kd, identOf(kd, key)) < 0 {
			out.nodes = append(out.nodes, plain(key))
		}
	}
	for _, c := range edit.Children {
		if isKey(d, c.Name) {
			continue
		}
		cd := e.child(d, c.Name)
		if err := out.apply(cd, c, op); err != nil {
			if fault, ok := err.(*EditError); ok {
				fault.Path = pathStep(d, cd, c) + fault.Path
			}
			return nil, err
		}
	}
	return out.left(), nil
}

// plain gives a copy of an edit's node without the attributes of edits.
func plain(n *Node) *Node {
	c := *n
	c.Attrs = nil
	for _, a := range n.Attrs {
		if a.Name.Space != BaseSpace && a.Name.Space != YANGSpace {
			c.Attrs = append(c.Attrs, a)
		}
	}
	c.Children = nil
	for _, child := range n.Children {
		c.Children = append(c.Children, plain(child))
	}
	return &c
}
