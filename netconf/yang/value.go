package yang

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxTries bounds the types that one value is tried against, where unions refer
// to leafs that are unions themselves.
const maxTries = 10_000

// reading is how a value is read: the bindings of its prefixes, and the
// namespace of names without one.
type reading struct {
	schema   *Schema
	prefixes map[string]string
	space    string
	tries    int
}

// read judges a value by a type and gives its canonical form.
func (r *reading) read(t *Type, value string) (string, error) {
	if r.tries++; r.tries > maxTries {
		return "", errors.New("the type has too many alternatives to judge it")
	}
	if integers[t.Base] != nil || t.Base == "decimal64" {
		return t.readNumber(value)
	}
	switch t.Base {
	case "string":
		return t.readString(value)
	case "boolean":
		if value != "true" && value != "false" {
			return "", errors.New("only true and false are allowed")
		}
	case "empty":
		if value != "" {
			return "", errors.New("the leaf must be empty")
		}
	case "enumeration":
		if !t.names[value] {
			return "", fmt.Errorf("only %s are allowed", list(t.Enums))
		}
	case "bits":
		return t.readBits(value)
	case "binary":
		return t.readBinary(value)
	case "identityref":
		return r.readIdentity(t, value)
	case "instance-identifier":
		return r.readInstance(value)
	case "leafref":
		if t.target != nil {
			return r.read(t.target.Type, value)
		}
	case "union":
		return r.readUnion(t, value)
	}
	return value, nil
}

func (t *Type) readNumber(value string) (string, error) {
	n, err := parseNumber(strings.TrimSpace(value), t.Fraction)
	if err != nil {
		return "", err
	}
	if !inSpans(t.spans, n) {
		return "", fmt.Errorf("only %s is allowed", spansText(t.spans, t.Fraction))
	}
	return n.text(t.Fraction), nil
}

func (t *Type) readString(value string) (string, error) {
	if n := utf8.RuneCountInString(value); !t.fits(n) {
		return "", fmt.Errorf("it has %d letters; only %s are allowed", n, spansText(t.spans, 0))
	}
	for _, p := range t.Patterns {
		switch {
		case p.matches(value):
		case p.Message != "":
			return "", errors.New(clip(p.Message))
		case p.Invert:
			return "", fmt.Errorf("what matches the pattern %s is not allowed", clip(p.Text))
		default:
			return "", fmt.Errorf("it doesn't match the pattern %s", clip(p.Text))
		}
	}
	if t.canonical != nil {
		return t.canonical(value), nil
	}
	return value, nil
}

func (t *Type) readBits(value string) (string, error) {
	words := strings.Fields(value)
	given := make(map[string]bool, len(words))
	for _, w := range words {
		given[w] = true
	}
	var out []string
	for _, b := range t.Bits {
		if given[b] {
			out = append(out, b)
		}
	}
	if len(out) == len(words) {
		return strings.Join(out, " "), nil
	}
	return "", fmt.Errorf("only %s are allowed, each once", list(t.Bits))
}

func (t *Type) readBinary(value string) (string, error) {
	bare := strings.Join(strings.Fields(value), "")
	raw, err := base64.StdEncoding.DecodeString(bare)
	if err != nil {
		return "", errors.New("this is no base64")
	}
	if !t.fits(len(raw)) {
		return "", fmt.Errorf("it has %d bytes; only %s are allowed", len(raw), spansText(t.spans, 0))
	}
	return bare, nil
}

// readIdentity resolves the name of an identity; its canonical form has the
// name of the module for a prefix, as in JSON.
func (r *reading) readIdentity(t *Type, value string) (string, error) {
	value = strings.TrimSpace(value)
	prefix, name, ok := strings.Cut(value, ":")
	if !ok {
		prefix, name = "", value
	}
	space, bound := r.prefixes[prefix]
	if !bound {
		if ok {
			return "", fmt.Errorf("the prefix %q is not declared; declare it by xmlns:%s", clip(prefix), clip(prefix))
		}
		space = r.space
	}
	m := r.schema.spaces[space]
	if m == nil {
		return "", fmt.Errorf("no module has the namespace %q", clip(space))
	}
	id := m.identities[name]
	if id == nil {
		return "", fmt.Errorf("the module %s has no identity %q", m.name, clip(name))
	}
	for _, base := range t.bases {
		if !id.derivedFrom(base, map[*identity]bool{}) {
			return "", fmt.Errorf("the identity %s is not derived from %s", name, base.name)
		}
	}
	return m.name + ":" + name, nil
}

// readInstance judges the form of an instance-identifier alone.
func (r *reading) readInstance(value string) (string, error) {
	if !strings.HasPrefix(value, "/") || strings.HasSuffix(value, "/") {
		return "", errors.New("an instance-identifier begins with / and names a node")
	}
	var out strings.Builder
	rest, quote := value, byte(0)
	for rest != "" {
		end := strings.IndexAny(rest, "/[:'\"")
		if end < 0 {
			end = len(rest) - 1
		}
		word, sign := rest[:end], rest[end]
		rest = rest[end+1:]
		switch {
		case quote != 0 && sign == quote:
			quote = 0
		case quote == 0 && (sign == '\'' || sign == '"'):
			quote = sign
		case quote == 0 && sign == ':':
			if m := r.schema.spaces[r.prefixes[word]]; m != nil {
				word = m.name
			}
		}
		out.WriteString(word)
		out.WriteByte(sign)
	}
	if quote != 0 {
		return "", errors.New("a quote is not closed")
	}
	return out.String(), nil
}

func (r *reading) readUnion(t *Type, value string) (string, error) {
	var reasons []string
	for _, m := range t.Union {
		c, err := r.read(m, value)
		if err == nil {
			return c, nil
		}
		if len(reasons) < 4 {
			reasons = append(reasons, m.Name+": "+err.Error())
		}
	}
	return "", fmt.Errorf("no type of the union takes it (%s)", strings.Join(reasons, "; "))
}

// list writes names out for a message.
func list(names []string) string {
	if len(names) > 12 {
		return strings.Join(names[:12], ", ") + fmt.Sprintf(" and %d more", len(names)-12)
	}
	return strings.Join(names, ", ")
}
