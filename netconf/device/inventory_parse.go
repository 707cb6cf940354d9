package device

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/netconf/tree"
)

// parser reads one document.
type parser struct {
	file string
	inv  Inventory
	list problem.List
}

// String gives file:line.
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

func (p Place) fault(field, message, hint string) problem.Problem {
	return problem.Problem{Severity: problem.Error, File: p.File, Line: p.Line, Column: p.Column, Field: field, Message: message, Hint: hint}
}

func shown(n tree.Name) string {
	if n.Space == "" {
		return "<" + n.Local + "> of no namespace"
	}
	return "<" + n.Local + "> of " + n.Space
}

// syntax makes a problem of what tree.Parse says.
func syntax(file string, err error) problem.Problem {
	out := problem.Problem{Severity: problem.Error, File: file, Message: err.Error(), Hint: "mend the XML"}
	if s, ok := errors.AsType[*tree.SyntaxError](err); ok {
		out.Line, out.Column, out.Message, out.Hint = s.Line, s.Column, s.Message, s.Hint
	}
	return out
}

func (p *parser) place(n *tree.Node) Place {
	return Place{File: p.file, Line: n.Line, Column: n.Column}
}

func (p *parser) fault(n *tree.Node, field, message, hint string) problem.Problem {
	f := p.place(n).fault(field, message, hint)
	p.list = append(p.list, f)
	return f
}

func (p *parser) warn(n *tree.Node, field, message, hint string) {
	w := p.place(n).fault(field, message, hint)
	w.Severity = problem.Warning
	p.list = append(p.list, w)
}

// entry reads one child of <devices>.
func (p *parser) entry(n *tree.Node) {
	if n.Name.Space != Namespace {
		p.fault(n, "", shown(n.Name)+" doesn't belong into an inventory", "its elements are of the namespace "+Namespace)
		return
	}
	switch n.Name.Local {
	case "device", "device-group", "device-profile":
	case "device-timeout":
		p.warn(n, n.Name.Local, "<device-timeout> has no effect", "remove it")
		return
	case "template", "rpc-template":
		p.warn(n, n.Name.Local, "<"+n.Name.Local+"> has no effect", "write a service with a template instead")
		return
	default:
		p.fault(n, "", "<"+n.Name.Local+"> is no part of an inventory", "use device, device-group and device-profile")
		return
	}
	e := &element{p: p, kind: n.Name.Local, place: p.place(n), seen: map[string]bool{}}
	name, ok := e.name(n)
	if !ok {
		return
	}
	e.field = e.kind + "[" + name + "]"
	switch e.kind {
	case "device":
		d := Entry{Name: name}
		e.read(n, func(c *tree.Node) bool { return e.deviceLeaf(&d, c) || e.settingLeaf(&d.Settings, c) })
		if d.Addr == "" && len(e.place.Faults) == 0 {
			e.fault(n, "addr", "the device has no address", "add <addr>")
		}
		d.Place = e.place
		p.inv.Devices = append(p.inv.Devices, d)
	case "device-group":
		g := Group{Name: name}
		e.read(n, func(c *tree.Node) bool { return e.groupLeaf(&g, c) })
		g.Place = e.place
		p.inv.Groups = append(p.inv.Groups, g)
	case "device-profile":
		f := Profile{Name: name}
		e.read(n, func(c *tree.Node) bool { return e.settingLeaf(&f.Settings, c) })
		f.Place = e.place
		p.inv.Profiles = append(p.inv.Profiles, f)
	}
}

// element reads the children of one entry.
type element struct {
	p           *parser
	kind, field string
	place       Place
	seen        map[string]bool
}

func (e *element) fault(n *tree.Node, leaf, message, hint string) {
	field := e.field
	if leaf != "" {
		field += "/" + leaf
	}
	e.place.Faults = append(e.place.Faults, e.p.fault(n, field, message, hint))
}

// name gives the entry's name, which is good for a path, a key and an event.
func (e *element) name(n *tree.Node) (string, bool) {
	c := n.Child(tree.Name{Space: Namespace, Local: "name"})
	if c == nil || c.Value == "" {
		e.p.fault(n, e.kind, "a "+e.kind+" has no name", "add <name>")
		return "", false
	}
	if !GoodName(c.Value) {
		e.p.fault(c, e.kind, fmt.Sprintf("the name %.60q can't be used", c.Value), "use letters, digits and the signs . _ - : in up to 253 characters")
		return "", false
	}
	return c.Value, true
}

// GoodName says whether a device, a group or a profile may be called so.
func GoodName(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-:", r)
	})
}

// manyLeaves may stand in an entry more than once.
var manyLeaves = []string{"variable", "drift", "device-name", "device-group", "module-set"}

func (e *element) read(n *tree.Node, leaf func(*tree.Node) bool) {
	for _, c := range n.Children {
		local := c.Name.Local
		switch {
		case c.Name.Space != Namespace:
			e.fault(c, "", shown(c.Name)+" doesn't belong into a "+e.kind, "its elements are of the namespace "+Namespace)
		case e.seen[local] && !slices.Contains(manyLeaves, local):
			e.fault(c, local, "<"+local+"> stands here twice", "remove one of them")
		case local == "name" || local == "description":
		case !leaf(c):
			e.fault(c, local, "<"+local+"> is no part of a "+e.kind, "remove it, or mend its spelling")
		}
		e.seen[local] = true
	}
}

func (e *element) boolean(c *tree.Node) *bool {
	switch c.Value {
	case "true", "false":
		b := c.Value == "true"
		return &b
	}
	e.fault(c, c.Name.Local, fmt.Sprintf("<%s> is %.40q", c.Name.Local, c.Value), "write true or false")
	return nil
}

func (e *element) path(c *tree.Node) string {
	if !filepath.IsAbs(c.Value) {
		e.fault(c, c.Name.Local, "<"+c.Name.Local+"> is not an absolute file name", "write the full name of a file on the agent's machine")
		return ""
	}
	return filepath.Clean(c.Value)
}

func (e *element) number(c *tree.Node, low, high int) int {
	n, err := strconv.Atoi(c.Value)
	if err != nil || n < low || n > high {
		e.fault(c, c.Name.Local, fmt.Sprintf("<%s> is %.40q", c.Name.Local, c.Value), fmt.Sprintf("write a number from %d to %d", low, high))
		return 0
	}
	return n
}
