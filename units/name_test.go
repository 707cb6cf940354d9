package units_test

import (
	"strings"
	"testing"

	"github.com/abide-agent/abide/units"
)

func TestValidateName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"":                                    "unit name cannot be empty",
		strings.Repeat("a", 249) + ".service": "unit name exceeds maximum length (256)",
		strings.Repeat("a", 248) + ".service": "",
		"foo":                                 `unit name must contain "."`,
		"foo.":                                `unit name cannot end in "."`,
		"foo.txt":                             `invalid unit type: "txt"`,
		"a.Service":                           `invalid unit type: "Service"`,
		"a@1.mount":                           `invalid unit type for template: "mount"`,
		"a b.service":                         `invalid character ' ' in unit name`,
		"ü.service":                           `invalid character 'ü' in unit name`,
		"a/b.service":                         `invalid character '/' in unit name`,
		"a\nb.service":                        `invalid character '\n' in unit name`,
		"@foo.service":                        `unit name cannot start in "@"`,
		".service":                            "", "..service": "", "a@b@c.service": "", `a\x2db.service`: "", "a:b.service": "",
		"b.busname": "", "s.scope": "", "a.slice": "", "a.snapshot": "", "t@.target": "",
	} {
		got := ""
		if err := units.ValidateName(name); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%.40q: %q, want %q", name, got, want)
		}
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		template bool
		of       string
	}{
		"web.service":       {},
		"web@.service":      {template: true},
		"web@1.service":     {of: "web@.service"},
		"web@a.b@c.service": {of: "web@.service"},
		"web":               {},
	} {
		if got := units.IsTemplate(name); got != want.template {
			t.Errorf("%s is a template: %v", name, got)
		}
		if got := units.TemplateOf(name); got != want.of {
			t.Errorf("%s is an instance of %q, want %q", name, got, want.of)
		}
	}
	for name, want := range map[string]bool{"a.service": true, "a.conf": false, "service": false, "README.md": false, "x.d": false} {
		if got := units.IsUnit(name); got != want {
			t.Errorf("IsUnit(%q) = %v", name, got)
		}
	}
}
