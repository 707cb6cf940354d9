package reconcile

import "errors"

// The errors that a caller of the loop can act on. They are wrapped in a
// sentence that says what was asked for and what to do next; the API tells a
// client's fault from the agent's by them. Faults in a file come as a
// problem.List instead.
var (
	// ErrNotFound means that no run, source or resource has that name.
	ErrNotFound = errors.New("not found")
	// ErrInvalid means that the request itself makes no sense: asking again
	// can't help.
	ErrInvalid = errors.New("not a valid request")
	// ErrConflict means that the present state forbids it: cancelling a run
	// that ended, a name that two kinds share.
	ErrConflict = errors.New("conflicts with the present state")
	// ErrMoved means that a saved plan is out of date.
	ErrMoved = errors.New("the plan is not up to date any more")
	// ErrBusy means that a bound was reached, such as the queue of runs: ask
	// again later.
	ErrBusy = errors.New("too much is waiting")
	// ErrUnavailable means that nothing was done and nothing recorded because
	// something the agent needs is away, such as the container engine, or
	// because the agent is starting or stopping: ask again later.
	ErrUnavailable = errors.New("not available now")
)
