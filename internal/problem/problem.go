// Package problem knows one thing: a fault in a user's file, at its place,
// with what to do about it. Every parser of the three families reports its
// faults in this shape, so that the plan, the API and the terminal show them
// alike. It never knows what kind of file it was, nor who reads the report.
package problem

import (
	"fmt"
	"strings"
)

// Severity says whether a problem stops its resource.
type Severity string

// The two severities: an Error stops the resource that it belongs to and
// nothing else, a Warning is shown and changes nothing.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Problem is one fault. Line and Column count from 1 and are 0 where the place
// is not known. The JSON form is an element of the API's `details.errors`.
type Problem struct {
	Severity Severity `json:"severity"`
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line,omitempty"`
	Column   int      `json:"column,omitempty"`
	Job      string   `json:"job,omitempty"`   // the job of a pipeline, else empty
	Field    string   `json:"field,omitempty"` // the key as its documentation spells it
	Message  string   `json:"message"`         // a sentence without its full stop
	Hint     string   `json:"hint,omitempty"`  // what to do next
	Rule     string   `json:"rule,omitempty"`  // the policy rule that was violated, if one was
}

// String gives `file:line:column: message; hint`, leaving out what is unknown.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
			if p.Column > 0 {
				fmt.Fprintf(&b, ":%d", p.Column)
			}
		}
		b.WriteString(": ")
	}
	if p.Severity == Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString("; ")
		b.WriteString(p.Hint)
	}
	return b.String()
}

// List is all that was found in one reading, in the order of the file.
type List []Problem

// Errors gives those of the list that stop their resource.
func (l List) Errors() List {
	var out List
	for _, p := range l {
		if p.Severity != Warning {
			out = append(out, p)
		}
	}
	return out
}

// Err gives the list as an error, or nil when nothing in it stops a resource.
func (l List) Err() error {
	if errs := l.Errors(); len(errs) > 0 {
		return errs
	}
	return nil
}

// Error joins all problems, one a line. List is an error so that a caller can
// hand it on and a reader can take it apart again with errors.As.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, p := range l {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}
