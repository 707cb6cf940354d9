package main

import (
	"errors"
	"strings"
	"testing"
)

// TestNotRun: a subject that this machine can't measure is in the table, with
// the reason, and not among what was met or missed.
func TestNotRun(t *testing.T) {
	t.Parallel()
	p := &report{}
	p.add(subject{name: "one", about: "the first"}, []row{below("a size", 1, 2, " MB", ""), below("another", 3, 2, " MB", "")})
	p.skip(subject{name: "units", about: "the second"}, (&notRun{errors.New("no | Docker")}).Error())
	text := p.markdown()
	for _, want := range []string{
		"Goals met: 1, missed: 1. Not run: units.\n",
		"| **the second** (`-only units`) | | | | | |\n| **not run**: no \\| Docker |  |  |  |  |  |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the table lacks %q:\n%s", want, text)
		}
	}
}

// TestMend: a part that is measured by itself takes the place of its older rows,
// says when that was, and the goals are counted anew.
func TestMend(t *testing.T) {
	t.Parallel()
	one, two := subjects[0], subjects[1]
	old := &report{facts: []string{"commit a"}}
	old.add(one, []row{below("a size", 1, 2, " MB", ""), below("another", 3, 2, " MB", "")})
	old.add(two, []row{below("kept", 1, 2, " MB", "")})
	fresh := &report{facts: []string{"2 cores", "commit b"}, load: "0.5"}
	fresh.add(one, []row{below("a size", 1.5, 2, " MB", ""), below("another", 1, 2, " MB", "")})
	text := fresh.mend(old.markdown())
	for _, want := range []string{"Goals met: 3, missed: 0.", "commit a", "commit b; load average 0.5", "kept"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q is not once in\n%s", want, text)
		}
	}
	if strings.Index(text, one.about) > strings.Index(text, two.about) || strings.Contains(text, "missed**") {
		t.Errorf("the table is\n%s", text)
	}
}
