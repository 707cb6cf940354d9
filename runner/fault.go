package runner

import "errors"

// fault is what is wrong with one value, in the two parts of a problem.
type fault struct {
	message string // a sentence without its full stop
	hint    string // what to do next
	offset  int    // bytes before the fault in the value, -1 where that says nothing
}

func (f *fault) Error() string {
	if f.hint == "" {
		return f.message
	}
	return f.message + "; " + f.hint
}

// faultOf takes an error apart again.
func faultOf(err error) *fault {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	return &fault{message: err.Error(), offset: -1}
}
