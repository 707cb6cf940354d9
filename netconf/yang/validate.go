package yang

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/netconf/tree"
)

// The bounds of one Validate: the faults that it tells, and the nodes that it
// visits to follow leafrefs.
const (
	maxFaults = 100
	maxSteps  = 10_000_000
)

// Fault is what the models refuse in a document. Line and Column are those of
// the element, 0 where it was not read from a text.
type Fault struct {
	Path         string // as RFC 7951 writes instance-identifiers: /module:name[key='value']/…
	Line, Column int
	Message      string // a sentence without its full stop
	Hint         string // what to do next
	// Rule is what the document breaks as a whole, where each of its nodes may be
	// what the models allow; the zero value where one of them isn't.
	Rule Rule
}

// Rule names what a whole document must keep to, as a server tells a client that
// its change breaks it (RFC 7950 section 15).
type Rule struct{ Tag, AppTag string }

var (
	notUnique  = Rule{"operation-failed", "data-not-unique"}
	tooMany    = Rule{"operation-failed", "too-many-elements"}
	tooFew     = Rule{"operation-failed", "too-few-elements"}
	noData     = Rule{"data-missing", ""} // RFC 7950 names none for what is mandatory
	noInstance = Rule{"data-missing", "instance-required"}
	noChoice   = Rule{"data-missing", "missing-choice"}
)

// String gives `path: message; hint`.
func (f Fault) String() string { return f.Path + ": " + f.Message + "; " + f.Hint }

// Validate judges a document of configuration: a root of any name whose children
// are the nodes at the top. It may be a part of a whole: what is not there at the
// top is not asked for, and a leafref into it is not judged. Conditions (must,
// when) are not evaluated; a node that has a when is never missing. At most a
// hundred faults are told, in the order of the document.
func (s *Schema) Validate(doc *tree.Node) []Fault {
	if doc == nil {
		return nil
	}
	v := &validator{schema: s, sets: map[setKey]map[string]bool{}}
	v.visit(&frame{node: doc, def: s.root})
	if v.steps > maxSteps {
		v.faults = append(v.faults, Fault{Path: "/", Message: "the leafrefs lead to too many nodes to judge them all", Hint: "split the document"})
	}
	slices.SortStableFunc(v.faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if len(v.faults) == maxFaults {
		v.faults = append(v.faults, Fault{
			Path: "/", Message: "there may be more faults, which are not told",
			Hint: "correct these first",
		})
	}
	return v.faults
}

type validator struct {
	schema *Schema
	faults []Fault
	sets   map[setKey]map[string]bool // what leafrefs may say
	steps  int                        // nodes that were visited for leafrefs
}

// frame is a node of the document with its definition and those above.
type frame struct {
	node *tree.Node
	def  *Node
	up   *frame
}

func (v *validator) fault(f *frame, n *tree.Node, path, hint, format string, a ...any) {
	if len(v.faults) < maxFaults {
		if path = f.path() + path; path == "" {
			path = "/"
		}
		v.faults = append(v.faults, Fault{Path: path, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, a...), Hint: hint})
	}
}

// broken tells of a fault of the document as a whole.
func (v *validator) broken(r Rule, f *frame, n *tree.Node, path, hint, format string, a ...any) {
	told := len(v.faults)
	v.fault(f, n, path, hint, format, a...)
	if len(v.faults) > told {
		v.faults[told].Rule = r
	}
}

// path writes where a node is, for people.
func (f *frame) path() string {
	if f.up == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString(f.up.path())
	b.WriteString(f.def.step())
	for _, key := range f.def.Keys {
		if k := f.node.Child(tree.Name{Space: f.def.Name.Space, Local: key}); k != nil {
			quote := "'"
			if strings.Contains(k.Value, quote) {
				quote = `"`
			}
			fmt.Fprintf(&b, "[%s=%s%s%s]", key, quote, clip(k.Value), quote)
		}
	}
	return b.String()
}

// step writes a node's name, with the module where that is not its parent's.
func (n *Node) step() string {
	if above := n.dataParent(); above != nil && n.Module == above.Module {
		return "/" + n.Name.Local
	}
	return "/" + n.Module + ":" + n.Name.Local
}

