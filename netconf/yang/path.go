package yang

import (
	"strings"

	"github.com/abide-agent/abide/netconf/tree"
)

// path is the path of a leafref (RFC 7950 section 9.9.2).
type path struct {
	text  string
	root  bool // it begins at the top
	up    int  // else that many times to the parent
	steps []step
}

// step goes down to a child. An empty Space is that of the leaf whose type the
// path is.
type step struct {
	name       tree.Name
	predicates []predicate
}

// predicate holds for entries whose key equals a value elsewhere in the
// document: `[key = current()/../../x]`.
type predicate struct {
	key   tree.Name
	value path
}

// fields splits at white space.
func fields(s string) []string { return strings.Fields(s) }

// in gives a name without a namespace that of the node where it is used.
func in(space string, name tree.Name) tree.Name {
	if name.Space == "" {
		name.Space = space
	}
	return name
}

func unprefixed(name string) string {
	if _, local, ok := strings.Cut(name, ":"); ok {
		return local
	}
	return name
}

// parseNodeID reads a schema node identifier: the path of an augment, a
// deviation, a refinement or a unique.
func parseNodeID(s *stmt, sc *scope, mod *module) ([]tree.Name, error) {
	return parseNames(s, s.Argument, sc, mod)
}

func parseNames(s *stmt, text string, sc *scope, mod *module) ([]tree.Name, error) {
	var out []tree.Name
	for part := range strings.SplitSeq(strings.Trim(strings.TrimSpace(text), "/"), "/") {
		part = strings.TrimSpace(part)
		m, local, err := sc.module(s, part)
		if err != nil {
			return nil, err
		}
		if !strings.Contains(part, ":") {
			m = mod
		}
		if !isIdentifier(local) || len(out) > maxDepth {
			return nil, faultAt(s, "correct the path", "%q is no path of names", clip(text))
		}
		out = append(out, tree.Name{Space: m.space, Local: local})
	}
	return out, nil
}

// pathParser reads a path; rest is what is left of it.
type pathParser struct {
	at   *stmt
	sc   *scope
	rest string
}

func parsePath(s *stmt, sc *scope) (*path, error) {
	p := &pathParser{s, sc, s.Argument}
	out, err := p.path(true)
	if err != nil {
		return nil, err
	}
	if p.space(); p.rest != "" {
		return nil, p.fault()
	}
	out.text = s.Argument
	return &out, nil
}

func (p *pathParser) fault() error {
	return faultAt(p.at, "write it as RFC 7950 section 9.9.2 says", "%q is no path of a leafref", clip(p.at.Argument))
}

func (p *pathParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *pathParser) accept(token string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, token)
	p.rest = rest
	return ok
}

// path reads an absolute or relative path, without predicates in a predicate.
func (p *pathParser) path(predicates bool) (path, error) {
	var out path
	if p.accept("current()") && !p.accept("/") {
		return out, p.fault()
	}
	if p.accept("/") {
		out.root = true
	} else {
		for p.accept("..") {
			out.up++
			if !p.accept("/") {
				return out, nil
			}
		}
	}
	for {
		name, err := p.name()
		if err != nil {
			return out, err
		}
		st := step{name: name}
		for predicates && p.accept("[") {
			key, err := p.name()
			if err != nil || !p.accept("=") {
				return out, p.fault()
			}
			value, err := p.path(false)
			if err != nil || !p.accept("]") {
				return out, p.fault()
			}
			st.predicates = append(st.predicates, predicate{key, value})
		}
		if out.steps = append(out.steps, st); len(out.steps) > maxDepth || out.up > maxDepth {
			return out, p.fault()
		}
		if !p.accept("/") {
			return out, nil
		}
	}
}

func (p *pathParser) name() (tree.Name, error) {
	p.space()
	n := strings.IndexAny(p.rest, " \t\r\n/[]=")
	if n < 0 {
		n = len(p.rest)
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	m, local, err := p.sc.module(p.at, word)
	if err != nil {
		return tree.Name{}, err
	}
	if !isIdentifier(local) {
		return tree.Name{}, p.fault()
	}
	if local == word {
		return tree.Name{Local: local}, nil
	}
	return tree.Name{Space: m.space, Local: local}, nil
}
