package main

import (
	"fmt"
	"regexp"
	"strings"
)

// heading is the line above the rows of a subject.
var heading = regexp.MustCompile("^\\| \\*\\*.*\\*\\* \\(`-only ([a-z-]+)`\\)")

// sums is the line that counts the goals.
var sums = regexp.MustCompile(`(?m)^Goals met: \d+, missed: \d+\.`)

// mend gives the table of an earlier run with the parts in it that this run
// measured, each with the time, the commit and the load of its own.
func (p *report) mend(table string) string {
	remark := fmt.Sprintf("measured by itself: %s; %s; load average %s", p.began.UTC().Format("2006-01-02 15:04 UTC"), p.facts[len(p.facts)-1], p.load)
	fresh := map[string]string{}
	for _, part := range p.parts {
		fresh[part.subject.name] = part.markdown(remark)
	}
	before, parts := split(table)
	for name, text := range fresh {
		parts[name] = text
	}
	var b strings.Builder
	b.WriteString(before)
	for _, s := range subjects {
		b.WriteString(parts[s.name])
	}
	out := b.String()
	count := fmt.Sprintf("Goals met: %d, missed: %d.", strings.Count(out, "| met |\n"), strings.Count(out, "| **missed** |\n"))
	return sums.ReplaceAllLiteralString(out, count)
}

// split takes a table apart: what stands before its first part, and the parts by
// their subjects.
func split(table string) (before string, parts map[string]string) {
	parts = map[string]string{}
	name := ""
	for line := range strings.Lines(table) {
		if m := heading.FindStringSubmatch(line); m != nil {
			name = m[1]
		}
		switch {
		case name == "":
			before += line
		case strings.HasPrefix(line, "|"):
			parts[name] += line
		}
	}
	return before, parts
}
