package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/abide-agent/abide/internal/failpoint"
	"github.com/abide-agent/abide/sse"
)

// The causes with which a run's context is cancelled: context.Cause tells the
// engine whether somebody wanted the run to end or the agent itself has to.
var (
	// ErrShutdown ends a run as interrupted, so that the next start runs it again.
	ErrShutdown = errors.New("the agent is shutting down")
	// ErrSuperseded and ErrCancelRequest end a run as cancelled.
	ErrSuperseded    = errors.New("a newer revision took its place")
	ErrCancelRequest = errors.New("somebody asked for it")
)

// Exit codes of a job that has none of its own, as docker(1) and shells give them.
const (
	CodeNoContainer = 125
	CodeCancelled   = 130
)

// Journal makes the states of runs durable. Save returns when a restart would
// find the run as it is now; it retries by itself while the disk refuses and
// gives up only with ctx. Done forgets that the run needs looking after: its
// outcome is recorded, its events are out, its containers are gone.
type Journal interface {
	Save(ctx context.Context, run *Run) error
	Done(run *Run)
}

// Options are what an Engine needs. Executor, Publish and Slots are required.
type Options struct {
	// Executor gives the executor for a pipeline's docker.host, "" for the agent's own.
	Executor func(host string) (Executor, error)
	Publish  func(sse.Event)
	Journal  Journal // nil: nothing is kept
	// Slots bounds the jobs that run at the same time, over all runs. They are
	// served in the order of asking.
	Slots *semaphore.Weighted
	// Getenv is the agent's environment, for conditions.
	Getenv func(string) (string, bool)
	// Printed counts the lines that the log holds of one attempt, so that an
	// adopted container's output is not logged twice. nil: none.
	Printed func(run, job string, attempt int) map[Stream]int
	// Artifacts gives the directory for a job's artifactPath.
	Artifacts func(run *Run, job string) string
	Agent     string           // label of this agent's containers
	Now       func() time.Time // nil: time.Now
}

// Engine runs pipelines. It is safe for concurrent use; each run belongs to
// the one goroutine that called Execute.
type Engine struct{ Options }

// NewEngine makes an engine.
func NewEngine(o Options) *Engine {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Journal == nil {
		o.Journal = noJournal{}
	}
	if o.Getenv == nil {
		o.Getenv = func(string) (string, bool) { return "", false }
	}
	return &Engine{o}
}

type noJournal struct{}

func (noJournal) Save(context.Context, *Run) error { return nil }
func (noJournal) Done(*Run)                        {}

// Tree gives the files that a run's jobs copy and build from; nil means that
// the run has none.
type Tree func(context.Context) (fs.FS, error)

// execution is one run under way. mu guards run, which parallel jobs change.
type execution struct {
	*Engine
	p     *Pipeline
	tree  Tree
	found map[string][]Workload // by job, what an earlier life of the agent left
	said  Announced

	mu  sync.Mutex
	run *Run
}

// Announced says which events of a run are known to be in the log, keyed by
// type and job, so that a run that goes on after a crash emits the lost ones
// late and none twice.
type Announced map[string]bool

// Key is an entry of Announced.
func Key(eventType, job string) string { return eventType + "\x00" + job }

// Execute takes run to its end and returns when it is final, recorded, announced
// and cleaned up. A run that an earlier life began goes on where its record
// stands: jobs that ended stay ended, containers in left are adopted. The
// context's cause says how a run that has to stop ends (see ErrShutdown).
func (e *Engine) Execute(ctx context.Context, run *Run, p *Pipeline, tree Tree, left []Workload, said Announced) {
	x := &execution{Engine: e, p: p, tree: tree, run: run, said: said, found: map[string][]Workload{}}
	for _, w := range left {
		x.found[w.Labels.Job] = append(x.found[w.Labels.Job], w)
	}
	if !run.State.Final() {
		x.begin(ctx)
		x.groups(ctx)
		x.end(ctx)
	}
	x.finish()
}

// NewRun makes the record of a run of p that has not begun.
func NewRun(id string, p *Pipeline, cause Cause, now time.Time) *Run {
	run := &Run{ID: id, Pipeline: p.Name, File: p.File, Cause: cause, State: Pending, Created: now, Text: p.Text, DockerHost: p.DockerHost}
	for _, j := range p.Jobs {
		run.Jobs = append(run.Jobs, JobRun{Name: j.Name, State: Pending, Image: j.Image})
	}
	return run
}

