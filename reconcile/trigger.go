package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sse"
)

// TriggerSource is the source that a triggered run's events name, as pin's do.
const TriggerSource = "http_endpoint"

// TriggerPolicy is what a pipeline in a request body may name. The zero value
// allows nothing of this machine: whoever may trigger could otherwise read the
// agent's files through a build context (pin.md §3.22).
type TriggerPolicy struct {
	Tree        fs.FS    // what `copyFiles` copies and `dockerfile` builds from; nil: neither is allowed
	DockerHosts []string // values of docker.host besides the agent's own engine
}

// Trigger starts a run of the pipeline in body. When it returns, the run is
// recorded and will be executed, also after a restart.
func (k *Pipelines) Trigger(ctx context.Context, body []byte, name, by string) (runner.Run, error) {
	if name == "" {
		name = "trigger"
	}
	p, problems := runner.Parse(name, "", body)
	if err := problems.Err(); err != nil {
		return runner.Run{}, err
	}
	if err := k.judge(p).Err(); err != nil {
		return runner.Run{}, err
	}
	if _, _, running, queued := k.book.Count(); running+queued >= k.MaxQueue {
		return runner.Run{}, fmt.Errorf("%d runs are waiting or running: %w; try again when some have ended", running+queued, ErrBusy)
	}
	if err := k.ready(ctx, p.DockerHost); err != nil {
		if errors.Is(err, runner.ErrUnavailable) {
			return runner.Run{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return runner.Run{}, err
	}
	begun := k.place(ctx)
	run := runner.NewRun(k.ids.next(k.Now()), p, runner.CauseTrigger, k.Now())
	run.Source, run.By = TriggerSource, by
	// Its place in the agent's work comes first: an agent that is stopping must
	// not record what it refuses, or whoever sends it again has it twice.
	recorded := make(chan bool, 1)
	defer close(recorded)
	working := k.agent.Go(func(ctx context.Context) {
		defer begun()
		if <-recorded {
			k.triggered(ctx, run, p, begun)
		}
	})
	if !working {
		begun()
		return runner.Run{}, fmt.Errorf("the agent is stopping: %w; send it again when the agent is back", ErrUnavailable)
	}
	if err := k.record(ctx, run); err != nil {
		return runner.Run{}, err
	}
	accepted := snapshotRun(run)
	k.Publish(sse.Event{Type: sse.TypePipelineTrigger, Message: "Pipeline trigger request received", Source: TriggerSource, Run: run.ID, Pipeline: p.Name})
	recorded <- true
	accepted.Text = nil
	return accepted, nil
}

// placeTime bounds how long a request waits for a place among the runs that
// have not begun. A caller that sends faster than runs end is slowed down by
// it, and what has piled up stays small; but none is refused for that.
const placeTime = 100 * time.Millisecond

// place takes a place, and gives the function that frees it, once.
func (k *Pipelines) place(ctx context.Context) (begun func()) {
	ctx, cancel := context.WithTimeout(ctx, placeTime)
	defer cancel()
	if k.places.Acquire(ctx, 1) != nil {
		return func() {}
	}
	return sync.OnceFunc(func() { k.places.Release(1) })
}

// recordTime bounds how long a request waits for a disk that refuses.
const recordTime = 5 * time.Second

// record makes an accepted run durable. A client that goes away meanwhile
// changes nothing: what is recorded will be executed, what is not leaves nothing.
func (k *Pipelines) record(ctx context.Context, run *runner.Run) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	k.book.open(run, func(error) {})
	if err := k.book.Save(ctx, run); err != nil {
		k.book.drop(run.ID)
		return fmt.Errorf("the run could not be recorded: %w: %w", ErrUnavailable, err)
	}
	return nil
}

// triggered executes a run when its turn comes. A shutdown before that leaves
// it recorded as pending: the next start executes it.
func (k *Pipelines) triggered(ctx context.Context, run *runner.Run, p *runner.Pipeline, begun func()) {
	defer begun()
	own, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	k.book.open(run, cancel)
	waiting, leave := context.WithCancel(own)
	defer context.AfterFunc(k.agent.halted, leave)()
	if k.queue.Acquire(waiting, 1) == nil {
		defer k.queue.Release(1)
	} else if own.Err() == nil || errors.Is(context.Cause(own), runner.ErrShutdown) {
		return
	}
	begun()
	k.execute(own, run, p, k.triggerTree(), nil, nil)
}

func (k *Pipelines) triggerTree() runner.Tree {
	if k.PipelineConfig.Trigger.Tree == nil {
		return nil
	}
	return func(context.Context) (fs.FS, error) { return k.PipelineConfig.Trigger.Tree, nil }
}

// judge holds a pipeline from a request body against the trigger policy.
func (k *Pipelines) judge(p *runner.Pipeline) (out problem.List) {
	policy := k.PipelineConfig.Trigger
	if p.DockerHost != "" && p.DockerHost != k.OwnHost && !slices.Contains(policy.DockerHosts, p.DockerHost) {
		out = append(out, problem.Problem{
			Severity: problem.Error, Field: "docker.host", Rule: "trigger.docker_hosts",
			Message: "docker.host in a request may name the agent's own engine only", Hint: "list it under trigger.docker_hosts in the agent's settings",
		})
	}
	for i := range p.Jobs {
		j := &p.Jobs[i]
		fault := problem.Problem{
			Severity: problem.Error, Job: j.Name, Line: j.Line, Column: j.Column, Rule: "trigger.root",
			Hint: "set trigger.root in the agent's settings to a directory that requests may use, or commit the pipeline to a source",
		}
		if j.Dockerfile != "" {
			fault.Field = "dockerfile"
			if policy.Tree == nil {
				fault.Message = "'dockerfile' in a request needs a directory to build from, and none is allowed"
				out = append(out, fault)
			} else if st, err := fs.Stat(policy.Tree, path.Clean(strings.TrimPrefix(j.Dockerfile, "./"))); err != nil || !st.Mode().IsRegular() {
				fault.Message = "'dockerfile' names no file below the directory that requests may use"
				out = append(out, fault)
			}
		}
		if j.CopyFiles && policy.Tree == nil {
			fault.Field, fault.Message = "copyFiles", "'copyFiles' in a request needs a directory to copy, and none is allowed"
			out = append(out, fault)
		}
	}
	return out
}

// Runs lists runs, newest first.
func (k *Pipelines) Runs(ctx context.Context, after string, limit int, pipeline, state string) ([]runner.Run, string, error) {
	return k.book.List(ctx, after, limit, func(r *runner.Run) bool {
		r.Text = nil
		return (pipeline == "" || r.Pipeline == pipeline) && (state == "" || string(r.State) == state)
	})
}

// Run gives one run.
func (k *Pipelines) Run(ctx context.Context, id string) (runner.Run, error) {
	run, err := k.book.Get(ctx, id)
	run.Text = nil
	return run, err
}

// Cancel ends a run that is under way.
func (k *Pipelines) Cancel(ctx context.Context, id, by string) error {
	return k.book.Cancel(ctx, id, fmt.Errorf("cancelled by %s", by))
}

// Replace implements [Replacer].
func (k *Pipelines) Replace(ctx context.Context, run string) {
	_ = k.Cancel(ctx, run, "the next turn of its schedule") // that it ended meanwhile is as well
}

// Count sums up the runs for health.
func (k *Pipelines) Count() Health {
	total, last, running, queued := k.book.Count()
	return Health{Runs: total, LastPipeline: last, Running: running, Queued: queued}
}
