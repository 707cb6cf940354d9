package service

import (
	"fmt"
	"strings"
	"text/template"
	"text/template/parse"
)

// lexical is where in XML a place of a template stands.
type lexical int

const (
	inText lexical = iota
	inTag
	inDouble // the value of an attribute, in double quotes
	inSingle
	inComment
	inCDATA
	inInstruction
)

var lexicalNames = [...]string{"text", "a tag", "the value of an attribute", "the value of an attribute", "a comment", "a CDATA section", "a processing instruction"}

// sections are what looks like a tag and is none, with what ends it.
var sections = []struct {
	begin, end string
	in         lexical
}{
	{"<!--", "-->", inComment},
	{"<![CDATA[", "]]>", inCDATA},
	{"<?", "?>", inInstruction},
}

// rewriter changes a parsed template so that what an action prints is escaped,
// loops are counted, and values can't become markup: as html/template does, with
// the simpler rules of XML.
type rewriter struct {
	file, source string
	trace        bool // tell the line of each piece of text
	device       bool // found: something depends on the device

	tree    *parse.Tree
	defined map[string]*parse.Tree
	calls   map[string][]*parse.TemplateNode
	loop    []lexical // where the loops that are open began
	err     error
}

// set rewrites all templates of a set.
func (r *rewriter) set(set *template.Template) error {
	r.defined, r.calls = map[string]*parse.Tree{}, map[string][]*parse.TemplateNode{}
	for _, t := range set.Templates() {
		r.defined[t.Name()] = t.Tree
	}
	for name, tree := range r.defined {
		if tree == nil || tree.Root == nil {
			continue
		}
		r.tree = tree
		if end := r.list(tree.Root, inText); r.err == nil && end != inText {
			r.fail(tree.Root, "the template "+name+" ends within "+lexicalNames[end], "close it")
		}
		tree.Root.Nodes = append([]parse.Node{r.action(tree.Root, "_turn")}, tree.Root.Nodes...)
	}
	done := map[string]bool{}
	for name := range r.defined {
		r.follow(name, done)
	}
	return r.err
}

// follow refuses templates that call themselves, which would take memory
// without bounds. What done has is being followed, or true when it has been.
func (r *rewriter) follow(name string, done map[string]bool) {
	done[name] = false
	for _, c := range r.calls[name] {
		if through, known := done[c.Name]; !known {
			r.follow(c.Name, done)
		} else if !through {
			r.fail(c, "the template "+c.Name+" calls itself", "use a range")
		}
	}
	done[name] = true
}

// fail notes the first fault.
func (r *rewriter) fail(n parse.Node, message, hint string) {
	if r.err == nil {
		r.err = &TemplateError{File: r.file, Line: r.line(n), Message: message, Hint: hint}
	}
}

func (r *rewriter) line(n parse.Node) int {
	return 1 + strings.Count(r.source[:min(int(n.Position()), len(r.source))], "\n")
}

// list rewrites nodes that begin in a state, and gives the one they end in.
func (r *rewriter) list(l *parse.ListNode, in lexical) lexical {
	if l == nil {
		return in
	}
	nodes := make([]parse.Node, 0, len(l.Nodes))
	for _, n := range l.Nodes {
		if r.err != nil {
			return in
		}
		if t, ok := n.(*parse.TextNode); ok && r.trace {
			nodes = append(nodes, r.action(t, "_at", r.number(t)))
		}
		nodes = append(nodes, n)
		in = r.node(n, in)
	}
	l.Nodes = nodes
	return in
}

func (r *rewriter) node(n parse.Node, in lexical) lexical {
	switch n := n.(type) {
	case *parse.TextNode:
		return r.text(n, in)
	case *parse.ActionNode:
		r.pipe(n.Pipe)
		if len(n.Pipe.Decl) == 0 {
			if in != inText && in != inDouble && in != inSingle {
				r.fail(n, "the action "+n.String()+" stands in "+lexicalNames[in], "actions print into text, or into the quoted value of an attribute")
			}
			n.Pipe.Cmds = append(n.Pipe.Cmds, r.command(n, "_xml", r.quoted(n, n.String())))
		}
	case *parse.IfNode:
		return r.branch(&n.BranchNode, in)
	case *parse.WithNode:
		return r.branch(&n.BranchNode, in)
	case *parse.RangeNode:
		r.loop = append(r.loop, in)
		r.branch(&n.BranchNode, in)
		r.loop = r.loop[:len(r.loop)-1]
		n.Pipe.Cmds = append(n.Pipe.Cmds, r.command(n, "_list"))
	case *parse.BreakNode, *parse.ContinueNode:
		if start := r.loop[len(r.loop)-1]; start != in {
			r.fail(n, n.String()+" leaves its loop within "+lexicalNames[in], "close it before")
		}
	case *parse.TemplateNode:
		if in != inText {
			r.fail(n, n.String()+" stands in "+lexicalNames[in], "call templates in text only")
		}
		if n.Pipe != nil {
			r.pipe(n.Pipe)
		}
		r.calls[r.nameOf(r.tree)] = append(r.calls[r.nameOf(r.tree)], n)
	}
	return in
}

