package tree

import "bytes"

// rawAttr is an attribute as it is written: its name, prefix and value.
type rawAttr struct {
	prefix, local []byte
	value         string
	at            int // in the buffer
}

// startTag reads a start tag, or the tag of an empty element.
func (p *parser) startTag() error {
	t, err := p.tag()
	if err != nil {
		return err
	}
	size := len(t) + 2
	if p.root != nil && len(p.open) == 0 {
		return p.fail("a document is one element", "there is a second root element")
	}
	if len(p.open) == p.limits.Depth {
		return p.fail("nest less, or raise the limit", "elements are nested deeper than %d", p.limits.Depth)
	}
	if !isBlank(p.value) || p.solid {
		return p.fail("configuration has text in leaves only", "text stands beside elements in %s", p.open[len(p.open)-1].tag)
	}
	p.value = p.value[:0]
	empty := len(t) > 0 && t[len(t)-1] == '/'
	if empty {
		t = t[:len(t)-1]
	}
	nameEnd := 0
	for nameEnd < len(t) && class[t[nameEnd]]&space == 0 {
		nameEnd++
	}
	f := opened{children: len(p.pending), undo: len(p.undo)}
	if err := p.attributes(t[nameEnd:], p.pos+1+nameEnd); err != nil {
		return err
	}
	if f.node, err = p.element(t[:nameEnd]); err != nil {
		return err
	}
	f.tag = p.name(t[:nameEnd])
	p.advance(size)
	p.open = append(p.open, f)
	if empty {
		p.close()
	}
	return nil
}

// element makes the node of a tag whose attributes are read.
func (p *parser) element(tag []byte) (*Node, error) {
	prefix, local, ok := splitName(tag)
	if !ok {
		return nil, p.fail("write & and < as &amp; and &lt;", "%q is not the name of an element", clip(tag))
	}
	space, ok := p.scope[string(prefix)]
	if !ok && len(prefix) > 0 {
		return nil, p.fail("declare it with xmlns:PREFIX=…", "the prefix %q is not declared", clip(prefix))
	}
	if p.nodes += 1 + len(p.attrs); p.nodes > p.limits.Nodes {
		return nil, p.fail("ask for less, or raise the limit", "the document has more than %d elements and attributes", p.limits.Nodes)
	}
	n := p.node()
	n.Name = Name{space, p.name(local)}
	n.Line, n.Column = p.line, p.column()
	for i, a := range p.attrs {
		space, ok := p.scope[string(a.prefix)]
		switch {
		case len(a.prefix) == 0:
			space = ""
		case !ok:
			return nil, p.failAt(a.at, "declare it with xmlns:PREFIX=…", "the prefix %q is not declared", clip(a.prefix))
		}
		attr := Attr{Name{space, p.name(a.local)}, a.value}
		if _, twice := n.Attr(attr.Name); twice {
			return nil, p.failAt(a.at, "keep one of them", "the attribute %s stands twice", attr.Name.Local)
		}
		if i == 0 {
			n.Attrs = make([]Attr, 0, len(p.attrs))
		}
		n.Attrs = append(n.Attrs, attr)
		p.bind(n, a.value)
	}
	return n, nil
}

// attributes reads the attributes of a tag into p.attrs, and its declarations
// into the scope.
func (p *parser) attributes(t []byte, at int) error {
	p.attrs = p.attrs[:0]
	for {
		rest := bytes.TrimLeft(t, " \t\r\n")
		if len(rest) == 0 {
			return nil
		}
		spaced := len(rest) < len(t)
		at += len(t) - len(rest)
		name, value, tail, ok := cutAttribute(rest)
		a := rawAttr{at: at}
		if ok && spaced {
			a.prefix, a.local, ok = splitName(name)
		}
		if !ok || !spaced {
			return p.failAt(at, `write name="value", with a blank before it`, "what stands in the tag is not an attribute")
		}
		var fault string
		if a.value, fault = p.attrValue(value); fault != "" {
			return p.failAt(at, entityHint, "%s", fault)
		}
		if err := p.attribute(a); err != nil {
			return err
		}
		at += len(rest) - len(tail)
		t = tail
	}
}

