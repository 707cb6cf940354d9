package units_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/units"
)

func TestRead(t *testing.T) {
	t.Parallel()
	text := "\uFEFF# comment \\\n[Unit]\r\n  Description = a  b \n\n[Service]\nExecStart=/bin/sh -c 'a \\\n# not this\n  b' \\\n\n;x\nEmpty=\nSlashes=x\\\\\nLast=y\\"
	settings, faults := units.Read("u/web.service", text)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	want := []units.Setting{
		{Option: units.Option{Section: "Unit", Name: "Description", Value: "a  b"}, File: "u/web.service", Line: 3, Column: 3},
		{Option: units.Option{Section: "Service", Name: "ExecStart", Value: "/bin/sh -c 'a    b'"}, File: "u/web.service", Line: 6, Column: 1},
		{Option: units.Option{Section: "Service", Name: "Empty"}, File: "u/web.service", Line: 11, Column: 1},
		{Option: units.Option{Section: "Service", Name: "Slashes", Value: `x\\`}, File: "u/web.service", Line: 12, Column: 1},
		{Option: units.Option{Section: "Service", Name: "Last", Value: "y"}, File: "u/web.service", Line: 13, Column: 1},
	}
	if diff := cmp.Diff(want, settings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[Service]\nA=x\rB=y\n":           `a.service:2:4: the character '\r' ends a line`,
		"[Service]\nA=\x00\n":             `a.service:2:3: the character '\x00' ends a line`,
		"[]\nA=b":                         `a.service:1:1: the section header "[]" has no name`,
		"[Service\nA=b":                   `a.service:1:1: the section header "[Service" does not end in ]`,
		"[Service] # x\n":                 `does not end in ]`,
		"[Ser]vice]\n":                    `has a bracket in its name`,
		"[Service]\n\tnonsense\n":         `a.service:2:2: "nonsense" is no assignment`,
		"[Service]\n =x\n":                `a.service:2:2: there is no name before the =`,
		"[Service]\nA=" + longValue(5000): `a.service:2:1: the line has 5002 bytes, fleet's API takes 2047`,
		"# " + longValue(2046):            `a.service:1:1: the line has 2048 bytes`,
		strings.Repeat("#\n", 140_000):    `a.service: the file has 280000 bytes`,
		"A=b\n[Service]\nC=d":             `a.service:1:1: warning: "A"= stands before the first section`,
	} {
		settings, faults := units.Read("a.service", text)
		if len(faults) != 1 || !strings.Contains(faults[0].String(), want) {
			t.Errorf("%.30q: %v\nwant %s", text, faults, want)
		}
		if len(settings) > 1 {
			t.Errorf("%.30q: settings %v", text, settings)
		}
	}
}

func longValue(n int) string { return strings.Repeat("x", n) }

func TestMeaning(t *testing.T) {
	t.Parallel()
	base := "[Unit]\nDescription=x\n[Service]\nExecStart=/bin/a\n"
	in := []units.DropIn{{Name: "b.conf", Text: []byte("[Service]\nUser=b\n")}, {Name: "a.conf", Text: []byte("[Service]\nUser=a\n")}}
	swapped := []units.DropIn{in[1], in[0]}
	if units.Content([]byte(base), in) != units.Content([]byte(base), swapped) {
		t.Error("the order in which drop-ins are given counts")
	}
	for name, tt := range map[string]struct {
		text    string
		dropIns []units.DropIn
		same    bool
	}{
		"itself":          {base, nil, true},
		"X-Fleet":         {base + "[X-Fleet]\nGlobal=true\n", nil, true},
		"X-Abide":         {base + "[X-Abide]\nDrift=off\n[X-Other]\na=b\n", nil, true},
		"X- name":         {base + "X-Note=1\n", nil, true},
		"comment":         {"# hello\n" + base + "\n; bye", nil, true},
		"value":           {strings.Replace(base, "/bin/a", "/bin/b", 1), nil, false},
		"order":           {"[Service]\nExecStart=/bin/a\n[Unit]\nDescription=x\n", nil, false},
		"more":            {base + "[Install]\nWantedBy=x\n", nil, false},
		"drop-in":         {base, in, false},
		"nothing drop-in": {base, []units.DropIn{{Name: "c.conf"}}, false},
		"broken":          {base + "nonsense\n", nil, false},
	} {
		if got := units.MeaningfulDigest([]byte(base), nil) == units.MeaningfulDigest([]byte(tt.text), tt.dropIns); got != tt.same {
			t.Errorf("%s: the same meaning: %v", name, got)
		}
		if tt.text != base && units.Content([]byte(base), nil) == units.Content([]byte(tt.text), nil) {
			t.Errorf("%s: the same content", name)
		}
	}
}

func TestDeps(t *testing.T) {
	t.Parallel()
	text := []byte("[Unit]\nAfter=db@%i.service \"a.service\" \\\n  net.target\nRequires=x\\x2dy.service\nRequisite=r@%i.service\nWants=\nBefore=%p.target\n[Service]\nAfter=no.service\n")
	dropIns := []units.DropIn{
		{Name: "20.conf", Text: []byte("[Unit]\nBindsTo=c.service\nAfter=c.service")},
		{Name: "10.conf", Text: []byte("[Unit]\nAfter=a.service b.service\nPartOf=%N.d\nAfter=\n")},
	}
	got := units.DepsOf("web@1.service", units.Effective(text, dropIns))
	want := units.Deps{
		Requires: []string{`x\x2dy.service`}, Requisite: []string{"r@1.service"}, BindsTo: []string{"c.service"}, PartOf: []string{"web@1.d"},
		After: []string{"db@1.service", "a.service", "net.target", "b.service", "c.service"}, Before: []string{"web.target"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
