package runner

import (
	"fmt"
	"slices"
	"strings"
)

// Condition is a parsed `condition:`. It is immutable and safe for concurrent use.
//
// The language is pin's, with a real parser under it:
//
//	or      = and { "||" and }
//	and     = compare { "&&" compare }
//	compare = unary [ ("==" | "!=") unary ]
//	unary   = { "!" } ( "(" or ")" | $NAME | ${NAME} | 'text' | "text" | word )
//
// Every value is a text; a variable that is not set is the empty one. A text is
// true unless it is empty, `false` or `0`, exactly so: `False` and `no` are
// true. A comparison, a negation and a group give `true` or `false`. Within
// double quotes $NAME and ${NAME} are replaced and a backslash keeps `"`, `$`
// and itself; single quotes replace nothing.
type Condition struct {
	text string
	root *term
	vars []string
}

// MaxConditionBytes is how long a condition may be, and maxConditionDepth how
// deep its parentheses and negations may nest.
const (
	MaxConditionBytes = 4096
	maxConditionDepth = 50
)

type termKind uint8

const (
	constTerm termKind = iota // text
	varTerm                   // text is the variable's name
	joinTerm                  // a text in double quotes with variables in it
	notTerm
	equalTerm
	unequalTerm
	andTerm
	orTerm
)

// term is a node of the parsed condition.
type term struct {
	kind  termKind
	text  string
	word  bool // a constant without quotes
	terms []*term
}

// String gives the condition as it was written.
func (c *Condition) String() string { return c.text }

// Variables gives the names of the variables that the condition reads, each
// once, in the order of the text.
func (c *Condition) Variables() []string { return slices.Clone(c.vars) }

// Eval evaluates the condition; lookup gives a variable's value and whether it is set.
func (c *Condition) Eval(lookup func(string) (string, bool)) bool {
	return c.root == nil || truthy(c.root.value(lookup))
}

// truthy is pin's rule: "exists and is not empty/false/0".
func truthy(s string) bool { return s != "" && s != "false" && s != "0" }

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func (t *term) value(lookup func(string) (string, bool)) string {
	switch t.kind {
	case varTerm:
		v, _ := lookup(t.text)
		return v
	case joinTerm:
		var b strings.Builder
		for _, part := range t.terms {
			b.WriteString(part.value(lookup))
		}
		return b.String()
	case notTerm:
		return boolText(!truthy(t.terms[0].value(lookup)))
	case equalTerm:
		return boolText(t.terms[0].value(lookup) == t.terms[1].value(lookup))
	case unequalTerm:
		return boolText(t.terms[0].value(lookup) != t.terms[1].value(lookup))
	case andTerm:
		return boolText(!slices.ContainsFunc(t.terms, func(u *term) bool { return !truthy(u.value(lookup)) }))
	case orTerm:
		return boolText(slices.ContainsFunc(t.terms, func(u *term) bool { return truthy(u.value(lookup)) }))
	}
	return t.text
}

// Explain says in a few words why the condition is false, or gives "" when it
// is true. It names variables and what the file compares them with, and never
// a variable's value, which may be a secret.
func (c *Condition) Explain(lookup func(string) (string, bool)) string {
	if c.Eval(lookup) {
		return ""
	}
	return c.root.why(lookup)
}

// why explains a term that is false.
func (t *term) why(lookup func(string) (string, bool)) string {
	switch t.kind {
	case andTerm:
		for _, u := range t.terms {
			if !truthy(u.value(lookup)) {
				return u.why(lookup)
			}
		}
	case orTerm:
		whys := make([]string, len(t.terms))
		for i, u := range t.terms {
			whys[i] = u.why(lookup)
		}
		return strings.Join(whys, ", and ")
	case equalTerm:
		why := fmt.Sprintf("%s is not %s", t.terms[0], t.terms[1])
		if t.terms[0].kind == varTerm {
			if _, set := lookup(t.terms[0].text); !set {
				why += " (it is not set)"
			}
		}
		return why
	case unequalTerm:
		return fmt.Sprintf("%s is %s", t.terms[0], t.terms[1])
	case notTerm:
		return fmt.Sprintf("%s is true", t.terms[0])
	case varTerm:
		if _, set := lookup(t.text); !set {
			return "$" + t.text + " is not set"
		}
		return "$" + t.text + " is empty, false or 0"
	}
	return t.String() + " is false"
}

// String writes a term as a condition.
func (t *term) String() string {
	join := func(op string) string {
		parts := make([]string, len(t.terms))
		for i, u := range t.terms {
			parts[i] = u.String()
		}
		return "(" + strings.Join(parts, op) + ")"
	}
	switch t.kind {
	case varTerm:
		return "$" + t.text
	case notTerm:
		return "!" + t.terms[0].String()
	case equalTerm:
		return join(" == ")
	case unequalTerm:
		return join(" != ")
	case andTerm:
		return join(" && ")
	case orTerm:
		return join(" || ")
	case joinTerm:
		var b strings.Builder
		b.WriteByte('"')
		for _, part := range t.terms {
			if part.kind == varTerm {
				b.WriteString("${" + part.text + "}")
			} else {
				b.WriteString(doubleQuoted.Replace(part.text))
			}
		}
		b.WriteByte('"')
		return b.String()
	}
	return `"` + doubleQuoted.Replace(t.text) + `"`
}

var doubleQuoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`)

// suspect gives a bare word that was most likely meant as a variable, since the
// condition has none, or "".
func (c *Condition) suspect() string {
	if len(c.vars) > 0 {
		return ""
	}
	return c.root.suspect()
}

func (t *term) suspect() string {
	if t.kind == constTerm && t.word && t.text != "true" && t.text != "false" && isName(t.text) {
		return t.text
	}
	for _, u := range t.terms {
		if word := u.suspect(); word != "" {
			return word
		}
	}
	return ""
}

// isName says whether a text can be the name of a variable.
func isName(s string) bool {
	for i := range len(s) {
		if !nameByte(s[i]) || i == 0 && s[i] >= '0' && s[i] <= '9' {
			return false
		}
	}
	return s != ""
}

func nameByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
