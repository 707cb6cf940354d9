package reconcile

import (
	"context"
	"io/fs"
	"time"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/sources"
)

// Kind observes, plans and applies one family of resources. The loop calls
// Load from any goroutine, Apply once at a time per lane.
type Kind interface {
	Name() string
	// Wants says by a path alone whether the file may be this kind's, so that
	// nothing else is read.
	Wants(path string) bool
	// Claims says whether a file that Wants accepted is this kind's, by its
	// content. A file that looks like ours and isn't is ignored with a reason.
	Claims(file File) (ours bool, ignored string)
	// Parse reads one file by itself. The result is kept as long as the file's
	// hash stays, so that a commit costs what it changed.
	Parse(file File) any
	// Load makes a resource of a parsed file and the snapshot around it; what is
	// wrong with it is in the resource's problems, never an error of the whole.
	Load(snap *sources.Snapshot, file File, parsed any, policy Policy) Resource
	// Observe looks at the world. The result maps a resource's name to the
	// digest of what is there; a kind whose resources leave nothing behind
	// that can drift gives none.
	Observe(ctx context.Context) (Observed, error)
	// Describe completes a change that the table decided on with what people
	// and saved plans need: the diff against applied (the content that was last
	// applied, nil when there is none), the details, the payload. It is pure.
	Describe(change *Change, want *Resource, applied []byte)
	// Lane names the work that must not overlap: changes of one lane are
	// applied one batch after the other, lanes side by side; see [Overlapper].
	Lane(change Change) string
	// Apply carries a batch of one lane out, idempotently, and reports each
	// change's outcome exactly once. It returns when all are reported.
	Apply(ctx context.Context, batch []Work, report func(Work, Outcome))
}

// Selector is a Kind whose resources may be meant for other hosts. A resource
// that is not selected is listed as ignored, with the reason.
type Selector interface {
	Selects(r *Resource) (bool, string)
}

// Splitter is a Kind whose files may hold several resources.
type Splitter interface {
	// Split names the resources of a parsed file; Load is then asked for each of
	// them, with the name in File.As. With an error among the faults nobody knows
	// what else the file holds: what it held before stays in force.
	Split(file File, parsed any) (names []string, faults problem.List)
}

// Gatherer is a Kind whose resources depend on more than their own file. Before
// any of a snapshot's resources is loaded it is given the names of all files
// that may be looked at, and those that it claimed. Snapshots of one source come
// one after the other.
type Gatherer interface {
	// What it finds wrong beside the resources is told as the source's problems.
	Gather(snap *sources.Snapshot, names []string, mine []Parsed) problem.List
}

// Parsed is a file with what its kind made of it.
type Parsed struct {
	File   File
	Parsed any
}

// Renderer is a Kind whose changes are carried out together on other machines:
// it shows what all changes of a plan together would send to each of them.
type Renderer interface {
	Render(ctx context.Context, works []Work) []DevicePlan
}

// DevicePlan is what a plan does to one device. Secrets are masked in all of it.
type DevicePlan struct {
	Device  string       `json:"device"`
	Diff    string       `json:"diff,omitempty"` // unified, of what is touched
	XML     string       `json:"xml,omitempty"`  // the <config> of the edit-config that apply sends
	Changes []PathChange `json:"changes,omitempty"`
	Error   string       `json:"error,omitempty"` // why it can't be said, or can't be done
}

// PathChange is one object or leaf of a device's configuration that a plan
// changes.
type PathChange struct {
	Path      string   `json:"path"`
	Operation string   `json:"operation"` // create, set, remove or move
	Old       string   `json:"old,omitempty"`
	New       string   `json:"new,omitempty"`
	Owners    []string `json:"owners,omitempty"` // the service instances that want it so
}

// Noter is a Kind that may know more of a resource about which nothing is done.
type Noter interface {
	// Note gives what is to be said of it, as a sentence, or "". It is called with
	// the agent's lock held.
	Note(name string) string
}

// Restorer is a Kind that can put right what was last applied of a resource also
// while something else is wanted that can't be had. Such a change has the digest
// and the revision of that last attempt; what is observed is held to it.
type Restorer interface{ Restores() }

// Watcher is a Kind that learns by itself when the world may have changed.
type Watcher interface {
	// Watch calls hint until ctx ends; a hint carries no truth.
	Watch(ctx context.Context, hint func()) error
}

// Observed maps the names of a kind's resources to the digest of what is there.
type Observed map[string]string

// File is one file that a snapshot offers.
type File struct {
	Path string // below the source's path, slash-separated
	Data []byte
	Hash string // identity of the content
	As   string // what its resource is called, where that is not the path's to say
}

// Resource is one wanted thing, as its file says it.
type Resource struct {
	Kind, Name string
	Source     string
	File       string
	Revision   string
	Digest     string // of everything that, when it changes, is a new wish
	Spec       any    // the kind's own parsed form
	Text       []byte // the file, for diffs
	After      []string
	Needs      []string // keys of what has to be well before it is changed, where it is ours at all; see waves
	Hosts      []string
	Manual     bool
	Explicit   bool
	Schedule   Schedule // nil: none
	Turns      Turns
	Problems   problem.List
	Tree       fs.FS
	Git        bool // its source is a Git repository, whose claim wins over an equal one
}

// Schedule tells when a resource comes due.
type Schedule interface {
	// Next gives the first time after t, or zero when there is none.
	Next(t time.Time) time.Time
	// String tells one schedule from another.
	String() string
}

// Key names a resource over all kinds: "pipeline/build".
func (r *Resource) Key() string { return r.Kind + "/" + r.Name }

// Broken says whether the resource has an error that stops it.
func (r *Resource) Broken() bool { return r.Problems.Err() != nil }

// Work is a change together with what it needs to be carried out.
type Work struct {
	Change   Change
	Resource *Resource // nil for a removal
	Record   Record
	Applied  []byte    // the content that was last applied; nil: never, or unknown
	Cause    string    // a runner.Cause
	Due      time.Time // the turn of its schedule that came due
	Missed   time.Time // the first turn that nobody took, and that is let pass
	Replaces string    // the run under way that has to end for its turn
	Guarded  bool      // it left together with too many others
	By       string
}

// Outcome is how one change ended. Err set means that nothing final happened:
// its type decides what the loop does (see Terminal and Waiting), else Last is
// recorded.
type Outcome struct {
	Last Last
	Err  error
	// Rejected says that the change was tried and rolled back: what was applied
	// before is in force again, and the digest is not tried until it changes.
	Rejected string
	// Kept says that what was applied before still counts as applied.
	Kept bool
}

// Terminal is an error that a human must mend: it is not retried until the
// digest changes or somebody asks.
type Terminal struct{ Err error }

func (t *Terminal) Error() string { return t.Err.Error() }

// Unwrap gives the error within.
func (t *Terminal) Unwrap() error { return t.Err }

// Waiting is no failure: look again after the given time, without backoff.
type Waiting struct {
	For    string
	Period time.Duration
}

func (w *Waiting) Error() string { return "waiting for " + w.For }
