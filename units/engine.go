package units

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// State is what is wanted of a unit, and what fleet's API says that it is.
type State string

// The states, in fleet's words: Inactive is not there at all, Loaded is placed
// and not started, Launched is placed and running (or has done its work).
const (
	Inactive State = "inactive"
	Loaded   State = "loaded"
	Launched State = "launched"
)

// DropIn is one file of NAME.d/, which belongs to its unit.
type DropIn struct {
	Name string // "10-memory.conf"
	Text []byte
}

// Target is one unit as it is wanted, complete: an engine looks nothing else up.
type Target struct {
	Name    string
	Want    State
	Text    []byte // of the unit file, as it is to stand on disk
	DropIns []DropIn
	Digest  string // of Text and DropIns; see Content
	Source  string // whose it is, for the mark
	// Restart says that a running unit has to be stopped and started for its
	// new content; false for content that systemd never reads ([X-Fleet] only).
	Restart bool
	// Remove takes away what was placed, after stopping it. Text is empty then.
	Remove bool
	Probe  *Probe // nil: none
}

// Probe asks a started unit whether it is well. Exactly one of HTTP, TCP and
// Exec is set.
type Probe struct {
	HTTP   string   // URL that must answer 2xx or 3xx
	TCP    string   // host:port that must take a connection
	Exec   []string // program that must exit with 0
	Window time.Duration
}

// Result is how one target of a batch came out.
type Result struct {
	Status Status
	// Err is nil when the unit is as wanted. It may wrap ErrUnavailable,
	// ErrBusy or ErrNotSupported.
	Err error
	// Log are the unit's last lines of output, where it failed.
	Log []string
	// Did says what was done, in the past tense ("started", "restarted",
	// "stopped", "placed", "removed", "enabled", "unmasked"), empty for nothing.
	Did []string
}

// Status is what an engine observes of one unit that it placed.
type Status struct {
	Name    string    `json:"name"`
	Digest  string    `json:"digest,omitempty"` // of the files that stand on disk now, computed like Target.Digest
	Placed  string    `json:"placed,omitempty"` // the digest that was last placed, from the mark
	Missing bool      `json:"missing,omitempty"`
	Load    string    `json:"load_state"`
	Active  string    `json:"active_state"`
	Sub     string    `json:"sub_state"`
	Result  string    `json:"result,omitempty"` // systemd's: success, exit-code, timeout, …
	Job     string    `json:"job,omitempty"`    // a job under way: start, stop, restart
	PID     int       `json:"pid,omitempty"`
	Exit    int       `json:"exit_code,omitempty"`
	Enabled bool      `json:"enabled,omitempty"`
	Masked  bool      `json:"masked,omitempty"`
	Since   time.Time `json:"since,omitzero"` // of the present active state
	OneShot bool      `json:"oneshot,omitempty"`
	// Disabled says that the unit is to be launched and its [Install] asks for
	// links that are not there.
	Disabled bool `json:"disabled,omitempty"`
	// Outdated says that the engine still goes by older files of the unit than
	// those that stand there: systemd's NeedDaemonReload.
	Outdated bool `json:"outdated,omitempty"`
	// Skipped says that a condition of the unit's own was false when it was last
	// started, so that it was left alone; that is no failure.
	Skipped bool `json:"skipped,omitempty"`
	// Foreign are files in NAME.d/ that abide did not place.
	Foreign []string `json:"foreign,omitempty"`
}

// State gives what the unit is, in fleet's three words: launched only when it
// runs or, being a one-shot, ended well.
func (s Status) State() State {
	switch {
	case s.Missing || s.Load == "not-found" || s.Load == "":
		return Inactive
	case s.Active == "active" || s.Active == "reloading":
		return Launched
	case s.OneShot && s.Active == "inactive" && s.Result == "success" && !s.Since.IsZero():
		return Launched
	}
	return Loaded
}

// The errors of an engine that a caller can act on.
var (
	// ErrUnavailable wraps "systemd can't be reached": nothing was done.
	ErrUnavailable = errors.New("the unit engine can't be reached")
	// ErrBusy means that the unit's job was still under way when the batch had
	// waited long enough for it; it goes on, and a later look shows its end.
	ErrBusy = errors.New("its job is still under way")
	// ErrNotSupported means that the engine can't honour a directive that would
	// change what the unit means; the error names it.
	ErrNotSupported = errors.New("not supported by this engine")
)

// Checker is an Engine that doesn't have all that unit files may ask for.
type Checker interface {
	// Check judges a unit before anything of it is touched. ignored are the
	// directives, each as "Section/Name", that have no effect here, without harm.
	// An error wraps ErrNotSupported, or says what is wrong with the file; it is a
	// [LineError] where one line is to blame.
	Check(name string, text []byte, dropIns []DropIn) (ignored []string, err error)
}

// LineError is an error of one line of a unit file or of a drop-in.
type LineError struct {
	File         string // the name of the unit, or NAME.d/DROP-IN
	Line, Column int
	Err          error
}

func (e *LineError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %v", e.File, e.Line, e.Column, e.Err)
}

// Unwrap gives the error without the place.
func (e *LineError) Unwrap() error { return e.Err }

// Engine makes units true on this machine. Implementations pass the suite in
// units/enginetest and are safe for concurrent use. Stopping the agent never
// touches a unit.
type Engine interface {
	Name() string
	// Ping says whether the engine answers: nil, or ErrUnavailable wrapped in a
	// sentence that says what to do.
	Ping(ctx context.Context) error
	// Converge makes a batch true: all files are placed, then at most one
	// reload, then stops and starts side by side, each in the order that its
	// dependencies within the batch ask for. report is called exactly once for
	// each target, as soon as its result is known, from any goroutine but one
	// at a time. A target that takes longer than wait is reported with ErrBusy
	// and left to go on; no target delays an independent one.
	Converge(ctx context.Context, batch []Target, wait time.Duration, report func(Target, Result))
	// States gives every unit that this agent placed, from memory where signals
	// keep it true; fresh makes it ask.
	States(ctx context.Context, fresh bool) (map[string]Status, error)
	// Watch calls changed whenever a unit's state or file may have changed,
	// until ctx ends. A lost connection is made again meanwhile.
	Watch(ctx context.Context, changed func(name string)) error
	// Start, Stop and their like are for `abide units …` by hand.
	Start(ctx context.Context, name string) error
	Stop(ctx context.Context, name string) error
	// Journal gives the last lines that a unit printed, oldest first.
	Journal(ctx context.Context, name string, lines int) ([]string, error)
	Close() error
}
