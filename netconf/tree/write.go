package tree

import (
	"slices"
	"strconv"
	"unicode/utf8"
)

// AppendXML appends the document in its compact form: no white space, the default
// namespace declared where it changes, prefixes only where attributes or
// [Node.Prefixes] need them (`nc` for [BaseSpace]). Equal trees give equal bytes,
// and Parse gives the tree back. Characters that XML does not allow become U+FFFD.
func (n *Node) AppendXML(dst []byte) []byte {
	w := writer{dst: dst}
	w.root(n)
	return w.dst
}

// Pretty gives the document with one element a line, for people and for
// differences of text.
func (n *Node) Pretty() string {
	w := writer{indent: true}
	w.root(n)
	return string(w.dst)
}

type writer struct {
	dst      []byte
	indent   bool
	prefixes []nsPrefix // of attributes, declared at the root
}

type nsPrefix struct{ uri, prefix string }

// wellKnown gives namespaces of attributes the prefixes by which people know
// them.
var wellKnown = map[string]string{BaseSpace: "nc", YANGSpace: "yang", "http://clicon.org/lib": "cl"}

// root writes the outermost element. All prefixes of attributes are declared on
// it, once, and differ from all that values use.
func (w *writer) root(n *Node) {
	taken := map[string]string{}
	w.collect(n, taken)
	for i := range w.prefixes {
		p := &w.prefixes[i]
		stem := wellKnown[p.uri]
		if stem == "" {
			stem = "n"
		}
		p.prefix = stem
		for try := 1; ; try++ {
			if uri, ok := taken[p.prefix]; !ok || uri == p.uri {
				break
			}
			p.prefix = stem + strconv.Itoa(try)
		}
		taken[p.prefix] = p.uri
	}
	w.element(n, "", 0)
}

// collect notes the namespaces of attributes, and which prefix values use for
// which namespace; "" in taken stands for several.
func (w *writer) collect(n *Node, taken map[string]string) {
	for _, a := range n.Attrs {
		if a.Name.Space != "" && a.Name.Space != xmlSpace && w.prefix(a.Name.Space) == nil {
			w.prefixes = append(w.prefixes, nsPrefix{uri: a.Name.Space})
		}
	}
	for prefix, uri := range n.Prefixes {
		if other, ok := taken[prefix]; ok && other != uri {
			uri = ""
		}
		taken[prefix] = uri
	}
	for _, c := range n.Children {
		w.collect(c, taken)
	}
}

func (w *writer) prefix(uri string) *nsPrefix {
	for i := range w.prefixes {
		if w.prefixes[i].uri == uri {
			return &w.prefixes[i]
		}
	}
	return nil
}

// element writes n inside of elements whose default namespace is space.
func (w *writer) element(n *Node, space string, depth int) {
	w.margin(depth)
	w.dst = append(append(w.dst, '<'), n.Name.Local...)
	if n.Name.Space != space {
		w.declare("", n.Name.Space)
	}
	if depth == 0 {
		for _, p := range w.prefixes {
			w.declare(p.prefix, p.uri)
		}
	}
	w.bindings(n, depth)
	for _, a := range n.Attrs {
		w.dst = append(w.dst, ' ')
		if a.Name.Space == xmlSpace {
			w.dst = append(w.dst, "xml:"...)
		} else if p := w.prefix(a.Name.Space); p != nil {
			w.dst = append(append(w.dst, p.prefix...), ':')
		}
		w.dst = append(append(w.dst, a.Name.Local...), '=', '"')
		w.dst = append(appendEscaped(w.dst, a.Value, true), '"')
	}
	if n.Value == "" && len(n.Children) == 0 {
		w.dst = append(w.dst, "/>"...)
		w.newline()
		return
	}
	w.dst = append(w.dst, '>')
	if len(n.Children) > 0 {
		w.newline()
		for _, c := range n.Children {
			w.element(c, n.Name.Space, depth+1)
		}
		w.margin(depth)
	} else {
		w.dst = appendEscaped(w.dst, n.Value, false)
	}
	w.dst = append(append(append(w.dst, "</"...), n.Name.Local...), '>')
	w.newline()
}

// bindings declares what the values of a node need, in the order of the prefixes.
func (w *writer) bindings(n *Node, depth int) {
	if len(n.Prefixes) == 0 {
		return
	}
	names := make([]string, 0, len(n.Prefixes))
	for prefix, uri := range n.Prefixes {
		if p := w.prefix(uri); prefix != "" && (p == nil || p.prefix != prefix) {
			names = append(names, prefix)
		}
	}
	slices.Sort(names)
	for _, prefix := range names {
		w.declare(prefix, n.Prefixes[prefix])
	}
}

func (w *writer) declare(prefix, uri string) {
	w.dst = append(w.dst, " xmlns"...)
	if prefix != "" {
		w.dst = append(append(w.dst, ':'), prefix...)
	}
	w.dst = append(appendEscaped(append(w.dst, '=', '"'), uri, true), '"')
}

func (w *writer) margin(depth int) {
	for range depth {
		if w.indent {
			w.dst = append(w.dst, "  "...)
		}
	}
}

func (w *writer) newline() {
	if w.indent {
		w.dst = append(w.dst, '\n')
	}
}

// appendEscaped writes a text so that it is read back as it was. A text of white
// space alone begins with a reference, as it would count for none otherwise.
func appendEscaped(dst []byte, s string, attr bool) []byte {
	blank := !attr && s != "" && isBlank(s)
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '&':
			dst = append(dst, "&amp;"...)
		case c == '<':
			dst = append(dst, "&lt;"...)
		case c == '>':
			dst = append(dst, "&gt;"...)
		case c == '"' && attr:
			dst = append(dst, "&quot;"...)
		case c == '\r', attr && (c == '\n' || c == '\t'), blank && i == 0:
			dst = append(strconv.AppendUint(append(dst, "&#"...), uint64(c), 10), ';')
		case c < utf8.RuneSelf && (c >= ' ' || c == '\n' || c == '\t'):
			dst = append(dst, c)
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if !isChar(r) {
				r = utf8.RuneError
			}
			dst = utf8.AppendRune(dst, r)
			i += size - 1
		}
		i++
	}
	return dst
}
