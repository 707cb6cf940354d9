package service

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/netconf/tree"
)

// Limits of a document of services.
const (
	maxDocument = 16 << 20 // bytes
	maxKey      = 200      // bytes of an instance's key
)

// ParseServices reads a <services> document: each element in it that is no part
// of the controller's own model is an instance. One that can't be used is left
// out with a problem whose Field is its service; a document that can't be read
// has no instances.
func ParseServices(file string, data []byte) ([]Instance, problem.List) {
	p := instances{file: file, seen: map[string]int{}}
	root, err := tree.Parse(bytes.NewReader(data), tree.Limits{Bytes: maxDocument})
	if err != nil {
		at := problem.Problem{File: file, Severity: problem.Error, Message: err.Error(), Hint: "check the file"}
		if e, ok := errors.AsType[*tree.SyntaxError](err); ok {
			at.Line, at.Column, at.Message, at.Hint = e.Line, e.Column, e.Message, e.Hint
		}
		return nil, problem.List{at}
	}
	services := root
	if root.Name.Local == "config" {
		services = root.Child(tree.Name{Space: Namespace, Local: "services"})
	}
	if services == nil || services.Name != (tree.Name{Space: Namespace, Local: "services"}) {
		p.fault(root, "", fmt.Sprintf("the document is <%s>, not <services> of %s", root.Name.Local, Namespace),
			`put the instances into <services xmlns="`+Namespace+`">`)
		return nil, p.list
	}
	for _, n := range services.Children {
		p.instance(n)
	}
	return p.out, p.list
}

type instances struct {
	file string
	out  []Instance
	list problem.List
	seen map[string]int // the line of an instance, by its name
}

func (p *instances) fault(n *tree.Node, field, message, hint string) {
	p.list = append(p.list, problem.Problem{
		Severity: problem.Error, File: p.file, Line: n.Line, Column: n.Column,
		Field: field, Message: message, Hint: hint,
	})
}

// instance reads one entry. What is in the controller's own namespace is its
// settings (service-timeout, properties), which services read through All.
func (p *instances) instance(n *tree.Node) {
	service := n.Name.Local
	switch {
	case n.Name.Space == Namespace && (service == "service-timeout" || service == "properties"):
		return
	case n.Name.Space == "" || n.Name.Space == Namespace:
		p.fault(n, service, "<"+service+"> has no namespace of its own", `give it the one of its YANG module, as in <`+service+` xmlns="http://example.com/`+service+`">`)
		return
	case len(n.Children) == 0:
		p.fault(n, service, "<"+service+"> is empty", "give it a key leaf, such as <instance>NAME</instance>, or take it out")
		return
	}
	key := n.Children[0] // keys stand first (RFC 7950 section 7.8.5)
	if len(key.Children) > 0 {
		p.fault(key, service, "<"+service+"> begins with <"+key.Name.Local+">, which is no leaf and so not its key", "put the key first, such as <instance>NAME</instance>")
		return
	}
	if fault := keyFault(key.Value); fault != "" {
		p.fault(key, service, "the key <"+key.Name.Local+"> "+fault, "name the instance in a few plain characters")
		return
	}
	i := Instance{
		Service: service, Namespace: n.Name.Space, KeyLeaf: key.Name.Local, Key: key.Value,
		Config: p.plain(n), File: p.file, Line: n.Line,
	}
	if line, twice := p.seen[i.Name()]; twice {
		p.fault(n, service, fmt.Sprintf("the instance %s stands in line %d already", i.Name(), line), "merge the two, or give one of them another key")
		return
	}
	p.seen[i.Name()] = n.Line
	p.out = append(p.out, i)
}

// plain gives an instance without the controller's record of what it created,
// which an export of a running controller has in it.
func (p *instances) plain(n *tree.Node) *tree.Node {
	created := tree.Name{Space: n.Name.Space, Local: "created"}
	c := n.Child(created)
	if c == nil || len(c.Children) > 0 && c.Children[0].Name.Local != "path" {
		return n
	}
	p.list = append(p.list, problem.Problem{
		Severity: problem.Warning, File: p.file, Line: c.Line, Column: c.Column, Field: n.Name.Local,
		Message: "<created> is the record of another controller and is left out", Hint: "remove it",
	})
	bare := *n
	bare.Children = make([]*tree.Node, 0, len(n.Children)-1)
	for _, child := range n.Children {
		if child != c {
			bare.Children = append(bare.Children, child)
		}
	}
	return &bare
}

// keyFault says what is wrong with a key that is to be a part of names, paths
// and messages.
func keyFault(key string) string {
	switch {
	case strings.TrimSpace(key) == "":
		return "is empty"
	case len(key) > maxKey:
		return fmt.Sprintf("is longer than %d bytes", maxKey)
	case strings.ContainsFunc(key, unicode.IsControl):
		return "has a control character in it"
	case strings.TrimSpace(key) != key:
		return "begins or ends with a blank"
	}
	return ""
}
