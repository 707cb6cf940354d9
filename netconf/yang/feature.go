package yang

import "strings"

// featuresOn says whether a statement counts when every feature is on: only an
// expression with `not` can be false then (RFC 7950 section 7.20.2). What can't
// be read counts.
func featuresOn(s *stmt) bool {
	for _, f := range all(s, "if-feature") {
		e := &features{words: strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(f.Argument))}
		if len(e.words) > 0 && len(e.words) <= 1000 && !e.or() && len(e.words) == 0 {
			return false
		}
	}
	return true
}

// features evaluates an expression; words are those that are left.
type features struct{ words []string }

func (e *features) accept(word string) bool {
	if len(e.words) > 0 && e.words[0] == word {
		e.words = e.words[1:]
		return true
	}
	return false
}

func (e *features) or() bool {
	v := e.and()
	for e.accept("or") {
		v = e.and() || v
	}
	return v
}

func (e *features) and() bool {
	v := e.term()
	for e.accept("and") {
		v = e.term() && v
	}
	return v
}

func (e *features) term() bool {
	switch {
	case e.accept("not"):
		return !e.term()
	case e.accept("("):
		v := e.or()
		e.accept(")")
		return v
	case len(e.words) > 0:
		e.words = e.words[1:]
	}
	return true
}
