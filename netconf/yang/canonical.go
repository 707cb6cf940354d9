package yang

import (
	"net/netip"
	"slices"
	"strings"
)

// canonicalForms are those that the descriptions of the common types demand
// (RFC 6991); the statements alone don't tell them.
var canonicalForms = map[string]func(string) string{
	"ietf-inet-types:ipv6-address":         address,
	"ietf-inet-types:ipv6-address-no-zone": address,
	"ietf-inet-types:ipv4-prefix":          network,
	"ietf-inet-types:ipv6-prefix":          network,
	"ietf-inet-types:domain-name":          strings.ToLower,
	"ietf-yang-types:mac-address":          strings.ToLower,
	"ietf-yang-types:phys-address":         strings.ToLower,
	"ietf-yang-types:hex-string":           strings.ToLower,
	"ietf-yang-types:uuid":                 strings.ToLower,
}

func address(s string) string {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.String()
	}
	return s
}

func network(s string) string {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked().String()
	}
	return s
}

// canonicalizes says whether the values of a type may have several forms.
func (t *Type) canonicalizes() bool {
	for t != nil && t.target != nil {
		t = t.target.Type
	}
	if t == nil {
		return false
	}
	switch t.Base {
	case "string":
		return t.canonical != nil
	case "boolean", "empty", "enumeration", "leafref":
		return false
	case "union":
		return t.refers() || slices.ContainsFunc(t.Union, (*Type).canonicalizes)
	}
	return true
}

// canonical gives the func that a definition of this leaf needs. A value that
// the type refuses stays as it is.
func (s *Schema) canonical(n *Node) func(string, map[string]string) string {
	return func(value string, prefixes map[string]string) string {
		r := &reading{schema: s, prefixes: prefixes, space: n.Name.Space}
		if c, err := r.read(n.Type, value); err == nil {
			return c
		}
		return value
	}
}
