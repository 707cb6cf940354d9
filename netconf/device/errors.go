package device

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrUnknown says that a name is not in the inventory.
var ErrUnknown = errors.New("no such device")

// RefusedError says that a device said no to a change. Trying again is of no
// use before something has changed. Err has the device's whole answer.
type RefusedError struct {
	Device string
	Step   string // what was refused: lock, edit-config, validate, commit, verify
	Err    error
}

// Error names the device and gives its words.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("device %s refuses the %s: %v; change the service or the device, then retry", e.Device, e.Step, e.Err)
}

// Unwrap gives the device's answer.
func (e *RefusedError) Unwrap() error { return e.Err }

// UnreachableError says that a device can't be reached, or stopped answering.
// The same change may succeed later: the Manager tells when it is back.
type UnreachableError struct {
	Device string
	Since  time.Time // when it was last there; zero when it never was
	Err    error
}

// Error names the device and what was seen.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("device %s can't be reached: %v; it is tried again by itself", e.Device, e.Err)
}

// Unwrap gives what was seen.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Conflict is one node of one device of which two instances want different things.
type Conflict struct {
	Device string    `json:"device"`
	Path   string    `json:"path"`
	Owners [2]string `json:"owners"`
	Values [2]string `json:"values"`
}

// ConflictError holds all conflicts of a change, with both owners and both values
// of each. Nothing was sent.
type ConflictError struct{ Conflicts []Conflict }

// Error names the first few, and who wants them; not the values, which may be
// secrets: whoever shows those masks them.
func (e *ConflictError) Error() string {
	const most = 3
	var b strings.Builder
	for i, c := range e.Conflicts {
		if i == most {
			fmt.Fprintf(&b, "and %d more conflicts; ", len(e.Conflicts)-most)
			break
		}
		if c.Owners[0] == c.Owners[1] {
			fmt.Fprintf(&b, "%s wants %s of device %s to be two things; ", c.Owners[0], c.Path, c.Device)
		} else {
			fmt.Fprintf(&b, "%s and %s want %s of device %s to be different things; ", c.Owners[0], c.Owners[1], c.Path, c.Device)
		}
	}
	b.WriteString("change one of the instances")
	return b.String()
}

// once gives the error with each conflict told one time.
func (e *ConflictError) once() *ConflictError {
	seen := map[Conflict]bool{}
	out := &ConflictError{}
	for _, c := range e.Conflicts {
		if !seen[c] {
			seen[c] = true
			out.Conflicts = append(out.Conflicts, c)
		}
	}
	return out
}
