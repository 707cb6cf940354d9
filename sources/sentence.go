package sources

import "fmt"

// sentence is an error whose text is complete as it stands. It unwraps to what a
// caller may compare it with, and only to that: never to an error that would
// repeat what the text leaves out, such as a URL.
type sentence struct {
	text string
	kind error
}

func (e *sentence) Error() string { return e.text }
func (e *sentence) Unwrap() error { return e.kind }

// say makes a sentence of a kind, which may be nil.
func say(kind error, format string, args ...any) error {
	return &sentence{fmt.Sprintf(format, args...), kind}
}
