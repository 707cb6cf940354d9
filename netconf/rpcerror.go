package netconf

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/abide-agent/abide/netconf/tree"
)

// RPCError is one rpc-error (RFC 6241, section 4.3), with all that it says.
type RPCError struct {
	Type     string // transport, rpc, protocol or application
	Tag      string // lock-denied, in-use, … (RFC 6241, appendix A)
	Severity string // error or warning
	AppTag   string
	Path     string // an instance identifier, with the prefixes that the device chose
	Message  string
	Info     *tree.Node // the error-info element, or nil
}

// hints say what to do about the tags that have one answer everywhere.
var hints = map[string]string{
	"access-denied":           "give the user the right to do this on the device",
	"in-use":                  "wait for the other session, or end it on the device",
	"lock-denied":             "wait for the other session, or end it on the device",
	"operation-not-supported": "leave this operation out in the device's profile",
	"resource-denied":         "free resources on the device and try again",
	"too-big":                 "make fewer changes at a time",
	"rollback-failed":         "look at the device: a part of the change may be left on it",
}

func (e *RPCError) Error() string {
	var b strings.Builder
	b.WriteString("the device says ")
	b.WriteString(e.Tag)
	if e.AppTag != "" {
		b.WriteString(" (" + e.AppTag + ")")
	}
	if e.Path != "" {
		b.WriteString(" at " + e.Path)
	}
	if e.Message != "" {
		b.WriteString(": " + strings.TrimSuffix(e.Message, "."))
	}
	if hint := hints[e.Tag]; hint != "" {
		b.WriteString("; " + hint)
	}
	return b.String()
}

// RPCErrors are the errors of one reply, at least one, in the device's order.
type RPCErrors []*RPCError

func (l RPCErrors) Error() string {
	text := make([]string, len(l))
	for i, e := range l {
		text[i] = e.Error()
	}
	return strings.Join(text, "; and ")
}

// Unwrap gives the errors of the list, so that errors.As finds the first.
func (l RPCErrors) Unwrap() []error {
	out := make([]error, len(l))
	for i, e := range l {
		out[i] = e
	}
	return out
}

// HasTag says whether err is what a device answered, with one of the tags.
func HasTag(err error, tags ...string) bool {
	var list RPCErrors
	return errors.As(err, &list) && slices.ContainsFunc(list, func(e *RPCError) bool { return slices.Contains(tags, e.Tag) })
}

// readErrors gives the errors and the warnings of a reply. What has no severity
// is an error: nothing is taken for done that the device complained about.
func readErrors(reply *tree.Node) (errs, warnings []*RPCError) {
	for _, c := range reply.Children {
		if c.Name.Local != "rpc-error" {
			continue
		}
		e := &RPCError{}
		for _, f := range c.Children {
			switch f.Name.Local {
			case "error-type":
				e.Type = f.Value
			case "error-tag":
				e.Tag = f.Value
			case "error-severity":
				e.Severity = f.Value
			case "error-app-tag":
				e.AppTag = f.Value
			case "error-path":
				e.Path = strings.TrimSpace(f.Value)
			case "error-message":
				e.Message = strings.TrimSpace(f.Value)
			case "error-info":
				e.Info = f
			}
		}
		if e.Severity == "warning" {
			warnings = append(warnings, e)
		} else {
			errs = append(errs, e)
		}
	}
	return errs, warnings
}

// Node gives the error as the element of a reply. Type and Severity are
// "application" and "error" where they are empty.
func (e *RPCError) Node() *tree.Node {
	n := base("rpc-error")
	for _, f := range []struct{ local, value string }{
		{"error-type", orElse(e.Type, "application")},
		{"error-tag", orElse(e.Tag, "operation-failed")},
		{"error-severity", orElse(e.Severity, "error")},
		{"error-app-tag", e.AppTag},
		{"error-path", e.Path},
		{"error-message", e.Message},
	} {
		if f.value != "" {
			n.Children = append(n.Children, leaf(tree.BaseSpace, f.local, f.value))
		}
	}
	if e.Info != nil {
		n.Children = append(n.Children, e.Info)
	}
	return n
}

func orElse(value, other string) string {
	if value == "" {
		return other
	}
	return value
}

// LostError tells that the session ended before an answer came.
type LostError struct {
	Sent bool  // the device may have done what it was asked, or not
	Err  error // why the session ended
}

func (e *LostError) Error() string {
	if !e.Sent {
		return fmt.Sprintf("the session with the device is over: %v", e.Err)
	}
	return fmt.Sprintf("the session with the device ended before the answer came, so that what it did must be looked up: %v", e.Err)
}

func (e *LostError) Unwrap() error { return e.Err }
