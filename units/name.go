package units

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxName is the length of the longest name that fleet takes, in bytes. systemd
// and file systems end at 255, so a unit with one more is kept and never placed.
const (
	MaxName       = 256
	maxPlacedName = 255
)

var (
	types         = []string{"automount", "busname", "device", "mount", "path", "scope", "service", "slice", "snapshot", "socket", "swap", "target", "timer"}
	templateTypes = []string{"path", "service", "socket", "target", "timer"}
)

// Type gives the type of a unit, the word after its last dot.
func Type(name string) string {
	return name[strings.LastIndexByte(name, '.')+1:]
}

// IsUnit says whether a file of that name is a unit file, by its type alone.
func IsUnit(file string) bool {
	return strings.Contains(file, ".") && slices.Contains(types, Type(file))
}

// ValidateName says in fleet's words what is wrong with a unit's name. The
// checks stand in fleet's order.
func ValidateName(name string) error {
	typ := Type(name)
	switch {
	case name == "":
		return errors.New("unit name cannot be empty")
	case len(name) > MaxName:
		return fmt.Errorf("unit name exceeds maximum length (%d)", MaxName)
	case !strings.Contains(name, "."):
		return errors.New(`unit name must contain "."`)
	case typ == "":
		return errors.New(`unit name cannot end in "."`)
	case !slices.Contains(types, typ):
		return fmt.Errorf("invalid unit type: %q", typ)
	case strings.Contains(name, "@") && !slices.Contains(templateTypes, typ):
		return fmt.Errorf("invalid unit type for template: %q", typ)
	}
	for _, r := range name {
		if !nameRune(r) {
			return fmt.Errorf("invalid character %q in unit name", r)
		}
	}
	if name[0] == '@' {
		return errors.New(`unit name cannot start in "@"`)
	}
	return nil
}

func nameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(`:-_.\@`, r)
}

// splitName takes a name apart: `prefix@instance.type`. templated says whether
// there was an @ at all.
func splitName(name string) (prefix, instance, typ string, templated bool) {
	stem := name
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		stem, typ = name[:dot], name[dot:]
	}
	prefix, instance, templated = strings.Cut(stem, "@")
	return prefix, instance, typ, templated
}

// IsTemplate says whether a unit is a template: it is only placed, never run.
func IsTemplate(name string) bool {
	_, instance, _, templated := splitName(name)
	return templated && instance == ""
}

// TemplateOf gives the template that name is an instance of, or "" when it is
// none: `web@1.service` is one of `web@.service`.
func TemplateOf(name string) string {
	prefix, instance, typ, templated := splitName(name)
	if !templated || instance == "" {
		return ""
	}
	return prefix + "@" + typ
}
