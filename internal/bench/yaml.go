package main

import (
	"fmt"
	"strings"
)

// job is one job of a pipeline that is measured.
type job struct {
	name, image string
	script      []string
	more        string // further lines, "key: value"
}

// pipeline writes a pipeline with these jobs in this order.
func pipeline(jobs ...job) string {
	var b strings.Builder
	b.WriteString("workflow:\n")
	for _, j := range jobs {
		fmt.Fprintf(&b, "  - %s\n", j.name)
	}
	for _, j := range jobs {
		fmt.Fprintf(&b, "%s:\n  image: %s\n", j.name, j.image)
		for line := range strings.Lines(j.more) {
			b.WriteString("  " + strings.TrimSuffix(line, "\n") + "\n")
		}
		b.WriteString("  script:\n")
		for _, s := range j.script {
			fmt.Fprintf(&b, "    - '%s'\n", strings.ReplaceAll(s, "'", "''")) // an unquoted true is no string
		}
	}
	return b.String()
}

// series makes n jobs that are alike.
func (r *rig) series(n int, more string, script ...string) []job {
	out := make([]job, n)
	for i := range out {
		out[i] = job{name: r.name("j"), image: r.images.Cmd, script: script, more: more}
	}
	return out
}

// never is the condition of a job that is always skipped: a run without a
// container.
const never = `condition: '"a" == "b"'`
