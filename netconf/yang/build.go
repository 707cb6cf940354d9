package yang

import (
	"cmp"
	"errors"
	"slices"
	"strconv"

	"github.com/abide-agent/abide/netconf/tree"
)

// The bounds of one Compile: how many nodes all modules may come to with every
// uses written out (each module at most half of what is left, so that one can't
// take it all), and how deep statements nest in them.
const (
	maxNodes = 400_000
	maxDepth = 150
	maxKeys  = 64
)

var errNoType = errors.New("the leaf has no type")

// site is what the nodes of a statement get from where it is used.
type site struct {
	mod   *module // its namespace is theirs
	scope *scope
	depth int
	using *usage
}

// usage is the groupings that are being written out, the innermost first.
type usage struct {
	of *grouping
	up *usage
}

// kinds are the statements that make nodes.
var kinds = map[string]Kind{
	"container": Container, "list": List, "leaf": Leaf, "leaf-list": LeafList, "anydata": Any, "anyxml": Any,
	"choice": Choice, "case": Case, "rpc": Operation, "action": Operation, "input": Input, "output": Output,
	"notification": Notification,
}

// spend counts what is built, so that a small text can't make a huge schema.
func (c *compiler) spend(at *stmt, n int) error {
	if c.spent += n; c.spent > c.limit {
		return faultAt(at, "take away modules that nobody needs", "the module, or all together, have more nodes than the %d that are allowed", maxNodes)
	}
	return nil
}

// expand compiles the nodes among the substatements of s.
func (c *compiler) expand(s *stmt, x site) ([]*Node, error) {
	if x.depth++; x.depth > maxDepth {
		return nil, faultAt(s, "write it flatter", "the statements nest deeper than %d", maxDepth)
	}
	var out []*Node
	for _, sub := range s.SubStatements() {
		kind, isNode := kinds[sub.Keyword]
		if (!isNode && sub.Keyword != "uses") || !featuresOn(sub) {
			continue
		}
		if err := c.spend(sub, 1); err != nil {
			return nil, err
		}
		if !isNode {
			nodes, err := c.uses(sub, x)
			if err != nil {
				return nil, err
			}
			out = append(out, nodes...)
			continue
		}
		n, err := c.node(sub, kind, x)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// node compiles one node with what is below it.
func (c *compiler) node(s *stmt, kind Kind, x site) (*Node, error) {
	name := s.Argument
	if kind == Input || kind == Output {
		name = s.Keyword
	}
	if !isIdentifier(name) {
		return nil, faultAt(s, "give it a name", "the %s has no name", s.Keyword)
	}
	x.scope = x.scope.enter(s)
	n := &Node{
		Name: tree.Name{Space: x.mod.space, Local: name}, Module: x.mod.name, Kind: kind,
		UserOrdered: arg(s, "ordered-by") == "user", Presence: first(s, "presence") != nil,
		Units: arg(s, "units"), at: s,
	}
	if kind == Leaf || kind == LeafList {
		t, err := c.typeOf(first(s, "type"), x.scope)
		if errors.Is(err, errNoType) {
			return nil, faultAt(s, "add one", "the %s %s has no type", s.Keyword, name)
		} else if err != nil {
			return nil, err
		}
		n.Type = t
	}
	if err := n.properties(s); err != nil {
		return nil, err
	}
	if n.holdsData() && n.Kind != Container && n.Kind != List {
		return n, nil
	}
	nodes, err := c.expand(s, x)
	if err != nil {
		return nil, err
	}
	if kind == Operation {
		nodes = bothWays(n, nodes)
	}
	n.attach(nodes)
	if kind == List {
		for _, u := range all(s, "unique") {
			n.uniques = append(n.uniques, uniqueText{u, x.scope, x.mod})
		}
		return n, n.keys(s)
	}
	return n, nil
}

// bothWays adds the input or output of an operation that the module leaves out:
// both are there even so, and may be augmented.
func bothWays(n *Node, given []*Node) []*Node {
	out := []*Node{
		{Name: tree.Name{Space: n.Name.Space, Local: "input"}, Module: n.Module, Kind: Input, at: n.at},
		{Name: tree.Name{Space: n.Name.Space, Local: "output"}, Module: n.Module, Kind: Output, at: n.at},
	}
	for _, g := range given {
		if g.Kind == Input || g.Kind == Output {
			out[g.Kind-Input] = g
		}
	}
	return out
}

// properties reads the substatements that a refinement or a deviation may have
// too.
func (n *Node) properties(s *stmt) error {
	var defaults []string
	for _, sub := range s.SubStatements() {
		bad := false
		switch sub.Keyword {
		case "default":
			defaults = append(defaults, sub.Argument)
		case "config":
			n.config = readWrite
			if sub.Argument == "false" {
				n.config = readOnly
			}
		case "mandatory":
			n.Mandatory = sub.Argument == "true"
		case "min-elements":
			n.Min, bad = count(sub.Argument)
		case "max-elements":
			if n.Max = 0; sub.Argument != "unbounded" {
				n.Max, bad = count(sub.Argument)
				bad = bad || n.Max == 0
			}
		case "must":
			n.Must = append(slices.Clip(n.Must), sub.Argument)
		case "when":
			n.When = append(slices.Clip(n.When), sub.Argument)
		}
		if bad {
			return faultAt(sub, "write a positive number", "%q is no count", clip(sub.Argument))
		}
	}
	if defaults != nil {
		n.Default = defaults
	}
	return nil
}

func count(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return int(n), err != nil
}

// keys reads a list's key, and finds the leafs that it names.
func (n *Node) keys(s *stmt) error {
	for _, key := range fields(arg(s, "key")) {
		local := unprefixed(key)
		leaf := n.schemaChild(tree.Name{Space: n.Name.Space, Local: local})
		if leaf == nil || leaf.Kind != Leaf {
			return faultAt(s, "add the leaf, or correct the key", "the list %s has no leaf %s for its key", s.Argument, clip(key))
		}
		if slices.Contains(n.Keys, local) {
			return faultAt(s, "name it once", "the key of the list %s names %s twice", s.Argument, clip(key))
		}
		if n.Keys = append(n.Keys, leaf.Name.Local); len(n.Keys) > maxKeys {
			return faultAt(s, "take fewer", "the list %s has more than %d keys", s.Argument, maxKeys)
		}
	}
	slices.SortStableFunc(n.children, func(a, b *Node) int { // keys come first in documents
		return cmp.Compare(n.keyOrder(a), n.keyOrder(b))
	})
	return nil
}

// keyOrder gives the position of a key of a list, or one after all keys.
func (n *Node) keyOrder(child *Node) int {
	if i := slices.Index(n.Keys, child.Name.Local); i >= 0 && child.Name.Space == n.Name.Space {
		return i
	}
	return len(n.Keys)
}
