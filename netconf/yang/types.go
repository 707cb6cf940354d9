package yang

import (
	"strconv"
)

// The bounds of types: how long a chain of typedefs is, and how many members a
// union has once the unions in it are spread out.
const (
	maxTypedefs = 200
	maxMembers  = 1000
)

// Type is what values a leaf or leaf-list takes.
type Type struct {
	Name string // as the module writes it: of a typedef, its name with the prefix
	Base string // the built-in type that it comes down to, such as "uint8"

	Default  string     // the typedef's, where HasDefault is set
	Patterns []*Pattern // of strings: all must hold
	Enums    []string   // of enumerations, in the module's order
	Bits     []string   // of bits, in the module's order
	Union    []*Type    // of unions: the members, unions in them spread out
	Fraction int        // of decimal64: the digits that may follow the point

	HasDefault bool
	spans      []span          // the range of numbers, or the length of strings and binaries
	names      map[string]bool // of enumerations and bits
	bases      []*identity
	path       *path // of leafrefs
	loose      bool  // of leafrefs and instance-identifiers: require-instance is false
	target     *Node // of leafrefs of a finished schema, nil where there is none
	canonical  func(string) string
}

// typedef is one with the scope that it stands in.
type typedef struct {
	at    *stmt
	scope *scope
}

// typeOf compiles a type statement. A statement means the same wherever the
// grouping around it is used, so each is compiled once.
func (c *compiler) typeOf(s *stmt, sc *scope) (*Type, error) {
	if s == nil {
		return nil, errNoType
	}
	if t, ok := c.types[s]; ok {
		if t == nil {
			return nil, faultAt(s, "break the circle", "the type %s is defined by itself", s.Argument)
		}
		return t, nil
	}
	if c.typedefs++; c.typedefs > maxTypedefs {
		c.typedefs--
		return nil, faultAt(s, "write it with fewer typedefs", "more than %d typedefs build on each other", maxTypedefs)
	}
	c.types[s] = nil
	t, err := c.makeType(s, sc)
	c.typedefs--
	if err != nil {
		delete(c.types, s)
		return nil, err
	}
	c.types[s] = t
	return t, nil
}

func (c *compiler) makeType(s *stmt, sc *scope) (*Type, error) {
	if builtin[s.Argument] {
		t := &Type{Name: s.Argument, Base: s.Argument, spans: integers[s.Argument]}
		return t, c.define(t, s, sc)
	}
	def, from, err := sc.typedef(s)
	if err != nil {
		return nil, err
	}
	inner := first(def.at, "type")
	if inner == nil {
		return nil, faultAt(def.at, "add one", "the typedef %s has no type", def.at.Argument)
	}
	base, err := c.typeOf(inner, def.scope)
	if err != nil {
		return nil, err
	}
	t := *base
	t.Name = s.Argument
	if d := first(def.at, "default"); d != nil {
		t.Default, t.HasDefault = d.Argument, true
	}
	if f := canonicalForms[from.name+":"+def.at.Argument]; f != nil {
		t.canonical = f
	}
	return &t, c.restrict(&t, s, sc)
}

// builtin holds the built-in types of RFC 7950 section 4.2.4.
var builtin = map[string]bool{
	"binary": true, "bits": true, "boolean": true, "decimal64": true, "empty": true, "enumeration": true,
	"identityref": true, "instance-identifier": true, "leafref": true, "string": true, "union": true,
	"int8": true, "int16": true, "int32": true, "int64": true, "uint8": true, "uint16": true, "uint32": true, "uint64": true,
}

// define reads what a built-in type needs to be told, then what restricts it.
func (c *compiler) define(t *Type, s *stmt, sc *scope) error {
	switch t.Base {
	case "decimal64":
		n, err := strconv.Atoi(arg(s, "fraction-digits"))
		if err != nil || n < 1 || n > 18 {
			return faultAt(s, "add fraction-digits from 1 to 18", "a decimal64 doesn't say how many digits follow the point")
		}
		t.Fraction = n
		t.spans = signed(64)
	case "string", "binary":
		t.spans = unsigned(64)
	case "enumeration":
		return t.needs(s, &t.Enums, "enum")
	case "bits":
		return t.needs(s, &t.Bits, "bit")
	case "leafref":
		p := first(s, "path")
		if p == nil {
			return faultAt(s, "add a path", "a leafref has no path")
		}
		var err error
		if t.path, err = parsePath(p, sc); err != nil {
			return err
		}
	case "identityref":
		for _, b := range all(s, "base") {
			id, err := sc.identity(b)
			if err != nil {
				return err
			}
			t.bases = append(t.bases, id)
		}
		if len(t.bases) == 0 {
			return faultAt(s, "add a base", "an identityref has no base")
		}
	case "union":
		if err := c.union(t, s, sc); err != nil {
			return err
		}
	}
	return c.restrict(t, s, sc)
}

