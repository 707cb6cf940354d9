package yang

import (
	"strings"
	"unicode"
)

// module is a module with its submodules, in one revision.
type module struct {
	name, revision, space, prefix string

	sources    []*source // the module itself first
	typedefs   map[string]*typedef
	groupings  map[string]*grouping
	identities map[string]*identity

	state    int // of its compilation: not yet, under way, done
	err      error
	body     []*Node // its own nodes at the top
	augments []*augment
	deviates []*deviation
}

// source is one text: a module or a submodule. Prefixes are its own.
type source struct {
	mod      *module
	at       *stmt
	revision string // the newest that it tells, or ""
	prefixes map[string]*module
	scope    *scope
}

// scope is where typedefs and groupings are looked for: around a statement, then
// around that, up to the module.
type scope struct {
	up        *scope
	src       *source
	typedefs  map[string]*typedef
	groupings map[string]*grouping
}

type grouping struct {
	at    *stmt
	scope *scope
}

// identity is one, with those that it is derived from.
type identity struct {
	mod   *module
	name  string
	bases []*identity
}

// derivedFrom says whether an identity comes from a base, directly or through
// others (RFC 7950 section 9.10).
func (id *identity) derivedFrom(base *identity, seen map[*identity]bool) bool {
	for _, b := range id.bases {
		if b.name == base.name && b.mod.name == base.mod.name { // the revisions may differ
			return true
		}
		if !seen[b] {
			seen[b] = true
			if b.derivedFrom(base, seen) {
				return true
			}
		}
	}
	return false
}

// enter gives the scope within a statement.
func (sc *scope) enter(s *stmt) *scope {
	in := &scope{up: sc, src: sc.src}
	if !in.collect(s) {
		return sc
	}
	return in
}

// collect takes in the definitions that stand in a statement.
func (sc *scope) collect(s *stmt) (any bool) {
	for _, d := range s.SubStatements() {
		switch d.Keyword {
		case "typedef":
			if sc.typedefs == nil {
				sc.typedefs = map[string]*typedef{}
			}
			if sc.typedefs[d.Argument] == nil {
				sc.typedefs[d.Argument] = &typedef{d, sc}
			}
		case "grouping":
			if sc.groupings == nil {
				sc.groupings = map[string]*grouping{}
			}
			if sc.groupings[d.Argument] == nil {
				sc.groupings[d.Argument] = &grouping{d, sc}
			}
		default:
			continue
		}
		any = true
	}
	return any
}

// module gives the module that a prefix means, and the name without it.
func (sc *scope) module(at *stmt, name string) (*module, string, error) {
	prefix, local, ok := strings.Cut(name, ":")
	if !ok {
		return sc.src.mod, name, nil
	}
	m := sc.src.prefixes[prefix]
	if m == nil {
		return nil, "", faultAt(at, "import the module that it stands for", "the prefix of %q is not known", clip(name))
	}
	return m, local, nil
}

func (sc *scope) typedef(at *stmt) (*typedef, *module, error) {
	m, name, err := sc.module(at, at.Argument)
	if err != nil {
		return nil, nil, err
	}
	if m == sc.src.mod {
		for s := sc; s != nil; s = s.up {
			if t := s.typedefs[name]; t != nil {
				return t, m, nil
			}
		}
	} else if t := m.typedefs[name]; t != nil {
		return t, m, nil
	}
	return nil, nil, faultAt(at, "correct the name, or define it", "there is no type %s", clip(at.Argument))
}

func (sc *scope) grouping(at *stmt) (*grouping, error) {
	m, name, err := sc.module(at, at.Argument)
	if err != nil {
		return nil, err
	}
	if m == sc.src.mod {
		for s := sc; s != nil; s = s.up {
			if g := s.groupings[name]; g != nil {
				return g, nil
			}
		}
	} else if g := m.groupings[name]; g != nil {
		return g, nil
	}
	return nil, faultAt(at, "correct the name, or define it", "there is no grouping %s", clip(at.Argument))
}

func (sc *scope) identity(at *stmt) (*identity, error) {
	m, name, err := sc.module(at, at.Argument)
	if err != nil {
		return nil, err
	}
	if id := m.identities[name]; id != nil {
		return id, nil
	}
	return nil, faultAt(at, "correct the name, or define it", "there is no identity %s", clip(at.Argument))
}

// clip keeps what a message quotes short, and free of what a terminal obeys.
func clip(s string) string {
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:77], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
