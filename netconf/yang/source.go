package yang

import (
	"fmt"
	"strconv"
	"strings"

	goyang "github.com/openconfig/goyang/pkg/yang"
)

// The bounds of one text. The largest modules of vendors stay below a tenth of
// them; without them the recursion and the string building of the statement
// parser would be in the hands of whoever wrote the text.
const (
	maxText    = 8 << 20
	maxNesting = 200
	maxJoins   = 20_000
)

// stmt is a statement as it was written.
type stmt = goyang.Statement

// parse reads the text of one module or submodule.
func parse(file, text string) (*stmt, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("%s: the module is larger than %d MiB; split it into submodules", file, maxText>>20)
	}
	if err := guard(file, text); err != nil {
		return nil, err
	}
	list, err := goyang.Parse(text, file)
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		if !strings.HasPrefix(line, file+":") {
			line = file + ": " + line
		}
		return nil, fmt.Errorf("%s; correct the YANG text", line)
	}
	if len(list) != 1 || (list[0].Keyword != "module" && list[0].Keyword != "submodule") || !isIdentifier(list[0].Argument) {
		return nil, fmt.Errorf("%s:1:1: this is not one YANG module or submodule; put each into a file of its own", file)
	}
	return list[0], nil
}

// guard refuses what the statement parser would take too much stack or time
// for: it counts open braces and joined strings, outside quotes and comments. It
// tells tokens apart as that parser does.
func guard(file, text string) error {
	depth, joins, word := 0, 0, false
	for i := 0; i < len(text); i++ {
		skip, start := "", !word
		word = false
		switch c := text[i]; {
		case c == '{':
			depth++
		case c == '}':
			depth--
		case c == '\'':
			skip = "'"
		case c == '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case start && strings.HasPrefix(text[i:], "//"):
			skip = "\n"
		case start && strings.HasPrefix(text[i:], "/*"):
			skip = "*/"
		case c == '+' && start:
			joins++
		default:
			word = c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != ';'
		}
		if skip != "" {
			end := strings.Index(text[i+1:], skip)
			if end < 0 {
				return nil // the parser says so, with the place
			}
			i += end + len(skip)
		}
		if depth > maxNesting || joins > maxJoins {
			line := 1 + strings.Count(text[:min(i, len(text))], "\n")
			return fmt.Errorf("%s:%d:1: statements are nested deeper than %d, or more than %d strings are joined; write the module in a simpler way", file, line, maxNesting, maxJoins)
		}
	}
	return nil
}

// all gives the substatements with a keyword, in order.
func all(s *stmt, keyword string) []*stmt {
	var out []*stmt
	for _, sub := range s.SubStatements() {
		if sub.Keyword == keyword {
			out = append(out, sub)
		}
	}
	return out
}

// first gives the first substatement with a keyword, or nil.
func first(s *stmt, keyword string) *stmt {
	for _, sub := range s.SubStatements() {
		if sub.Keyword == keyword {
			return sub
		}
	}
	return nil
}

// arg gives the argument of the first substatement with a keyword, or "".
func arg(s *stmt, keyword string) string {
	if sub := first(s, keyword); sub != nil {
		return sub.Argument
	}
	return ""
}

// place gives where a statement stands. goyang tells it as text only; the name
// of the file may hold colons itself.
func place(s *stmt) (file string, line, column int) {
	rest := s.Location()
	cut := func() int {
		i := strings.LastIndexByte(rest, ':')
		if i < 0 {
			return 0
		}
		n, err := strconv.Atoi(rest[i+1:])
		if err != nil {
			return 0
		}
		rest = rest[:i]
		return n
	}
	column = cut()
	line = cut()
	return rest, line, column
}

// stmtError is a fault at a statement.
type stmtError struct {
	at      *stmt
	message string
	hint    string
}

func (e *stmtError) Error() string {
	return e.at.Location() + ": " + e.message + "; " + e.hint
}

func faultAt(at *stmt, hint, format string, a ...any) error {
	return &stmtError{at, fmt.Sprintf(format, a...), hint}
}

// isIdentifier says whether a text is an identifier of RFC 7950 section 6.2.
func isIdentifier(s string) bool {
	for i, r := range s {
		letter := r == '_' || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z')
		if !letter && (i == 0 || (r != '-' && r != '.' && (r < '0' || r > '9'))) {
			return false
		}
	}
	return s != "" && len(s) <= 1024
}