// visit judges a node and what is below it.
func (v *validator) visit(f *frame) {
	switch f.def.Kind {
	case Any:
		return
	case Leaf, LeafList:
		v.leaf(f)
		return
	}
	if f.node.Value != "" {
		v.fault(f, f.node, "", "take the text away", "a %s holds no text", kindName(f.def.Kind))
	}
	present := map[*Node][]*tree.Node{}
	chosen := map[*Node]*Node{}
	for _, child := range f.node.Children {
		if len(v.faults) == maxFaults {
			return
		}
		def := f.def.Child(child.Name)
		if def == nil || !def.holdsData() {
			v.unknown(f, child)
			continue
		}
		if def.ReadOnly {
			v.fault(f, child, def.step(), "take it away", "it is state, which only the device sets")
			continue
		}
		if before := present[def]; len(before) > 0 && def.Kind != List && def.Kind != LeafList {
			v.fault(f, child, def.step(), "take one away", "the %s is there twice", kindName(def.Kind))
		}
		present[def] = append(present[def], child)
		v.choose(f, child, def, chosen)
		v.visit(&frame{child, def, f})
	}
	for _, child := range f.node.Children {
		def := f.def.Child(child.Name)
		if nodes := present[def]; len(nodes) > 0 && nodes[0] == child {
			v.entries(f, def, nodes)
			if f.up == nil { // what is not there at the top is not asked for
				v.few(f, f.node, "", def, len(nodes))
			}
		}
	}
	if f.up != nil {
		v.missing(f, f.node, "", f.def, present)
	}
}

// choose holds the children of one node to one case of each choice.
func (v *validator) choose(f *frame, child *tree.Node, def *Node, chosen map[*Node]*Node) {
	for p := def.parent; p != nil && p != f.def; p = p.parent {
		if p.Kind != Case {
			continue
		}
		choice := p.parent
		if other := chosen[choice]; other != nil && other != p {
			v.fault(f, child, def.step(), "take one of the two away",
				"it excludes what belongs to the case %s of the choice %s", other.Name.Local, choice.Name.Local)
		} else {
			chosen[choice] = p
		}
	}
}

// unknown tells of an element that no model has, and looks for what was meant.
func (v *validator) unknown(f *frame, child *tree.Node) {
	var names []string
	for name, def := range f.def.index {
		if name.Local == child.Name.Local && def.holdsData() {
			v.fault(f, child, "/"+clip(child.Name.Local), fmt.Sprintf("write xmlns=%q", name.Space),
				"%s is not in the namespace %q", clip(child.Name.Local), clip(child.Name.Space))
			return
		}
		names = append(names, name.Local)
	}
	slices.Sort(names)
	hint := "take it away, or give the module that defines it"
	if near := problem.Nearest(child.Name.Local, names); near != "" {
		hint = "did you mean " + near + "?"
	} else if len(names) > 0 {
		hint = "take it away; known here are " + list(names)
	}
	where := "at the top"
	if f.up != nil {
		where = "in " + f.def.Name.Local
	}
	v.fault(f, child, "/"+clip(child.Name.Local), hint, "no model has %s %s", clip(child.Name.Local), where)
}

// leaf judges a value.
func (v *validator) leaf(f *frame) {
	if len(f.node.Children) > 0 {
		v.fault(f, f.node, "", "write a value", "a %s holds no elements", kindName(f.def.Kind))
		return
	}
	value, err := v.read(f.def, f.node)
	if err != nil {
		v.fault(f, f.node, "", "correct the value", "%s is no %s: %v", f.def.quote(f.node), typeName(f.def.Type), err)
		return
	}
	v.reference(f, f.def.Type, value)
}

// read gives the canonical form of a leaf's value.
func (v *validator) read(def *Node, n *tree.Node) (string, error) {
	if def.Type == nil {
		return "", errNoType // a predicate may name what is no leaf
	}
	r := &reading{schema: v.schema, prefixes: n.Prefixes, space: def.Name.Space}
	return r.read(def.Type, n.Value)
}

// secrets are parts of names of leafs whose values no message may tell.
var secrets = []string{"password", "passwd", "passphrase", "secret", "private", "key-data", "community", "token", "psk"}

// quote writes a value for a message, unless it may be a secret.
func (n *Node) quote(at *tree.Node) string {
	name := strings.ToLower(n.Name.Local)
	if slices.ContainsFunc(secrets, func(part string) bool { return strings.Contains(name, part) }) {
		return "the value"
	}
	return strconv.Quote(clip(at.Value))
}

func typeName(t *Type) string {
	if t.Base == "leafref" || t.Name == t.Base {
		return t.Name
	}
	return t.Name + " (" + t.Base + ")"
}

func kindName(k Kind) string {
	if k > Any {
		return "node"
	}
	return tree.Kind(k).String()
}
