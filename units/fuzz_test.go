package units_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/abide-agent/abide/units"
)

var seeds = []string{
	"", "[Service]\nExecStart=/bin/a\n", "[A]\nb=c \\\n# d\n e\n[X-Fleet]\nGlobal=true", "a=[b\n]\nc=d", "[A]\r\nB=c\\\r\nd\r\n",
	"[A]\n#x\\ \ny=z\n;q", "[A]\n\xff=\xff\x00", "[A\n]\nb=c", "[A]\nb=x\\\n\nc=d\\", "\uFEFF[X-Abide]\nProbe=tcp::80\nProbeWindow=1m30s\n",
}

// FuzzParse checks that what was read, written and read again stays the same
// from then on: fleet's own form is stable after one round.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		options, err := units.Parse(text)
		if err != nil {
			return
		}
		once, err := units.Parse(units.Serialize(options))
		if err != nil {
			return // a name that was trimmed can be a header now
		}
		twice, err := units.Parse(units.Serialize(once))
		if err == nil && units.Hash(once) == units.Hash(options) && !slices.Equal(once, twice) {
			t.Errorf("%q\n%q", once, twice)
		}
	})
}

// FuzzLoad checks that no file makes the reader fail in another way than with a
// problem, that places are within the file, and that equal bytes mean the same.
func FuzzLoad(f *testing.F) {
	for _, s := range seeds {
		f.Add("web@1.service", s, s)
	}
	f.Fuzz(func(t *testing.T, name, text, dropIn string) {
		u, faults := units.Load(name, units.Part{Path: "f", Text: []byte(text)}, []units.Part{{Path: "f.d/x.conf", Text: []byte(dropIn)}})
		for _, p := range faults {
			if p.Message == "" || p.Hint == "" {
				t.Errorf("a problem that helps nobody: %+v", p)
			}
			if lines := max(strings.Count(text, "\n"), strings.Count(dropIn, "\n")) + 1; p.Line > lines {
				t.Errorf("%v is beyond line %d", p, lines)
			}
		}
		if string(u.Text) != text || string(u.DropIns[0].Text) != dropIn {
			t.Error("the files are not kept byte for byte")
		}
	})
}

// FuzzValidateOptions checks that options which pass can't say anything else in
// a file: nothing is hidden from fleet or from systemd, and nothing added.
func FuzzValidateOptions(f *testing.F) {
	for _, s := range seeds {
		f.Add("Service", "A", s, "X", "B", "c")
		f.Add(s, "A", "x", "X", s, "c\\")
	}
	f.Fuzz(func(t *testing.T, s1, n1, v1, s2, n2, v2 string) {
		options := []units.Option{{Section: s1, Name: n1, Value: v1}, {Section: s2, Name: n2, Value: v2}}
		read, err := units.ValidateOptions("a.service", options)
		if err != nil {
			return
		}
		if len(read) > len(options) {
			t.Fatalf("%q reads as %q", options, read)
		}
		seen, faults := units.Read("", units.Serialize(options))
		if faults.Err() != nil || len(seen) != len(read) {
			t.Fatalf("systemd reads %q as %v (%v)", read, seen, faults)
		}
		for i, s := range seen {
			known := func(o units.Option) bool {
				return o.Section == s.Section && strings.TrimSpace(o.Name) == strings.TrimSpace(s.Name)
			}
			if !slices.ContainsFunc(options, known) || !known(read[i]) {
				t.Fatalf("%v is in nobody's options %q", s, options)
			}
		}
	})
}
