package units

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"
)

// Option is one assignment of a unit file, as fleet's API carries it.
type Option struct {
	Section, Name, Value string
}

// Serialize writes options as a unit file, byte for byte as fleet does: sections
// in order of first appearance, their options in the given order, an empty line
// between sections, a newline at the end. No options give no bytes. It checks
// nothing; see [ValidateOptions].
func Serialize(options []Option) string {
	var sections []string
	bodies := map[string]*strings.Builder{}
	for _, o := range options {
		body := bodies[o.Section]
		if body == nil {
			body = &strings.Builder{}
			bodies[o.Section] = body
			sections = append(sections, o.Section)
		}
		for _, part := range [...]string{o.Name, "=", o.Value, "\n"} {
			body.WriteString(part)
		}
	}
	var b strings.Builder
	for i, section := range sections {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, part := range [...]string{"[", section, "]\n", bodies[section].String()} {
			b.WriteString(part)
		}
	}
	return b.String()
}

// Hash is fleet's name for a unit's content: the hexadecimal SHA-1 of its
// serialised options.
func Hash(options []Option) string {
	sum := sha1.Sum([]byte(Serialize(options)))
	return hex.EncodeToString(sum[:])
}
