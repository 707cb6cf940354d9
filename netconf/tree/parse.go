package tree

import (
	"bytes"
	"errors"
	"hash/maphash"
	"io"
	"strings"
)

// Limits bounds what Parse takes. What is zero is as in [DefaultLimits].
type Limits struct {
	Bytes int64 // of the document
	Depth int   // of nested elements
	Nodes int   // elements and attributes together
	// Share lets leaves with one name and value be one node, with the place of the
	// first: it saves memory where nobody asks for places, as in what devices send.
	Share bool
}

// DefaultLimits lets the whole configuration of a big device through, and keeps
// what any document can cost below some 300 MB.
var DefaultLimits = Limits{Bytes: 256 << 20, Depth: 128, Nodes: 2 << 20}

// Parse reads a document: one root element, in UTF-8, with the namespaces of XML.
// It refuses what configuration has no use for (a document type, entities other
// than XML's five, text beside elements), undeclared prefixes, and what exceeds a
// limit: a *[SyntaxError]. Errors of the reader are handed on as they are.
// Comments and processing instructions are skipped; white space alone is no
// value unless it is written as reference or CDATA, or within one line.
func Parse(r io.Reader, l Limits) (*Node, error) {
	if l.Bytes <= 0 {
		l.Bytes = DefaultLimits.Bytes
	}
	if l.Depth <= 0 {
		l.Depth = DefaultLimits.Depth
	}
	if l.Nodes <= 0 {
		l.Nodes = DefaultLimits.Nodes
	}
	p := &parser{
		scanner: newScanner(r, l.Bytes), limits: l, seed: maphash.MakeSeed(),
		names: map[string]string{}, scope: map[string]string{"xml": xmlSpace},
	}
	if l.Share {
		p.leaves = make([]*Node, 1024)
	}
	if err := p.document(); err != nil {
		return nil, err
	}
	return p.root, nil
}

// ParseBytes is Parse for a document in memory, with the default limits.
func ParseBytes(doc []byte) (*Node, error) { return Parse(bytes.NewReader(doc), Limits{}) }

// opened is an element that is open.
type opened struct {
	node     *Node
	tag      string // its name with the prefix
	children int    // where its children begin in parser.pending
	undo     int    // where its declarations begin in parser.undo
}

// binding is what a declaration replaced in the scope.
type binding struct {
	prefix, uri string
	had         bool
}

// parser builds a tree out of few, big pieces of memory: a configuration has
// many small nodes, and what the allocator would add to each counts.
type parser struct {
	*scanner
	limits  Limits
	nodes   int // elements and attributes so far
	root    *Node
	open    []opened
	pending []*Node // the children so far of all that is open
	value   []byte  // the text so far of the innermost element
	solid   bool    // the text has a part that was written on purpose
	scope   map[string]string
	undo    []binding
	attrs   []rawAttr
	scratch []byte

	names    map[string]string
	bound    map[string]map[string]string // bindings that many values share
	slab     []Node                       // slab[:used] are taken
	used     int
	pointers []*Node
	strings  strings.Builder
	seed     maphash.Seed
	recent   [512]string // values by their hash: keys, and words like "true", come again
	leaves   []*Node     // likewise, if they are shared
}

// document reads everything.
func (p *parser) document() error {
	if p.need(3) && bytes.HasPrefix(p.buf[p.pos:p.end], []byte("\xEF\xBB\xBF")) {
		p.pos += 3
		p.lineStart = p.base + int64(p.pos)
	}
	if p.need(6) && bytes.HasPrefix(p.buf[p.pos:p.end], []byte("<?xml")) && class[p.buf[p.pos+5]]&space != 0 {
		if err := p.declaration(); err != nil {
			return err
		}
	}
	for {
		if err := p.text(); err != nil {
			return err
		}
		if len(p.open) == 0 {
			if !isBlank(p.value) || p.solid {
				return p.fail("a document is one element", "there is text outside of the root element")
			}
			p.value = p.value[:0]
		}
		if p.pos == p.end {
			switch {
			case len(p.open) > 0:
				return p.ended("the element " + p.open[len(p.open)-1].tag)
			case !errors.Is(p.err, io.EOF):
				return p.err
			case p.root == nil:
				return p.fail("write one", "the document has no element")
			}
			return nil
		}
		if err := p.markup(); err != nil {
			return err
		}
	}
}

// declaration reads `<?xml …?>`, which may say only XML 1.0 and UTF-8.
func (p *parser) declaration() error {
	end := -1
	for end < 0 {
		if end = bytes.Index(p.buf[p.pos:p.end], []byte("?>")); end < 0 && !p.fill() {
			return p.ended("the XML declaration")
		}
	}
	decl := p.buf[p.pos : p.pos+end]
	if version := declared(decl, "version"); version != "" && version != "1.0" {
		return p.fail("write version 1.0", "the document is not XML 1.0")
	}
	if encoding := strings.ToLower(declared(decl, "encoding")); encoding != "" && encoding != "utf-8" && encoding != "us-ascii" {
		return p.fail("convert it to UTF-8", "the document is not encoded in UTF-8")
	}
	p.advance(end + 2)
	return nil
}

// declared gives what an XML declaration says of a name, "" for nothing.
func declared(decl []byte, name string) string {
	_, after, _ := bytes.Cut(decl, []byte(name))
	after, ok := bytes.CutPrefix(bytes.TrimLeft(after, " \t\r\n"), []byte("="))
	if after = bytes.TrimLeft(after, " \t\r\n"); !ok || len(after) < 2 {
		return ""
	}
	value, _, _ := bytes.Cut(after[1:], after[:1])
	return string(value)
}

// markup reads what the `<` at pos begins.
func (p *parser) markup() error {
	if !p.need(2) {
		return p.ended("a tag")
	}
	switch p.buf[p.pos+1] {
	case '/':
		return p.endTag()
	case '?':
		return p.instruction()
	case '!':
		p.need(len(cdataStart))
		switch b := p.buf[p.pos:p.end]; {
		case bytes.HasPrefix(b, []byte("<!--")):
			return p.comment()
		case bytes.HasPrefix(b, cdataStart) && len(p.open) > 0:
			p.advance(len(cdataStart))
			return p.cdata()
		}
		return p.fail("take it out; no configuration needs one", "the document has a document type declaration, or a section that is not known")
	}
	return p.startTag()
}

// comment skips a comment, in which XML allows no two hyphens.
func (p *parser) comment() error {
	p.advance(4)
	if err := p.skipTo("--", "a comment"); err != nil {
		return err
	}
	if !p.need(1) {
		return p.ended("a comment")
	}
	if p.buf[p.pos] != '>' {
		return p.fail("take them out", "a comment has two hyphens in it")
	}
	p.advance(1)
	return nil
}

// instruction skips a processing instruction.
func (p *parser) instruction() error {
	if p.need(6) && bytes.EqualFold(p.buf[p.pos+2:p.pos+5], []byte("xml")) && class[p.buf[p.pos+5]]&nameByte == 0 {
		return p.fail("a message holds one document", "an XML declaration stands within the document")
	}
	p.advance(2)
	if !p.need(1) || class[p.buf[p.pos]]&nameStart == 0 {
		return p.fail("take it out", "a processing instruction has no name")
	}
	return p.skipTo("?>", "a processing instruction")
}
