package runner

import (
	"fmt"
	"slices"
	"strings"
)

// ParseCondition parses text. An error says what is wrong, where, and what to
// write instead; no text makes it panic.
func ParseCondition(text string) (*Condition, error) {
	r := &conditionReader{text: text}
	if strings.TrimSpace(text) == "" {
		return nil, &fault{message: "'condition' cannot be empty", hint: "remove the key, and the job always runs", offset: -1}
	}
	if len(text) > MaxConditionBytes {
		return nil, &fault{
			message: fmt.Sprintf("the condition is longer than %d bytes", MaxConditionBytes),
			hint:    "decide it in the script", offset: -1,
		}
	}
	root, err := r.or(0)
	if err == nil && r.skip() < len(text) {
		err = r.unexpected()
	}
	if err != nil {
		return nil, err
	}
	return &Condition{text: text, root: root, vars: r.vars}, nil
}

// conditionReader is a recursive-descent parser over the bytes of a condition.
type conditionReader struct {
	text string
	at   int
	vars []string
}

// fault reports a fault at an offset, which the message names as a character
// counted from 1.
func (r *conditionReader) fault(offset int, hint, format string, args ...any) error {
	where := len([]rune(r.text[:offset])) + 1
	return &fault{message: fmt.Sprintf("condition: "+format, args...) + fmt.Sprintf(" at character %d", where), hint: hint, offset: offset}
}

// skip passes blanks and gives the place after them.
func (r *conditionReader) skip() int {
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.at]) >= 0 {
		r.at++
	}
	return r.at
}

// take passes an operator if it is what comes next.
func (r *conditionReader) take(op string) bool {
	if strings.HasPrefix(r.text[r.skip():], op) {
		r.at += len(op)
		return true
	}
	return false
}

func (r *conditionReader) or(depth int) (*term, error) {
	return r.list(depth, "||", orTerm, r.and)
}

func (r *conditionReader) and(depth int) (*term, error) {
	return r.list(depth, "&&", andTerm, r.compare)
}

func (r *conditionReader) list(depth int, op string, kind termKind, next func(int) (*term, error)) (*term, error) {
	first, err := next(depth)
	if err != nil {
		return nil, err
	}
	all := []*term{first}
	for r.take(op) {
		t, err := next(depth)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	if len(all) == 1 {
		return first, nil
	}
	return &term{kind: kind, terms: all}, nil
}

func (r *conditionReader) compare(depth int) (*term, error) {
	left, err := r.unary(depth)
	if err != nil {
		return nil, err
	}
	kind, found := r.comparison()
	if !found {
		return left, nil
	}
	right, err := r.unary(depth)
	if err != nil {
		return nil, err
	}
	at := r.skip()
	if _, again := r.comparison(); again {
		return nil, r.fault(at, "join comparisons with && or ||, or use parentheses", "comparisons can't be chained")
	}
	return &term{kind: kind, terms: []*term{left, right}}, nil
}

func (r *conditionReader) comparison() (termKind, bool) {
	rest := r.text[r.skip():]
	if strings.HasPrefix(rest, "===") || strings.HasPrefix(rest, "!==") {
		return 0, false
	}
	if r.take("==") {
		return equalTerm, true
	}
	if r.take("!=") {
		return unequalTerm, true
	}
	return 0, false
}

func (r *conditionReader) unary(depth int) (*term, error) {
	at := r.skip()
	if depth > maxConditionDepth {
		return nil, r.fault(at, "simplify it", "more than %d levels of parentheses and negations", maxConditionDepth)
	}
	if at == len(r.text) {
		return nil, r.fault(at, "compare with '' for the empty text", "a value is missing")
	}
	switch c := r.text[at]; {
	case c == '!' && !strings.HasPrefix(r.text[at:], "!="):
		r.at++
		inner, err := r.unary(depth + 1)
		if err != nil {
			return nil, err
		}
		return &term{kind: notTerm, terms: []*term{inner}}, nil
	case c == '(':
		r.at++
		inner, err := r.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if !r.take(")") {
			if r.at < len(r.text) {
				return nil, r.unexpected()
			}
			return nil, r.fault(at, "add a ')'", "the '(' is not closed")
		}
		return &term{kind: andTerm, terms: []*term{inner}}, nil
	}
	return r.value(at)
}

// value reads a variable, a quoted text or a bare word; nothing but a blank or
// an operator may stand right behind it.
func (r *conditionReader) value(at int) (t *term, err error) {
	switch c := r.text[at]; {
	case c == '$':
		t, err = r.variable()
	case c == '\'':
		t, err = r.single()
	case c == '"':
		t, err = r.double()
	default:
		for r.at < len(r.text) && strings.IndexByte(" \t\r\n()&|=!<>\"'$", r.text[r.at]) < 0 {
			r.at++
		}
		if r.at == at {
			return nil, r.unexpected()
		}
		t = &term{kind: constTerm, text: r.text[at:r.at], word: true}
	}
	if err != nil {
		return nil, err
	}
	if r.at < len(r.text) && strings.IndexByte(" \t\r\n()&|=!<>", r.text[r.at]) < 0 {
		return nil, r.fault(r.at, `put the whole text in double quotes, such as "$NAME-suffix"`, "'%c' follows a value directly", r.rune())
	}
	return t, nil
}

func (r *conditionReader) rune() rune {
	for _, c := range r.text[r.at:] {
		return c
	}
	return ' '
}

// variable reads $NAME or ${NAME}.
func (r *conditionReader) variable() (*term, error) {
	at := r.at
	r.at++
	braced := r.at < len(r.text) && r.text[r.at] == '{'
	if braced {
		r.at++
	}
	start := r.at
	for r.at < len(r.text) && nameByte(r.text[r.at]) {
		r.at++
	}
	name := r.text[start:r.at]
	if !isName(name) {
		return nil, r.fault(at, "write $NAME; put a text with a dollar sign in single quotes", "'$' is not followed by the name of a variable")
	}
	if braced {
		if r.at == len(r.text) || r.text[r.at] != '}' {
			return nil, r.fault(at, "write ${NAME}; defaults and substitutions are not known here", "'${' is not closed after the name")
		}
		r.at++
	}
	if !slices.Contains(r.vars, name) {
		r.vars = append(r.vars, name)
	}
	return &term{kind: varTerm, text: name}, nil
}

func (r *conditionReader) single() (*term, error) {
	text, _, found := strings.Cut(r.text[r.at+1:], "'")
	if !found {
		return nil, r.fault(r.at, "add the closing quote", "a single quote is not closed")
	}
	r.at += len(text) + 2
	return &term{kind: constTerm, text: text}, nil
}

// double reads a text in double quotes, with variables and backslashes in it.
func (r *conditionReader) double() (*term, error) {
	at := r.at
	var parts []*term
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			parts = append(parts, &term{kind: constTerm, text: b.String()})
			b.Reset()
		}
	}
	for r.at++; r.at < len(r.text); {
		rest := r.text[r.at:]
		switch c := rest[0]; {
		case c == '"':
			r.at++
			flush()
			if len(parts) == 0 {
				return &term{kind: constTerm}, nil
			}
			if len(parts) == 1 {
				return parts[0], nil
			}
			return &term{kind: joinTerm, terms: parts}, nil
		case c == '\\' && len(rest) > 1 && strings.IndexByte(`"\$`, rest[1]) >= 0:
			b.WriteByte(rest[1])
			r.at += 2
		case c == '$' && len(rest) > 1 && (rest[1] == '{' || isName(rest[1:2])):
			flush()
			v, err := r.variable()
			if err != nil {
				return nil, err
			}
			parts = append(parts, v)
		default:
			b.WriteByte(c)
			r.at++
		}
	}
	return nil, r.fault(at, "add the closing quote", "a double quote is not closed")
}

