package yang

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of a regular expression: how deep its groups nest, how large its
// program gets when its repetitions are written out, and the same for all
// expressions of one Compile.
const (
	maxGroups     = 100
	maxProgram    = 20_000
	maxProgramAll = 500_000
	goRepeat      = 1000 // what package regexp takes as a product of nested counts
)

// Pattern is a regular expression of XML Schema that a string must match, or
// must not where Invert is set. Expressions that can't be evaluated match all.
type Pattern struct {
	Text    string
	Invert  bool
	Message string // the module's own words for a value that is refused, or ""

	re *regexp.Regexp
}

func (p *Pattern) matches(value string) bool {
	return p.re == nil || p.re.MatchString(value) != p.Invert
}

// translate turns an expression of XML Schema (part 2, appendix F) into one of
// package regexp, and tells the size of its program. The differences: the whole
// value is meant, `^` and `$` are letters, classes can be subtracted, some
// escapes mean more, and counts may exceed 1000.
func translate(text string) (string, int, error) {
	t := &translator{rest: text}
	e, err := t.expression(0)
	if err == nil && t.rest != "" {
		err = fmt.Errorf("%q has no counterpart", t.rest[:1])
	}
	if err == nil && e.size > maxProgram {
		err = fmt.Errorf("it repeats too much")
	}
	return `^(?:` + e.text + `)$`, e.size, err
}

type translator struct{ rest string }

// piece is a part of an expression: its text, the size of its program, and the
// product of the counts that are nested in it.
type piece struct {
	text    string
	size    int
	repeats int
}

func (t *translator) next() rune {
	r, n := utf8.DecodeRuneInString(t.rest)
	t.rest = t.rest[n:]
	return r
}

func (t *translator) accept(prefix string) bool {
	rest, ok := strings.CutPrefix(t.rest, prefix)
	t.rest = rest
	return ok
}

func (t *translator) expression(depth int) (piece, error) {
	if depth > maxGroups {
		return piece{}, fmt.Errorf("its groups are nested too deep")
	}
	var b strings.Builder
	out := piece{repeats: 1}
	for t.rest != "" && t.rest[0] != ')' {
		if t.accept("|") {
			b.WriteByte('|')
			out.size++
			continue
		}
		p, err := t.atom(depth)
		if err == nil {
			p, err = t.quantified(p)
		}
		if err != nil {
			return piece{}, err
		}
		b.WriteString(p.text)
		out.size += p.size
		out.repeats = max(out.repeats, p.repeats)
		if out.size > maxProgram || b.Len() > 1<<20 {
			return piece{}, fmt.Errorf("it repeats too much")
		}
	}
	out.text = b.String()
	return out, nil
}

func (t *translator) atom(depth int) (piece, error) {
	one := func(text string, err error) (piece, error) { return piece{text, 1, 1}, err }
	switch r := t.next(); r {
	case '(':
		p, err := t.expression(depth + 1)
		if err == nil && !t.accept(")") {
			err = fmt.Errorf("a parenthesis is not closed")
		}
		p.text = "(?:" + p.text + ")"
		p.size++
		return p, err
	case '[':
		return one(t.class(0))
	case '.':
		return one(`[^\n\r]`, nil)
	case '\\':
		inside, err := t.escape()
		return one("["+inside+"]", err)
	case '?', '*', '+', '{':
		return piece{}, fmt.Errorf("%q repeats nothing", r)
	default:
		return one(regexp.QuoteMeta(string(r)), nil)
	}
}

// quantified reads the quantifier that may follow a piece.
func (t *translator) quantified(p piece) (piece, error) {
	switch {
	case t.accept("?"):
		return piece{p.text + "?", p.size + 1, p.repeats}, nil
	case t.accept("*"):
		return piece{"(?:" + p.text + "*)", p.size + 1, p.repeats}, nil
	case t.accept("+"):
		return piece{"(?:" + p.text + "+)", p.size + 1, p.repeats}, nil
	case !t.accept("{"):
		return p, nil
	}
	count, rest, ok := strings.Cut(t.rest, "}")
	t.rest = rest
	low, high, two := strings.Cut(count, ",")
	n, err := strconv.ParseUint(low, 10, 31)
	m := n
	if err == nil && high != "" {
		m, err = strconv.ParseUint(high, 10, 31)
	}
	if !ok || err != nil || m < n {
		return p, fmt.Errorf("{%s} is no count", count)
	}
	if uint64(p.size)*m > maxProgram {
		return p, fmt.Errorf("{%s} repeats too much", count)
	}
	// A count too large for package regexp becomes several, one after the other.
	step := uint64(max(1, goRepeat/p.repeats))
	var b strings.Builder
	for left := n; left > 0; left -= min(left, step) {
		fmt.Fprintf(&b, "%s{%d}", p.text, min(left, step))
	}
	for left := m - n; left > 0; left -= min(left, step) {
		fmt.Fprintf(&b, "%s{0,%d}", p.text, min(left, step))
	}
	if two && high == "" {
		b.WriteString(p.text + "*")
	}
	if b.Len() > 1<<20 {
		return p, fmt.Errorf("{%s} repeats too much", count)
	}
	size := p.size * int(m+1)
	return piece{"(?:" + b.String() + ")", size, p.repeats * int(max(1, min(m, step)))}, nil
}

// escape reads what follows a backslash, as the inside of a class.
func (t *translator) escape() (string, error) {
	switch r := t.next(); r {
	case 'n', 't', 'r':
		return `\` + string(r), nil
	case 'd':
		return `\p{Nd}`, nil
	case 'D':
		return `\P{Nd}`, nil
	case 's':
		return ` \t\n\r`, nil
	case 'S':
		return `\x00-\x08\x0b\x0c\x0e-\x1f!-\x{10ffff}`, nil
	case 'w':
		return `\p{L}\p{M}\p{N}\p{S}_`, nil // the underscore as others take it, not as the standard says
	case 'W':
		return `\p{P}\p{Z}\p{C}`, nil
	case 'i':
		return nameStart, nil
	case 'c':
		return nameRest, nil
	case 'I':
		return without(`[\x00-\x{10ffff}]`, "["+nameStart+"]")
	case 'C':
		return without(`[\x00-\x{10ffff}]`, "["+nameRest+"]")
	case 'p', 'P':
		name, rest, ok := strings.Cut(strings.TrimPrefix(t.rest, "{"), "}")
		if !ok || !strings.HasPrefix(t.rest, "{") {
			return "", fmt.Errorf(`\%c names no category`, r)
		}
		t.rest = rest
		if b, ok := blocks[name]; ok && r == 'p' {
			return b, nil
		}
		if unicode.Categories[name] == nil {
			return "", fmt.Errorf(`the category or block %q is not known`, name)
		}
		return `\` + string(r) + `{` + name + `}`, nil
	case utf8.RuneError:
		return "", fmt.Errorf("it ends with a backslash")
	default:
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return "", fmt.Errorf(`\%c has no meaning`, r)
		}
		return quoteInClass(r), nil
	}
}
