package store

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// panicError is a panic that guard has caught.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("reading a page failed: %v", e.value) }

// guard runs fn and turns a panic into an error: bbolt panics on a page that
// makes no sense, and touching a mapped page that the file no longer has, or
// that the disk cannot read, is a memory fault, which Go turns into a panic
// only where it is asked to.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = &panicError{r}
		}
	}()
	return fn()
}

// panicked says whether err comes from a panic that guard has caught.
func panicked(err error) bool {
	_, ok := errors.AsType[*panicError](err)
	return ok
}
