package settings

import (
	"errors"

	"github.com/abide-agent/abide/internal/problem"
)

// place is where a value was given: in the file at a line, by a flag or by a
// variable.
type place struct {
	file         string
	line, column int
	label        string // "--interval" or "ABIDE_INTERVAL"; empty for the file
}

// fault makes a problem of a value at this place.
func (p place) fault(field, message, hint string) problem.Problem {
	if p.label != "" {
		message = p.label + ": " + message
	} else if field != "" {
		message = field + ": " + message
	}
	return problem.Problem{
		Severity: problem.Error, File: p.file, Line: p.line, Column: p.column,
		Field: field, Message: message, Hint: hint,
	}
}

// refuse makes a problem of what an option's add said.
func (p place) refuse(field string, err error) problem.Problem {
	if f, ok := errors.AsType[fault](err); ok {
		return p.fault(field, f.message, f.hint)
	}
	return p.fault(field, err.Error(), "")
}

// idle warns that a value at this place changes nothing.
func (p place) idle(field string) problem.Problem {
	w := p.fault(field, "this has no effect in this version", "remove it, or leave it for a later one")
	w.Severity = problem.Warning
	return w
}
