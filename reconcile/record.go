package reconcile

import (
	"time"

	"github.com/abide-agent/abide/internal/problem"
)

// Result is how the last attempt at a digest ended.
type Result string

// The results. All but Interrupted are final for their digest: nothing is
// repeated until the digest changes or somebody asks with `abide retry`.
const (
	Succeeded   Result = "succeeded"
	Failed      Result = "failed"
	Cancelled   Result = "cancelled"
	Skipped     Result = "skipped"
	Interrupted Result = "interrupted" // runs once more, then counts as failed
	Baselined   Result = "baselined"   // recorded as done by --baseline, never run
)

// Last is the attempt that a record remembers.
type Last struct {
	Digest   string    `json:"digest"`
	Revision string    `json:"revision,omitempty"`
	Run      string    `json:"run,omitempty"`
	When     time.Time `json:"when"`
	Result   Result    `json:"result"`
	Reason   string    `json:"reason,omitempty"`
	// Interruptions counts the attempts at Digest that a crash or shutdown cut off.
	Interruptions int `json:"interruptions,omitempty"`
}

// Record is what is durably known of one resource.
type Record struct {
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Source   string `json:"source"`
	File     string `json:"file,omitempty"`
	Want     string `json:"want,omitempty"`     // the digest that is wanted now
	Last     *Last  `json:"last,omitempty"`     // nil: never attempted
	Rejected string `json:"rejected,omitempty"` // a digest that was rolled back: not tried again
	Owner    string `json:"owner,omitempty"`    // the source whose claim on the name is durable
	// Baseline says that the resource was there when its source was first seen,
	// by an agent that takes that for done. The first outcome clears it.
	Baseline bool `json:"baseline,omitempty"`
	// Retry is a request that `abide retry` left: the resource is acted upon
	// whatever else the record says. The next outcome clears it.
	Retry *Request `json:"retry,omitempty"`
	// Cron is when the schedule last came due and was acted upon.
	Cron time.Time `json:"cron,omitzero"`
	// Schedule is the schedule that is followed, and Since when it was first seen.
	Schedule string    `json:"schedule,omitempty"`
	Since    time.Time `json:"since,omitzero"`
}

// Request says who asked for something, and when.
type Request struct {
	By   string    `json:"by"`
	When time.Time `json:"when"`
}

// Hold keeps a source, or the whole agent when Source is empty, from running
// and pruning anything until somebody resumes it. With a Revision it is a pin:
// the source goes on as if that were its newest.
type Hold struct {
	Source   string    `json:"source,omitempty"`
	By       string    `json:"by"`
	Reason   string    `json:"reason"`
	Since    time.Time `json:"since"`
	Revision string    `json:"revision,omitempty"`
}

// Operation is what a change does to its resource.
type Operation string

// The operations of a plan.
const (
	OpRun    Operation = "run"    // a pipeline: run it
	OpRemove Operation = "remove" // forget it; what abide placed is removed
	OpAdopt  Operation = "adopt"  // record as done (--baseline)
	OpNone   Operation = "none"   // nothing to do; the reason says why
	OpWait   Operation = "wait"   // to do, but something stands before it

	OpAdd    Operation = "add"    // of a comparison: the second revision has it alone
	OpChange Operation = "change" // of a comparison: it differs
)

// Change is one line of a plan. Plan output is sorted by kind and name.
type Change struct {
	Kind      string       `json:"kind"`
	Name      string       `json:"name"`
	Source    string       `json:"source"`
	File      string       `json:"file,omitempty"`
	Revision  string       `json:"revision,omitempty"`
	Operation Operation    `json:"operation"`
	Reason    string       `json:"reason"`             // "new", "changed since …", "failed before: …" as a sentence
	Diff      string       `json:"diff,omitempty"`     // unified, for people
	Digest    string       `json:"digest,omitempty"`   // what is wanted
	Observed  string       `json:"observed,omitempty"` // the digest that it was planned against: what was last applied
	Found     string       `json:"found,omitempty"`    // the digest of what is there, where the kind can tell
	Next      []time.Time  `json:"next,omitempty"`     // of its schedule
	Details   []string     `json:"details,omitempty"`  // "job deploy: condition is false now", …
	Problems  problem.List `json:"problems,omitempty"`
	Payload   any          `json:"payload,omitempty"` // what apply sends, rendered by the kind
}

// Pending says whether applying the change does something.
func (c Change) Pending() bool {
	return c.Operation == OpRun || c.Operation == OpRemove || c.Operation == OpAdopt
}

// Plan is what apply would do now.
type Plan struct {
	Created  time.Time      `json:"created"`
	Sources  []SourceStatus `json:"sources"`
	Changes  []Change       `json:"changes"`            // everything with something to do or to say
	Devices  []DevicePlan   `json:"devices,omitempty"`  // what the changes of services send to devices
	Problems problem.List   `json:"problems,omitempty"` // those that belong to no resource
	Ignored  []string       `json:"ignored,omitempty"`  // files that look like ours and are not, with the reason
	Holds    []Hold         `json:"holds,omitempty"`
}

// Pending counts the changes that do something.
func (p Plan) Pending() (n int) {
	for _, c := range p.Changes {
		if c.Pending() {
			n++
		}
	}
	return n
}

// Failed says whether the plan shows errors: a broken resource, or a source
// that could not be read.
func (p Plan) Failed() bool {
	if p.Problems.Err() != nil {
		return true
	}
	for _, c := range p.Changes {
		if c.Problems.Err() != nil {
			return true
		}
	}
	for _, s := range p.Sources {
		if s.Error != "" {
			return true
		}
	}
	for _, d := range p.Devices {
		if d.Error != "" {
			return true
		}
	}
	return false
}

// SourceStatus is what is known of a source now.
type SourceStatus struct {
	Name      string    `json:"name"`
	Location  string    `json:"location"` // without secrets
	Type      string    `json:"type"`     // git, dir or file
	Revision  string    `json:"revision,omitempty"`
	Subject   string    `json:"subject,omitempty"` // of the commit
	Checked   time.Time `json:"checked,omitzero"`
	Changed   time.Time `json:"changed,omitzero"`
	Error     string    `json:"error,omitempty"` // why it can't be read; the last good state is in force
	Hold      *Hold     `json:"hold,omitempty"`
	Pin       *Hold     `json:"pin,omitempty"` // it is kept at this revision, whatever is newer
	Resources int       `json:"resources"`
}

// ResourceStatus is a record with what the loop knows beside it.
type ResourceStatus struct {
	Record
	State    string       `json:"state"` // ready, pending, running, waiting, failed, broken, held
	Reason   string       `json:"reason,omitempty"`
	Run      string       `json:"run,omitempty"`   // the run that is under way
	Next     time.Time    `json:"next,omitzero"`   // of its schedule
	Turns    []time.Time  `json:"turns,omitempty"` // the next five of its schedule, Next being the first
	Problems problem.List `json:"problems,omitempty"`
}

// Health is what /health and `abide status` say of the agent.
type Health struct {
	Status       string    `json:"status"` // healthy or degraded
	Reasons      []string  `json:"reasons,omitempty"`
	Started      time.Time `json:"started"`
	Runs         int       `json:"total_pipelines_executed"`
	LastPipeline time.Time `json:"last_pipeline,omitzero"`
	Running      int       `json:"running"`
	Queued       int       `json:"queued"`
}