func (x *execution) begin(ctx context.Context) {
	if x.run.State == Pending {
		x.run.State, x.run.Started = Running, x.Now()
		_ = x.save(ctx) // a context that ended is noticed by the first job
	}
	x.announce(sse.Event{
		Type: sse.TypePipelineStart, Message: "Pipeline execution started",
		Fields: map[string]any{"cause": string(x.run.Cause), "jobs": len(x.p.Jobs), "logs_with_time": x.p.LogsWithTime},
	})
}

// groups runs the stages in order. A failure lets its siblings finish and
// skips everything after its group.
func (x *execution) groups(ctx context.Context) {
	stopped := ""
	for _, g := range groups(x.p.Jobs) {
		if stopped != "" {
			for _, i := range g {
				x.skip(i, stopped)
			}
			continue
		}
		x.group(ctx, g)
		stopped = x.blocker(g)
	}
}

func (x *execution) group(ctx context.Context, g group) {
	var wg sync.WaitGroup
	for _, i := range g {
		wg.Go(func() { x.guarded(ctx, i) })
	}
	wg.Wait()
}

// guarded turns a panic in one job into that job's failure.
func (x *execution) guarded(ctx context.Context, i int) {
	defer func() {
		if r := recover(); r != nil {
			x.outcome(ctx, i, Failed, CodeNoContainer, fmt.Sprintf("internal error: %v; please report it", r))
		}
	}()
	x.job(ctx, i)
}

// blocker gives why nothing after g may run, or "".
func (x *execution) blocker(g group) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, i := range g {
		switch j := x.run.Jobs[i]; j.State {
		case Failed, Cancelled, Interrupted:
			return fmt.Sprintf("job %s %s", j.Name, j.State)
		}
	}
	return ""
}

func (x *execution) end(ctx context.Context) {
	v := judge(x.run.Jobs)
	x.mu.Lock()
	x.run.State, x.run.ExitCode, x.run.Reason, x.run.Ended = v.state, v.code, v.reason, x.Now()
	x.run.Text = nil
	x.mu.Unlock()
	_ = failpoint.Hit("run.before-final")
	_ = x.save(context.WithoutCancel(ctx))
	_ = failpoint.Hit("run.after-final")
}

// finish announces the end, removes what is left and closes the journal entry.
func (x *execution) finish() {
	run := x.run
	fields := map[string]any{
		"status": string(run.State), "exit_code": run.ExitCode,
		"total_duration": sse.Duration(run.Ended.Sub(run.Started)),
	}
	ev := sse.Event{Fields: fields}
	switch run.State {
	case Succeeded:
		ev.Type, ev.Message = sse.TypePipelineComplete, "Pipeline execution completed"
	case Skipped:
		ev.Type, ev.Message = sse.TypePipelineSkipped, "Pipeline execution skipped: "+run.Reason
	case Cancelled:
		ev.Type, ev.Level, ev.Message = sse.TypePipelineCancelled, sse.Warning, "Pipeline execution cancelled: "+run.Reason
	case Interrupted:
		ev.Type, ev.Level, ev.Message = sse.TypePipelineInterrupted, sse.Warning, "Pipeline execution interrupted: "+run.Reason
	default:
		ev.Type, ev.Level, ev.Message = sse.TypePipelineError, sse.Error, "Pipeline execution failed"
		fields["error"] = run.Reason
	}
	x.announce(ev)
	x.sweep()
	_ = failpoint.Hit("run.before-done")
	x.Journal.Done(run)
}

// sweep removes containers of this run that no attempt claimed, for example
// one that was created just before a crash.
func (x *execution) sweep() {
	for _, list := range x.found {
		for _, w := range list {
			x.remove(w.ID)
		}
	}
}

func (x *execution) save(ctx context.Context) error {
	x.mu.Lock()
	copied := *x.run
	copied.Jobs = append([]JobRun(nil), x.run.Jobs...)
	x.mu.Unlock()
	return x.Journal.Save(ctx, &copied)
}

// announce publishes an event of this run unless the log already has it.
func (x *execution) announce(ev sse.Event) {
	key := Key(ev.Type, ev.Job)
	if x.said[key] {
		return
	}
	x.publish(ev)
}

func (x *execution) publish(ev sse.Event) {
	ev.Run, ev.Pipeline, ev.Revision, ev.Source = x.run.ID, x.run.Pipeline, x.run.Revision, x.run.Source
	x.Publish(ev)
}
