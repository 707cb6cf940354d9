package yang

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

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
		return nil, &fault{file: file, message: fmt.Sprintf("the module is larger than %d MiB", maxText>>20), hint: "split it into submodules"}
	}
	if !utf8.ValidString(text) {
		return nil, &fault{file: file, message: "the text is not UTF-8", hint: "write it as UTF-8"}
	}
	if err := guard(file, text); err != nil {
		return nil, err
	}
	list, err := goyang.Parse(text, file)
	if err != nil {
		return nil, syntaxFault(file, err)
	}
	if len(list) != 1 || (list[0].Keyword != "module" && list[0].Keyword != "submodule") || !isIdentifier(list[0].Argument) {
		return nil, &fault{file, 1, 1, "this is not one YANG module or submodule", "put each into a file of its own"}
	}
	return list[0], nil
}

// syntaxFault takes the first of goyang's errors apart: `file:line:column: text`.
func syntaxFault(file string, err error) error {
	f := &fault{file: file, hint: "correct the YANG text"}
	f.message, _, _ = strings.Cut(err.Error(), "\n")
	if rest, ok := strings.CutPrefix(f.message, file+":"); ok {
		f.message = rest
		if parts := strings.SplitN(rest, ":", 3); len(parts) == 3 {
			f.line, _ = strconv.Atoi(parts[0])
			f.column, _ = strconv.Atoi(parts[1])
			f.message = parts[2]
		}
	}
	if f.message = clip(strings.TrimSpace(f.message)); f.message == "" {
		f.message = "this is no YANG"
	}
	return f
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
			message := fmt.Sprintf("statements are nested deeper than %d, or more than %d strings are joined", maxNesting, maxJoins)
			return &fault{file, line, 1, message, "write the module in a simpler way"}
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

// fault is what keeps a module from being compiled, at its place.
type fault struct {
	file          string
	line, column  int
	message, hint string
}

func (f *fault) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s; %s", f.file, f.line, f.column, f.message, f.hint)
}

func faultAt(at *stmt, hint, format string, a ...any) error {
	file, line, column := place(at)
	return &fault{file, line, column, fmt.Sprintf(format, a...), hint}
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
