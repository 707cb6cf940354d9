package units

import (
	"errors"
	"strings"
)

// words takes a list apart as systemd does: blanks separate, single and double
// quotes hold together. A backslash takes the meaning of the character behind
// it away when escapes is set; names of units keep theirs.
func words(text string, escapes bool) ([]string, error) {
	var out []string
	var word strings.Builder
	var quote rune
	within, escaped := false, false
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && escapes && quote != '\'':
			within, escaped = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			within, quote = true, r
		case strings.ContainsRune(blanks, r):
			if within {
				out = append(out, word.String())
			}
			word.Reset()
			within = false
		default:
			within = true
			word.WriteRune(r)
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("a quote or an escape is not closed")
	}
	if within {
		out = append(out, word.String())
	}
	return out, nil
}

// specifiers are those of systemd that names of units are made with
// (systemd.unit(5)); any other stays as it is written.
func specifiers(name string) *strings.Replacer {
	prefix, instance, typ, _ := splitName(name)
	last := prefix[strings.LastIndexByte(prefix, '-')+1:]
	return strings.NewReplacer("%%", "%", "%n", name, "%N", strings.TrimSuffix(name, typ), "%p", prefix, "%i", instance, "%j", last)
}