// attribute keeps an attribute, or declares a prefix.
func (p *parser) attribute(a rawAttr) error {
	prefix := ""
	switch {
	case string(a.prefix) == "xmlns":
		if prefix = p.name(a.local); a.value == "" {
			return p.failAt(a.at, "give it a namespace", "the prefix %q is bound to nothing", clip(a.local))
		}
	case len(a.prefix) > 0 || string(a.local) != "xmlns":
		if len(p.attrs) > 255 {
			return p.failAt(a.at, "no configuration needs as many", "an element has more than 256 attributes")
		}
		p.attrs = append(p.attrs, a)
		return nil
	}
	if prefix == "xmlns" || (prefix == "xml") != (a.value == xmlSpace) {
		return p.failAt(a.at, "take another", "the prefix %q can't be bound to this namespace", prefix)
	}
	uri := p.name([]byte(a.value))
	old, had := p.scope[prefix]
	p.undo = append(p.undo, binding{prefix, old, had})
	p.scope[prefix] = uri
	return nil
}

// cutAttribute takes `name = "raw"` from the front of a tag's rest.
func cutAttribute(t []byte) (name, raw, tail []byte, ok bool) {
	eq := bytes.IndexByte(t, '=')
	if eq < 0 {
		return nil, nil, nil, false
	}
	name = bytes.TrimRight(t[:eq], " \t\r\n")
	t = bytes.TrimLeft(t[eq+1:], " \t\r\n")
	if len(t) == 0 || t[0] != '"' && t[0] != '\'' {
		return nil, nil, nil, false
	}
	end := bytes.IndexByte(t[1:], t[0])
	if end < 0 {
		return nil, nil, nil, false
	}
	return name, t[1 : 1+end], t[2+end:], true
}

// endTag reads an end tag.
func (p *parser) endTag() error {
	t, err := p.tag()
	if err != nil {
		return err
	}
	name := bytes.TrimRight(t[1:], " \t\r\n")
	if len(p.open) == 0 {
		return p.fail("take it out", "the end tag %q closes nothing", clip(name))
	}
	if f := &p.open[len(p.open)-1]; string(name) != f.tag {
		return p.fail("close elements in the order in which they were opened",
			"%q is closed where %s, opened in line %d, is open", clip(name), f.tag, f.node.Line)
	}
	if p.children() && (!isBlank(p.value) || p.solid) {
		return p.fail("configuration has text in leaves only", "text stands beside elements in %s", clip(name))
	}
	p.advance(len(t) + 2)
	p.close()
	return nil
}

// children says whether the innermost element has any.
func (p *parser) children() bool { return len(p.pending) > p.open[len(p.open)-1].children }

// close ends the innermost element.
func (p *parser) close() {
	f := p.open[len(p.open)-1]
	p.open = p.open[:len(p.open)-1]
	switch n := f.node; {
	case len(p.pending) > f.children:
		n.Children = p.adopt(p.pending[f.children:])
		p.pending = p.pending[:f.children]
	case p.solid || !isBlank(p.value) || bytes.IndexByte(p.value, '\n') < 0:
		n.Value = p.keep(p.value)
		p.bind(n, n.Value)
	}
	if p.leaves != nil {
		f.node = p.share(f.node)
	}
	p.value, p.solid = p.value[:0], false
	for len(p.undo) > f.undo {
		b := p.undo[len(p.undo)-1]
		p.undo = p.undo[:len(p.undo)-1]
		if b.had {
			p.scope[b.prefix] = b.uri
		} else {
			delete(p.scope, b.prefix)
		}
	}
	if len(p.open) == 0 {
		p.root = f.node
	} else {
		p.pending = append(p.pending, f.node)
	}
}

// bind notes the prefixes that a value uses and that are in scope.
func (p *parser) bind(n *Node, value string) {
	if len(p.scope) == 1 {
		return
	}
	eachPrefix(value, func(start, end int) {
		prefix := value[start:end]
		uri, ok := p.scope[prefix]
		switch {
		case !ok || prefix == "xml" || n.Prefixes[prefix] == uri:
		case n.Prefixes == nil:
			key := prefix + " " + uri
			if p.bound[key] == nil {
				if p.bound == nil {
					p.bound = map[string]map[string]string{}
				}
				p.bound[key] = map[string]string{p.name([]byte(prefix)): uri}
			}
			n.Prefixes = p.bound[key]
		default: // a map of its own, as the one it has may be shared
			own := map[string]string{prefix: uri}
			for k, v := range n.Prefixes {
				own[k] = v
			}
			n.Prefixes = own
		}
	})
}

// splitName takes a name apart.
func splitName(b []byte) (prefix, local []byte, ok bool) {
	if i := bytes.IndexByte(b, ':'); i >= 0 {
		return b[:i], b[i+1:], isName(b[:i]) && isName(b[i+1:])
	}
	return nil, b, isName(b)
}

// clip shortens what is quoted in an error.
func clip(b []byte) string {
	if len(b) > 60 {
		return string(b[:60]) + "…"
	}
	return string(b)
}
