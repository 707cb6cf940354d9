package service

import (
	"fmt"
	"strings"

	"github.com/abide-agent/abide/netconf/tree"
)

// selection is the XPath of a get or get-config: a union of location paths, in
// the part of XPath that clients of the service API use: child steps, `//`, `*`,
// and predicates that compare a child, or the node itself, with a literal. Its
// zero value selects everything.
type selection struct {
	paths []path
}

type path []step

type step struct {
	any       bool // at any depth below: `//` stands in front
	local     string
	space     string // "" for any
	predicate []predicate
}

// predicate is [name='value'], or [.='value'].
type predicate struct{ space, local, value string }

const maxXPath = 8 << 10

// parseXPath reads the select of a filter. Prefixes are bound by the element
// that the filter is; a name without one is taken in any namespace.
func parseXPath(text string, prefixes map[string]string) (selection, error) {
	var s selection
	if len(text) > maxXPath {
		return s, fmt.Errorf("the select of the filter has more than %d bytes", maxXPath)
	}
	x := xpath{rest: text, prefixes: prefixes}
	if x.blank(); x.rest == "" || x.rest == "/" {
		return s, nil
	}
	for {
		p, err := x.path()
		if err != nil {
			return s, fmt.Errorf("%w; at %q of the select %q, of which paths of names with [name='value'], and unions of them, are understood", err, x.rest, text)
		}
		if p == nil {
			return selection{}, nil // the union with everything
		}
		s.paths = append(s.paths, p)
		if !x.take("|") {
			return s, nil
		}
	}
}

type xpath struct {
	rest     string
	prefixes map[string]string
}

func (x *xpath) blank() { x.rest = strings.TrimLeft(x.rest, " \t\r\n") }

func (x *xpath) take(s string) bool {
	x.blank()
	if !strings.HasPrefix(x.rest, s) {
		return false
	}
	x.rest = x.rest[len(s):]
	x.blank()
	return true
}

// path reads one location path; nil is the root itself.
func (x *xpath) path() (path, error) {
	var p path
	any := x.take("//")
	if !any && x.take("/") && (x.rest == "" || x.rest[0] == '|') {
		return nil, nil
	}
	for {
		s, err := x.step()
		if err != nil {
			return nil, err
		}
		s.any = any
		p = append(p, s)
		if len(p) > 64 {
			return nil, fmt.Errorf("a path has more than 64 steps")
		}
		if any = x.take("//"); !any && !x.take("/") {
			if x.rest != "" && x.rest[0] != '|' {
				return nil, fmt.Errorf("a step has something else behind it")
			}
			return p, nil
		}
	}
}

func (x *xpath) step() (step, error) {
	x.take("child::")
	space, local, err := x.name()
	if err != nil {
		return step{}, err
	}
	s := step{space: space, local: local}
	for x.take("[") {
		var q predicate
		if !x.take(".") {
			if q.space, q.local, err = x.name(); err != nil {
				return s, err
			}
		}
		if !x.take("=") {
			return s, fmt.Errorf("a predicate compares nothing")
		}
		if q.value, err = x.literal(); err != nil {
			return s, err
		}
		if !x.take("]") {
			return s, fmt.Errorf("a predicate isn't closed")
		}
		s.predicate = append(s.predicate, q)
	}
	return s, nil
}

// name reads a name test. "*" is every name.
func (x *xpath) name() (space, local string, err error) {
	if x.take("*") {
		return "", "*", nil
	}
	end := strings.IndexAny(x.rest, " \t\r\n/|[]=:*()@'\"<>&,")
	if end < 0 {
		end = len(x.rest)
	}
	local = x.rest[:end]
	if local == "" || local == "." || local == ".." {
		return "", "", fmt.Errorf("a name is missing")
	}
	x.rest = x.rest[end:]
	if strings.HasPrefix(x.rest, ":") && !strings.HasPrefix(x.rest, "::") {
		x.rest = x.rest[1:]
		uri, ok := x.prefixes[local]
		if !ok {
			return "", "", fmt.Errorf("the prefix %q is not declared", local)
		}
		_, local, err = x.name()
		return uri, local, err
	}
	x.blank()
	if strings.HasPrefix(x.rest, "(") || strings.HasPrefix(x.rest, "::") {
		return "", "", fmt.Errorf("functions and axes are not understood")
	}
	return "", local, nil
}