// needs reads the names of an enumeration or of bits.
func (t *Type) needs(s *stmt, names *[]string, keyword string) error {
	*names, t.names = nil, map[string]bool{}
	for _, e := range all(s, keyword) {
		if t.names[e.Argument] || !featuresOn(e) {
			continue
		}
		t.names[e.Argument] = true
		*names = append(*names, e.Argument)
	}
	if len(*names) == 0 {
		return faultAt(s, "add at least one "+keyword, "the type has no %s", keyword)
	}
	return nil
}

// union spreads the members out, each once, so that a value is never tried
// more often than there are members.
func (c *compiler) union(t *Type, s *stmt, sc *scope) error {
	seen := map[*Type]bool{}
	for _, m := range all(s, "type") {
		member, err := c.typeOf(m, sc)
		if err != nil {
			return err
		}
		list := []*Type{member}
		if member.Base == "union" {
			list = member.Union
		}
		for _, x := range list {
			if !seen[x] {
				seen[x] = true
				t.Union = append(t.Union, x)
			}
		}
		if c.spend(m, len(list)) != nil || len(t.Union) > maxMembers {
			return faultAt(s, "write it with fewer", "the union has more than %d members", maxMembers)
		}
	}
	if len(t.Union) == 0 {
		return faultAt(s, "add at least one type", "the union has no member")
	}
	return nil
}

// restrict reads what narrows a type: a built-in one or a typedef.
func (c *compiler) restrict(t *Type, s *stmt, sc *scope) error {
	for _, r := range s.SubStatements() {
		var err error
		switch {
		case r.Keyword == "range" && (integers[t.Base] != nil || t.Base == "decimal64"),
			r.Keyword == "length" && (t.Base == "string" || t.Base == "binary"):
			var spans []span
			if spans, err = parseSpans(r.Argument, t.spans, t.Fraction); err != nil {
				return faultAt(r, "correct the "+r.Keyword, "%v", err)
			}
			t.spans = spans
		case r.Keyword == "pattern" && t.Base == "string":
			t.Patterns = append(t.Patterns[:len(t.Patterns):len(t.Patterns)], c.pattern(r))
		case r.Keyword == "require-instance":
			t.loose = r.Argument == "false"
		case r.Keyword == "range", r.Keyword == "length", r.Keyword == "pattern":
			err = faultAt(r, "take it away", "a %s can't restrict a %s", r.Keyword, t.Base)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case t.Name == t.Base: // a built-in one has told them already
	case t.Base == "enumeration" && first(s, "enum") != nil:
		return t.narrow(s, &t.Enums, "enum")
	case t.Base == "bits" && first(s, "bit") != nil:
		return t.narrow(s, &t.Bits, "bit")
	}
	return nil
}

// narrow keeps those of the names that a derived type lists again.
func (t *Type) narrow(s *stmt, names *[]string, keyword string) error {
	for _, e := range all(s, keyword) {
		if !t.names[e.Argument] {
			return faultAt(e, "take one of those", "%q is none of the type that is restricted", e.Argument)
		}
	}
	return t.needs(s, names, keyword)
}

// pattern compiles a regular expression; equal ones share their program.
func (c *compiler) pattern(s *stmt) *Pattern {
	p := &Pattern{Text: s.Argument, Invert: arg(s, "modifier") == "invert-match", Message: arg(s, "error-message")}
	re, known := c.programs[p.Text]
	if !known {
		text, size, err := translate(p.Text)
		if err == nil {
			re, err = c.program(text, size)
		}
		if err != nil {
			c.warnAt(s, "values are not held to it; write it in a simpler way", "the pattern %q can't be evaluated: %v", clip(p.Text), err)
		}
		c.programs[p.Text] = re
	}
	p.re = re
	return p
}

// fits says whether a length lies in the type's spans.
func (t *Type) fits(length int) bool { return inSpans(t.spans, number{magnitude: uint64(length)}) }

// withTargets copies a type whose leafrefs get their targets, which depend on
// where the type is used.
func (t *Type) withTargets(find func(*path) *Node) *Type {
	switch {
	case t.Base == "leafref":
		c := *t
		c.target = find(t.path)
		return &c
	case t.Base == "union" && t.refers():
		c := *t
		c.Union = make([]*Type, len(t.Union))
		for i, m := range t.Union {
			c.Union[i] = m.withTargets(find)
		}
		return &c
	}
	return t
}

// refers says whether a leafref is among the type.
func (t *Type) refers() bool {
	for _, m := range t.Union {
		if m.Base == "leafref" {
			return true
		}
	}
	return t.Base == "leafref"
}
