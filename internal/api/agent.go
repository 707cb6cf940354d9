package api

import (
	"context"
	"iter"

	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/runner"
)

// Agent is what the API serves. All methods are called from many goroutines at
// once, and ctx ends when the caller goes away. An error becomes a status by
// what it wraps: a problem.List (400, `validation_failed`) and the errors of
// package reconcile (400, 404, 409, 429, 503); anything else is a 500. No error
// may carry a secret: its text is answered as it is.
type Agent interface {
	// Trigger starts a run of the pipeline in the request's body. When it
	// returns, the run is recorded. Faults in the body, and whatever the body
	// may not name (another engine, a file outside the allowed root), come as a
	// problem.List; a dead engine as reconcile.ErrUnavailable with nothing
	// recorded; a full queue as reconcile.ErrBusy.
	Trigger(ctx context.Context, req TriggerRequest) (runner.Run, error)

	// Runs lists runs, newest first. next is empty on the last page, else what
	// After must be to get the following one.
	Runs(ctx context.Context, q RunQuery) (runs []runner.Run, next string, err error)
	// Run gives one run, or reconcile.ErrNotFound.
	Run(ctx context.Context, id string) (runner.Run, error)
	// Logs yields the events of one run in order, at least what its jobs printed
	// and how it ended, and with q.Follow goes on until the run has ended. An
	// error is yielded once, last.
	Logs(ctx context.Context, q LogQuery) iter.Seq2[LogLine, error]
	// Cancel asks a run to end and does not wait for it: reconcile.ErrNotFound,
	// or reconcile.ErrConflict when it had ended before.
	Cancel(ctx context.Context, id, by string) error

	Sources(ctx context.Context) ([]reconcile.SourceStatus, error)
	// Plan says what would be done now; it changes nothing.
	Plan(ctx context.Context) (reconcile.Plan, error)
	Resources(ctx context.Context, q ResourceQuery) ([]reconcile.ResourceStatus, error)

	// Retry forgets how the last attempt at a resource ended. The name is
	// `kind/name`, or a bare name where only one kind has it; reconcile.ErrConflict
	// names the kinds when several have.
	Retry(ctx context.Context, name, by string) error
	// Suspend holds a source until it is resumed, Resume ends its hold. With an
	// empty source they act on the whole agent.
	Suspend(ctx context.Context, source, reason, by string) error
	Resume(ctx context.Context, source, by string) error

	// Rollback pins a source to a revision, by default the one before the present,
	// until it is resumed; it gives the revision's whole name.
	Rollback(ctx context.Context, source, rev, reason, by string) (string, error)
	// PlanAt is Plan as if a source stood at another revision.
	PlanAt(ctx context.Context, source, rev string) (reconcile.Plan, error)
	// Compare says what a source's resources are at one revision and at another.
	Compare(ctx context.Context, source, from, to string) (reconcile.Comparison, error)

	// Health must answer at once, from memory.
	Health(ctx context.Context) reconcile.Health
}

// TriggerRequest is a pipeline that somebody sent to be run now.
type TriggerRequest struct {
	Body []byte // the YAML as it came, at most MaxBody bytes; the agent's to keep
	Name string // what the run's pipeline is called; empty: the agent's choice
	By   string // who asked, such as "uid 1000" or "token ci"
}

// RunQuery selects runs.
type RunQuery struct {
	After    string // what the page before gave as next
	Limit    int    // 1..MaxPage; never 0
	Pipeline string // only of this pipeline
	State    string // only in this state
}

// LogQuery selects what a run printed and did.
type LogQuery struct {
	Run    string
	After  uint64 // only events with a greater id
	Follow bool   // go on until the run has ended
}

// LogLine is one event of a run, encoded as it stands in the event log.
type LogLine struct {
	ID     uint64
	Job    string
	Output bool   // a line that the job printed
	Data   []byte // the event's JSON object on one line, its `id` included
}

// ResourceQuery selects resources; an empty field selects all.
type ResourceQuery struct {
	Kind   string
	Source string
	State  string
	Name   string
}