func (x *xpath) literal() (string, error) {
	if x.rest == "" || x.rest[0] != '\'' && x.rest[0] != '"' {
		return "", fmt.Errorf("a value in quotes is missing")
	}
	value, rest, ok := strings.Cut(x.rest[1:], x.rest[:1])
	if !ok {
		return "", fmt.Errorf("a quote isn't closed")
	}
	x.rest = rest
	return value, nil
}

func (s step) matches(n *tree.Node) bool {
	if s.local != "*" && s.local != n.Name.Local || s.space != "" && s.space != n.Name.Space {
		return false
	}
	for _, q := range s.predicate {
		if !q.holds(n) {
			return false
		}
	}
	return true
}

func (q predicate) holds(n *tree.Node) bool {
	if q.local == "" {
		return n.Value == q.value
	}
	for _, c := range n.Children {
		if (q.local == "*" || c.Name.Local == q.local) && (q.space == "" || c.Name.Space == q.space) && c.Value == q.value {
			return true
		}
	}
	return false
}

// wants says whether something below a top element of that name could be
// selected, so that nobody makes what isn't.
func (s selection) wants(name tree.Name) bool {
	for _, p := range s.paths {
		first := p[0]
		first.predicate = nil
		if first.any || first.matches(&tree.Node{Name: name}) {
			return true
		}
	}
	return len(s.paths) == 0
}

// services gives the services that all paths of the selection name, or nil when
// it selects more.
func (s selection) services() []string {
	var out []string
	for _, p := range s.paths {
		if p[0].any || p[0].local != "services" {
			continue
		}
		if len(p) < 2 || p[1].any || p[1].local == "*" {
			return nil
		}
		if name := p[1].local; name != "properties" && name != "service-timeout" { // the controller's own
			out = append(out, name)
		}
	}
	return out
}

// of gives what is selected of a root: its descendants with all above and below
// them, and with the first leaf of each entry, which is its key.
func (s selection) of(root *tree.Node) *tree.Node {
	if len(s.paths) == 0 {
		return root
	}
	out := &tree.Node{Name: root.Name}
	out.Children = prune(root, s.paths)
	return out
}

// prune gives the children of n that the paths, which begin at n, select.
func prune(n *tree.Node, paths []path) []*tree.Node {
	var out []*tree.Node
	for _, c := range n.Children {
		var below []path
		whole := false
		for _, p := range paths {
			if p[0].any {
				below = append(below, p)
			}
			if p[0].matches(c) {
				if len(p) == 1 {
					whole = true
					break
				}
				below = append(below, p[1:])
			}
		}
		switch {
		case whole:
			out = append(out, c)
		case len(below) > 0 && len(c.Children) > 0:
			if children := prune(c, below); len(children) > 0 {
				if first := c.Children[0]; len(first.Children) == 0 && children[0] != first {
					children = append([]*tree.Node{first}, children...)
				}
				pruned := *c
				pruned.Children = children
				out = append(out, &pruned)
			}
		}
	}
	return out
}

// shallow cuts a tree off below a depth; n itself is at depth 1.
func shallow(n *tree.Node, depth int) *tree.Node {
	if len(n.Children) == 0 {
		return n
	}
	c := *n
	c.Children = nil
	if depth > 1 {
		c.Children = make([]*tree.Node, len(n.Children))
		for i, child := range n.Children {
			c.Children[i] = shallow(child, depth-1)
		}
	}
	return &c
}
