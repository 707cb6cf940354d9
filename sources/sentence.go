package sources

import (
	"errors"
	"fmt"
	"io/fs"
)

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

// unreadable is the sentence about a file or directory that is there and can't
// be read; what begins it, as in "the file x".
func unreadable(what string, err error) error {
	hint := "check the path and the disk"
	if errors.Is(err, fs.ErrPermission) {
		hint = "run abide as a user who may read it"
	}
	return fmt.Errorf("%s cannot be read: %w; %s", what, unwrapPath(err), hint)
}
