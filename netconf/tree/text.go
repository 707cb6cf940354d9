package tree

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// text reads the text of an element up to the next `<` or the end of the
// document into p.value.
func (p *parser) text() error {
	for {
		if p.pos == p.end && !p.fill() {
			return nil
		}
		b := p.buf[p.pos:p.end]
		i := 0
		for i < len(b) && class[b[i]]&plainText != 0 {
			i++
		}
		p.value = append(p.value, b[:i]...)
		p.advance(i)
		if i == len(b) {
			continue
		}
		switch c := b[i]; {
		case c == '<':
			return nil
		case c == '&':
			if err := p.reference(); err != nil {
				return err
			}
		case c == ']':
			if p.need(3) && bytes.HasPrefix(p.buf[p.pos:p.end], cdataEnd) {
				return p.fail("write ]]&gt;", "]]> stands outside of a CDATA section")
			}
			p.value = append(p.value, ']')
			p.advance(1)
		default:
			if err := p.char(); err != nil {
				return err
			}
		}
	}
}

var (
	cdataStart = []byte("<![CDATA[")
	cdataEnd   = []byte("]]>")
)

// cdata reads a CDATA section into p.value; pos stands behind its start.
func (p *parser) cdata() error {
	p.solid = true
	for {
		if !p.need(3) {
			return p.ended("a CDATA section")
		}
		b := p.buf[p.pos:p.end]
		if bytes.HasPrefix(b, cdataEnd) {
			p.advance(3)
			return nil
		}
		i := 0
		for i < len(b) && b[i] != ']' && b[i] != '\r' && b[i] < utf8.RuneSelf && (b[i] >= ' ' || b[i] == '\n' || b[i] == '\t') {
			i++
		}
		p.value = append(p.value, b[:i]...)
		p.advance(i)
		switch {
		case i > 0:
		case b[0] == ']':
			p.value = append(p.value, ']')
			p.advance(1)
		default:
			if err := p.char(); err != nil {
				return err
			}
		}
	}
}

// char reads one character that is not plain text: a carriage return, which
// becomes a line's end, or one beyond ASCII.
func (p *parser) char() error {
	if p.buf[p.pos] == '\r' {
		if p.need(2) && p.buf[p.pos+1] == '\n' {
			p.pos++ // the \n is read next
			return nil
		}
		p.pos++
		p.value = append(p.value, '\n')
		return nil
	}
	for n := 1; n <= utf8.UTFMax && !utf8.FullRune(p.buf[p.pos:p.end]); n++ {
		p.need(n)
	}
	r, size := utf8.DecodeRune(p.buf[p.pos:p.end])
	if r == utf8.RuneError && size <= 1 {
		return p.fail("documents are UTF-8", "a byte is not UTF-8")
	}
	if !isChar(r) {
		return p.fail("take it out", "the character %U may not stand in XML", r)
	}
	p.value = utf8.AppendRune(p.value, r)
	p.pos += size
	return nil
}

// reference reads the reference at pos into p.value.
func (p *parser) reference() error {
	const longest = 12 // &#x0010FFFF;
	var b []byte
	for n := 1; n <= longest && len(b) == 0; n++ {
		if !p.need(n) {
			break
		}
		if p.buf[p.pos+n-1] == ';' {
			b = p.buf[p.pos : p.pos+n]
		}
	}
	r, ok := dereference(b)
	if !ok {
		return p.fail(entityHint, "a reference is none of those that are known")
	}
	p.solid = true
	p.value = utf8.AppendRune(p.value, r)
	p.pos += len(b)
	return nil
}

const entityHint = "only &amp; &lt; &gt; &quot; &apos; and numbers are; write & as &amp;"

// dereference gives the character that a reference, with its & and ;, stands for.
func dereference(b []byte) (rune, bool) {
	switch string(b) {
	case "&amp;":
		return '&', true
	case "&lt;":
		return '<', true
	case "&gt;":
		return '>', true
	case "&quot;":
		return '"', true
	case "&apos;":
		return '\'', true
	}
	if len(b) < 4 || b[1] != '#' {
		return 0, false
	}
	digits, base := string(b[2:len(b)-1]), 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	return rune(n), err == nil && n <= utf8.MaxRune && isChar(rune(n))
}

// attrValue decodes what stands between the quotes of an attribute. The bytes
// stand in the buffer.
func (p *parser) attrValue(raw []byte) (string, string) {
	out := p.scratch[:0]
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '<':
			return "", "an attribute's value has a < that is not written &lt;"
		case c == '&':
			end := bytes.IndexByte(raw[i:], ';')
			r, ok := dereference(raw[i : i+end+1])
			if !ok {
				return "", "an attribute's value has a reference that is not known"
			}
			out = utf8.AppendRune(out, r)
			i += end + 1
		case c == '\r':
			i++
			if i == len(raw) || raw[i] != '\n' {
				out = append(out, '\n')
			}
		default:
			r, size := utf8.DecodeRune(raw[i:])
			if r == utf8.RuneError && size <= 1 || !isChar(r) {
				return "", "an attribute's value has a character that may not stand in XML"
			}
			out = append(out, raw[i:i+size]...)
			i += size
		}
	}
	p.scratch = out
	return p.keep(out), ""
}
