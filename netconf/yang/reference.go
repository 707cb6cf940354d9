package yang

import (
	"slices"

	"github.com/abide-agent/abide/netconf/tree"
)

// setKey names what leafrefs without predicates may say: the values of one leaf
// below one node of the document.
type setKey struct {
	from   *tree.Node
	target *Node
}

// reference holds a leafref to the values that are in the document. Of a union
// any member that takes the value is enough.
func (v *validator) reference(f *frame, t *Type, value string) {
	switch {
	case t.Base == "leafref":
		if !v.refers(f, t, value) {
			v.broken(noInstance, f, f.node, "", "add the node that it means, or correct the value",
				"nothing that %s leads to is %s", clip(t.path.text), f.def.quote(f.node))
		}
	case t.Base == "union" && t.refers():
		for _, m := range t.Union {
			r := &reading{schema: v.schema, prefixes: f.node.Prefixes, space: f.def.Name.Space}
			got, err := r.read(m, f.node.Value)
			if err == nil && (m.Base != "leafref" || v.refers(f, m, got)) {
				return
			}
		}
		v.broken(noInstance, f, f.node, "", "add the node that it means, or correct the value",
			"no type of the union takes %s: what its leafrefs lead to has other values", f.def.quote(f.node))
	}
}

// refers says whether a leafref's value is among those that its path leads to,
// or can't be judged.
func (v *validator) refers(f *frame, t *Type, value string) bool {
	if t.target == nil || t.loose || v.steps > maxSteps {
		return true
	}
	start := f.climb(t.path)
	if start == nil {
		return true
	}
	if start.up == nil && start.node.Child(in(f.def.Name.Space, t.path.steps[0].name)) == nil {
		return true // that part of the configuration is not in this document
	}
	for _, st := range t.path.steps {
		if len(st.predicates) > 0 {
			found := false
			v.collect(f, start.node, start.def, t.path.steps, func(got string) { found = found || got == value })
			return found || v.steps > maxSteps
		}
	}
	key := setKey{start.node, t.target}
	set := v.sets[key]
	if set == nil {
		set = map[string]bool{}
		v.sets[key] = set
		v.collect(f, start.node, start.def, t.path.steps, func(got string) { set[got] = true })
	}
	return set[value] || v.steps > maxSteps
}

// climb finds the node that a path begins at.
func (f *frame) climb(p *path) *frame {
	if len(p.steps) == 0 {
		return nil
	}
	if p.root {
		for f.up != nil {
			f = f.up
		}
		return f
	}
	for range p.up {
		if f = f.up; f == nil {
			return nil
		}
	}
	return f
}

// collect gives the canonical values that a path leads to from a node. The
// predicates are seen from f, the leafref itself.
func (v *validator) collect(f *frame, n *tree.Node, def *Node, steps []step, give func(string)) {
	name := in(f.def.Name.Space, steps[0].name)
	def = def.Child(name)
	if def == nil {
		return
	}
	if v.steps += len(n.Children); v.steps > maxSteps {
		return
	}
	keys := v.keysOf(f, def, steps[0].predicates)
	found := false
	for _, child := range n.Children {
		if child.Name != name || !v.hasKeys(child, keys) {
			continue
		}
		found = true
		if len(steps) > 1 {
			v.collect(f, child, def, steps[1:], give)
		} else if value, err := v.read(def, child); err == nil {
			give(value)
		}
	}
	if !found && len(steps) == 1 {
		for _, value := range def.Default {
			give(value)
		}
	}
}

// keyOf is a predicate whose right side is known: the values that the key may
// have. One without a definition holds for no entry.
type keyOf struct {
	def    *Node
	values []string
}

func (v *validator) keysOf(f *frame, list *Node, predicates []predicate) []keyOf {
	keys := make([]keyOf, len(predicates))
	for i, p := range predicates {
		start := f.climb(&p.value)
		if start == nil {
			continue
		}
		keys[i].def = list.Child(in(f.def.Name.Space, p.key))
		v.collect(f, start.node, start.def, p.value.steps, func(got string) { keys[i].values = append(keys[i].values, got) })
	}
	return keys
}

// hasKeys says whether an entry has the keys that the predicates ask for.
func (v *validator) hasKeys(n *tree.Node, keys []keyOf) bool {
	for _, key := range keys {
		if key.def == nil {
			return false
		}
		leaf := n.Child(key.def.Name)
		if leaf == nil {
			return false
		}
		got, err := v.read(key.def, leaf)
		if err != nil || !slices.Contains(key.values, got) {
			return false
		}
	}
	return true
}