func (r *rewriter) nameOf(t *parse.Tree) string {
	for name, tree := range r.defined {
		if tree == t {
			return name
		}
	}
	return t.Name
}

// branch rewrites both branches of a node. They end in one state, which of a
// range is that in which it began.
func (r *rewriter) branch(b *parse.BranchNode, in lexical) lexical {
	r.pipe(b.Pipe)
	then, other := r.list(b.List, in), r.list(b.ElseList, in)
	if r.err == nil && (then != other || b.NodeType == parse.NodeRange && then != in) {
		r.fail(b, "the branches of {{"+map[parse.NodeType]string{parse.NodeIf: "if", parse.NodeWith: "with", parse.NodeRange: "range"}[b.NodeType]+"}} end in different places of the XML: "+lexicalNames[then]+" and "+lexicalNames[other],
			"close in each branch what it opens")
	}
	return then
}

// text follows the XML of a piece of text.
func (r *rewriter) text(n *parse.TextNode, in lexical) lexical {
	s := string(n.Text)
	for s != "" && r.err == nil {
		switch in {
		case inText:
			i := strings.IndexByte(s, '<')
			if i < 0 {
				return in
			}
			in, s = r.opened(n, s[i:])
		case inTag:
			i := strings.IndexAny(s, `>"'`)
			if i < 0 {
				return in
			}
			in = map[byte]lexical{'>': inText, '"': inDouble, '\'': inSingle}[s[i]]
			s = s[i+1:]
		default:
			end := map[lexical]string{inDouble: `"`, inSingle: "'", inComment: "-->", inCDATA: "]]>", inInstruction: "?>"}[in]
			_, after, ok := strings.Cut(s, end)
			if !ok {
				return in
			}
			if s = after; in == inDouble || in == inSingle {
				in = inTag
			} else {
				in = inText
			}
		}
	}
	return in
}

// opened says what a < begins, and what comes behind its first signs.
func (r *rewriter) opened(n *parse.TextNode, s string) (lexical, string) {
	for _, sec := range sections {
		if strings.HasPrefix(s, sec.begin) {
			return sec.in, s[len(sec.begin):]
		}
		if len(s) < len(sec.begin) && strings.HasPrefix(sec.begin, s) {
			at := &parse.TextNode{Pos: n.Pos + parse.Pos(len(n.Text)-len(s))}
			r.fail(at, fmt.Sprintf("an action stands right behind %q", s), "write the tag's name as it is")
		}
	}
	return inTag, s[1:]
}

// pipe looks for what depends on the device, and for escapers of other languages.
func (r *rewriter) pipe(p *parse.PipeNode) {
	for _, c := range p.Cmds {
		for _, a := range c.Args {
			r.argument(a)
		}
	}
}

func (r *rewriter) argument(n parse.Node) {
	names := []string(nil)
	switch n := n.(type) {
	case *parse.FieldNode:
		names = n.Ident
	case *parse.VariableNode:
		names = n.Ident[1:]
	case *parse.ChainNode:
		names = n.Field
		r.argument(n.Node)
	case *parse.PipeNode:
		r.pipe(n)
	case *parse.IdentifierNode:
		switch n.Ident {
		case "html", "js", "urlquery":
			r.fail(n, "the function "+n.Ident+" escapes for another language", "take it out; values are escaped for XML by themselves")
		case "_xml", "_list", "_at", "_turn":
			r.fail(n, "the function "+n.Ident+" is not for templates", "take it out")
		case "memberOf":
			r.device = true
		}
	}
	for _, name := range names {
		r.device = r.device || name == "Device"
	}
}

// action makes {{name args}} at the place of a node.
func (r *rewriter) action(at parse.Node, name string, args ...parse.Node) parse.Node {
	return &parse.ActionNode{
		NodeType: parse.NodeAction, Pos: at.Position(),
		Pipe: &parse.PipeNode{NodeType: parse.NodePipe, Pos: at.Position(), Cmds: []*parse.CommandNode{r.command(at, name, args...)}},
	}
}

func (r *rewriter) command(at parse.Node, name string, args ...parse.Node) *parse.CommandNode {
	id := parse.NewIdentifier(name).SetPos(at.Position()).SetTree(r.tree)
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: at.Position(), Args: append([]parse.Node{id}, args...)}
}

func (r *rewriter) quoted(at parse.Node, s string) parse.Node {
	return &parse.StringNode{NodeType: parse.NodeString, Pos: at.Position(), Quoted: fmt.Sprintf("%q", s), Text: s}
}

func (r *rewriter) number(at parse.Node) parse.Node {
	line := int64(r.line(at))
	return &parse.NumberNode{NodeType: parse.NodeNumber, Pos: at.Position(), IsInt: true, Int64: line, Text: fmt.Sprint(line)}
}
