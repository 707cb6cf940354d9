package spec

import (
	"strings"
)

// Expand replaces variables in the arguments of a command, as systemd does
// (systemd.service(5), "Command lines"): ${NAME} within a word stays one word;
// a word that is $NAME and nothing else becomes the words of its value, maybe
// none; $$ is a dollar sign. What isn't set is empty. argv[0] is left alone.
func (c Command) Expand(get func(string) (string, bool)) []string {
	if c.Raw {
		return c.Args
	}
	out := []string{c.Args[0]}
	for _, arg := range c.Args[1:] {
		if len(arg) > 1 && arg[0] == '$' && arg[1] != '{' && arg[1] != '$' {
			value, _ := get(arg[1:])
			out = append(out, lenientWords(value)...)
			continue
		}
		out = append(out, braces(arg, get))
	}
	return out
}

// lenientWords splits the value of a variable; a quote that isn't closed is an
// ordinary character there, because it came from the outside.
func lenientWords(value string) []string {
	words, err := Words(value)
	if err != nil {
		return strings.Fields(value)
	}
	return words
}

func braces(s string, get func(string) (string, bool)) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 || i+1 == len(s) {
			return b.String() + s
		}
		b.WriteString(s[:i])
		s = s[i:]
		end := strings.IndexByte(s, '}')
		switch {
		case s[1] == '$':
			b.WriteByte('$')
			s = s[2:]
		case s[1] == '{' && end > 0 && ValidName(s[2:end]):
			value, _ := get(s[2:end])
			b.WriteString(value)
			s = s[end+1:]
		default:
			b.WriteByte('$')
			s = s[1:]
		}
	}
}

// ValidName says whether s can name an environment variable.
func ValidName(s string) bool {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
