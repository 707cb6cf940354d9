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