// unexpected reports what stands where something else must, with a word on the
// operators that other languages have.
func (r *conditionReader) unexpected() error {
	at := r.skip()
	if at == len(r.text) {
		return r.fault(at, "complete it", "the condition ends too early")
	}
	rest := r.text[at:]
	for _, op := range foreignOperators {
		if strings.HasPrefix(rest, op.text) && (op.text != "=" || !strings.HasPrefix(rest, "==")) {
			return r.fault(at, op.hint, "unknown operator '%s'", op.text)
		}
	}
	word := strings.FieldsFunc(rest, func(c rune) bool { return strings.ContainsRune(" \t\r\n()", c) })
	switch {
	case rest[0] == ')':
		return r.fault(at, "remove it, or open a '(' before", "unexpected ')'")
	case strings.HasPrefix(rest, "&&"), strings.HasPrefix(rest, "||"), strings.HasPrefix(rest, "=="), strings.HasPrefix(rest, "!="):
		return r.fault(at, "put a value before it", "unexpected '%s'", rest[:2])
	case len(word) == 0:
		return r.fault(at, "join values with ==, !=, && or ||", "unexpected '%c'", rest[0])
	}
	hint := "join values with ==, !=, && or ||, and put a text with blanks in quotes"
	switch strings.ToLower(word[0]) {
	case "and", "&":
		hint = "use &&"
	case "or", "|":
		hint = "use ||"
	case "-eq", "eq", "is":
		hint = "use =="
	case "-ne", "ne":
		hint = "use !="
	}
	return r.fault(at, hint, "unexpected '%s'", word[0])
}

// foreignOperators are those of other languages, the longer ones first.
var foreignOperators = []struct{ text, hint string }{
	{"===", "use =="},
	{"!==", "use !="},
	{"=~", "there are no patterns; compare with == or decide it in the script"},
	{">=", "texts can't be ordered; decide it in the script"},
	{"<=", "texts can't be ordered; decide it in the script"},
	{">", "texts can't be ordered; decide it in the script"},
	{"<", "texts can't be ordered; decide it in the script"},
	{"=", "use == to compare"},
}
