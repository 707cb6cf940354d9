package tree

import (
	"errors"
	"fmt"
	"strings"
)

// Step is one node of a path.
type Step struct {
	Module string // "" as the parent's, or unknown
	Name   string
	Keys   []Predicate // of a list's entry; of a leaf-list's one with the Key "."
}

// Predicate is `[key='value']`.
type Predicate struct{ Key, Value string }

// ParsePath reads a path as people write it and this package does: an
// instance-identifier with the names of modules in place of prefixes (RFC 7951
// section 6.11), where a module may be left out:
// `/openconfig-system:system/aaa/authentication/users/user[username='alice']`.
// A quote in a value is doubled when the value has both kinds.
func ParsePath(path string) ([]Step, error) {
	var steps []Step
	for rest := path; rest != ""; {
		if rest == "/" && steps == nil {
			return nil, nil
		}
		if rest[0] != '/' {
			return nil, fmt.Errorf("the path %q has no / before %q; write /name/name[key='value']", path, rest)
		}
		end := 1 + strings.IndexAny(rest[1:], "/[")
		if end == 0 {
			end = len(rest)
		}
		name := rest[1:end]
		module, local, ok := strings.Cut(name, ":")
		if !ok {
			module, local = "", name
		}
		step := Step{Module: module, Name: local}
		if !isName([]byte(local)) || ok && !isName([]byte(module)) {
			return nil, fmt.Errorf("the path %q has %q where a name must stand; write /name/name[key='value']", path, rest[1:end])
		}
		var err error
		if step.Keys, rest, err = cutPredicates(rest[end:]); err != nil {
			return nil, fmt.Errorf("the path %q: %w", path, err)
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// cutPredicates takes all `[key='value']` from the front.
func cutPredicates(s string) (out []Predicate, rest string, err error) {
	for strings.HasPrefix(s, "[") {
		key, after, ok := strings.Cut(s[1:], "=")
		key, after = strings.TrimSpace(key), strings.TrimLeft(after, " ")
		if !ok || after == "" || after[0] != '\'' && after[0] != '"' {
			return nil, "", errors.New("what stands in brackets is not [key='value']; write it so")
		}
		quote := after[:1]
		var value strings.Builder
		for after = after[1:]; ; {
			part, tail, ok := strings.Cut(after, quote)
			if !ok {
				return nil, "", errors.New("a quote is not closed; write [key='value']")
			}
			value.WriteString(part)
			if after = tail; !strings.HasPrefix(after, quote) {
				break
			}
			value.WriteString(quote)
			after = after[1:]
		}
		after = strings.TrimLeft(after, " ")
		if !strings.HasPrefix(after, "]") {
			return nil, "", errors.New("a bracket is not closed; write [key='value']")
		}
		out, s = append(out, Predicate{key, value.String()}), after[1:]
	}
	return out, s, nil
}

// pathStep writes the step from a node that parent defines to n, which d defines.
func pathStep(parent, d *Def, n *Node) string {
	return string(appendStep(nil, parent, d, n))
}

func appendStep(dst []byte, parent, d *Def, n *Node) []byte {
	dst = append(dst, '/')
	if d.Module != "" && (parent == nil || d.Module != parent.Module) {
		dst = append(append(dst, d.Module...), ':')
	}
	dst = append(dst, n.Name.Local...)
	switch d.Kind {
	case LeafList:
		dst = appendPredicate(dst, ".", n.Value)
	case List:
		for _, k := range keyNodes(d, n) {
			dst = appendPredicate(dst, k.Name.Local, k.Value)
		}
	}
	return dst
}

func appendPredicate(dst []byte, key, value string) []byte {
	quote := "'"
	if strings.Contains(value, "'") {
		if strings.Contains(value, `"`) {
			value = strings.ReplaceAll(value, "'", "''")
		} else {
			quote = `"`
		}
	}
	return append(append(append(append(append(append(append(dst, '['), key...), '='), quote...), value...), quote...), ']')
}
