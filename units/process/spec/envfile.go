package spec

import (
	"strings"
	"unicode/utf8"
)

// ParseEnvFile reads the text of an environment file (systemd.exec(5),
// EnvironmentFile=): NAME=value lines, comments with # and ;, quotes, and a
// backslash that escapes or continues. Lines that set nothing, and names or
// values that no environment can hold, are passed over as systemd does. The
// result is in the order of the file; of two with one name the later counts.
func ParseEnvFile(text string) []string {
	p := envParser{}
	for i := range len(text) {
		p.feed(text[i])
	}
	if p.state != inPreKey && p.state != inKey && p.state != inComment && p.state != inCommentEscape {
		p.push()
	}
	return p.out
}

type envState int

const (
	inPreKey envState = iota
	inKey
	inPreValue
	inValue
	inValueEscape
	inSingle
	inDouble
	inDoubleEscape
	inComment
	inCommentEscape
)

// envParser is a state machine over bytes, since one line may continue on the
// next in four different ways.
type envParser struct {
	state      envState
	key, value []byte
	keep       int // how much of value is not trailing white space
	out        []string
}

func newline(c byte) bool { return c == '\n' || c == '\r' }

func (p *envParser) add(c byte, solid bool) {
	p.value = append(p.value, c)
	if solid {
		p.keep = len(p.value)
	}
}

func (p *envParser) push() {
	name, value := strings.TrimRight(string(p.key), blanks), string(p.value[:p.keep])
	if ValidName(name) && utf8.ValidString(value) && !strings.ContainsRune(value, 0) {
		p.out = append(p.out, name+"="+value)
	}
	p.reset()
}

func (p *envParser) reset() {
	p.state, p.key, p.value, p.keep = inPreKey, p.key[:0], p.value[:0], 0
}

func (p *envParser) feed(c byte) {
	blank := strings.IndexByte(blanks, c) >= 0
	switch p.state {
	case inPreKey:
		switch {
		case c == '#' || c == ';':
			p.state = inComment
		case !blank:
			p.state, p.key = inKey, append(p.key, c)
		}
	case inKey:
		switch {
		case newline(c):
			p.reset()
		case c == '=':
			p.state = inPreValue
		default:
			p.key = append(p.key, c)
		}
	case inComment:
		switch {
		case c == '\\':
			p.state = inCommentEscape
		case newline(c):
			p.state = inPreKey
		}
	case inCommentEscape:
		p.state = inComment
	default:
		p.feedValue(c, blank)
	}
}

func (p *envParser) feedValue(c byte, blank bool) {
	switch p.state {
	case inPreValue:
		switch {
		case newline(c):
			p.push()
		case c == '\'':
			p.state = inSingle
		case c == '"':
			p.state = inDouble
		case c == '\\':
			p.state = inValueEscape
		case !blank:
			p.state = inValue
			p.add(c, true)
		}
	case inValue:
		switch {
		case newline(c):
			p.push()
		case c == '\\':
			p.state = inValueEscape
		default:
			p.add(c, !blank)
		}
	case inValueEscape:
		p.state = inValue
		if !newline(c) {
			p.add(c, true)
		}
	case inSingle:
		if c == '\'' {
			p.state = inPreValue
		} else {
			p.add(c, true)
		}
	case inDouble:
		switch c {
		case '"':
			p.state = inPreValue
		case '\\':
			p.state = inDoubleEscape
		default:
			p.add(c, true)
		}
	case inDoubleEscape:
		p.state = inDouble
		if strings.IndexByte("\"\\`$", c) < 0 && c != '\n' {
			p.add('\\', true)
		}
		if c != '\n' {
			p.add(c, true)
		}
	}
}
