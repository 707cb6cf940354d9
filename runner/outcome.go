package runner

import (
	"context"
	"errors"
	"fmt"

	"github.com/abide-agent/abide/internal/failpoint"
	"github.com/abide-agent/abide/sse"
)

// snapshot copies the state of job i.
func (x *execution) snapshot(i int) JobRun {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.run.Jobs[i]
}

// change alters the state of job i.
func (x *execution) change(i int, f func(*JobRun)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f(&x.run.Jobs[i])
}

// outcome records how job i ended, then tells everyone. The record comes
// first: after a crash it rules, and the event is emitted late.
func (x *execution) outcome(ctx context.Context, i int, state State, code int, reason string) {
	_ = failpoint.Hit("run.before-outcome")
	x.change(i, func(j *JobRun) {
		j.State, j.ExitCode, j.Reason, j.Container, j.Ended = state, code, reason, "", x.Now()
	})
	_ = x.save(context.WithoutCancel(ctx))
	_ = failpoint.Hit("run.after-outcome")
	x.tell(i)
}

func (x *execution) succeed(ctx context.Context, i int, res Result) {
	x.change(i, func(j *JobRun) { j.TreeDigest = res.TreeDigest })
	x.outcome(ctx, i, Succeeded, 0, "")
}

func (x *execution) skip(i int, reason string) {
	if x.snapshot(i).State.Final() {
		x.tell(i)
		return
	}
	// A skip costs no write of its own: whoever reads the record after a crash
	// comes to the same verdict, and the end of the run records it.
	x.change(i, func(j *JobRun) { j.State, j.Reason, j.Ended = Skipped, reason, x.Now() })
	x.tell(i)
}

// stopped ends job i because its run's context ended; the cause says as what.
func (x *execution) stopped(ctx context.Context, i int) {
	cause := context.Cause(ctx)
	state := Cancelled
	if errors.Is(cause, ErrShutdown) {
		state = Interrupted
	}
	x.outcome(ctx, i, state, CodeCancelled, cause.Error())
}

// tell publishes the event that says how job i ended, once.
func (x *execution) tell(i int) {
	j, job := x.snapshot(i), &x.p.Jobs[i]
	fields := map[string]any{"status": string(j.State)}
	ev := sse.Event{Job: j.Name, Fields: fields}
	if !j.Started.IsZero() {
		fields["duration"] = sse.Duration(j.Ended.Sub(j.Started))
		fields["duration_ms"] = j.Ended.Sub(j.Started).Milliseconds()
	}
	switch j.State {
	case Succeeded:
		fields["status"], fields["exit_code"] = "success", 0 // pin's word for it
		ev.Type, ev.Level, ev.Message = sse.TypeJobCompleted, sse.Success, "Job completed successfully"
	case Skipped:
		fields["reason"] = j.Reason
		ev.Type, ev.Message = sse.TypeJobSkipped, "Job skipped: "+j.Reason
	case Cancelled, Interrupted:
		fields["reason"] = j.Reason
		ev.Type, ev.Level, ev.Message = sse.TypeJobCancelled, sse.Warning, fmt.Sprintf("Job %s: %s", j.State, j.Reason)
	default:
		fields["error"], fields["exit_code"] = j.Reason, j.ExitCode
		fields["max_attempts"], fields["attempt"] = job.Retry.Attempts, max(j.Attempt, 1)
		ev.Type, ev.Level, ev.Message = sse.TypeJobFailed, sse.Error, "Job failed: "+j.Reason
	}
	x.announce(ev)
}

// observer turns what an executor reports into records and events.
type observer struct {
	x       *execution
	ctx     context.Context
	job     int
	attempt int
}

var _ Observer = (*observer)(nil)

func (o *observer) Narrate(level, message string) {
	o.x.narrate(o.x.p.Jobs[o.job].Name, level, message)
}

func (x *execution) narrate(job, level, message string) {
	x.publish(sse.Event{Type: sse.TypeLog, Level: level, Job: job, Message: message})
}

// Created is the intent of the journal: the container exists, carries the
// run's labels, and has not started, so that a crash from here on leaves
// either something to remove or something to adopt.
func (o *observer) Created(id, image string) error {
	now := o.x.Now()
	o.x.change(o.job, func(j *JobRun) {
		j.State, j.Attempt, j.Container, j.Reason = Running, o.attempt, id, ""
		if image != "" {
			j.Image = image
		}
		if j.Started.IsZero() {
			j.Started = now
		}
	})
	if err := failpoint.Hit("run.container-created"); err != nil {
		return err
	}
	if err := o.x.save(o.ctx); err != nil {
		return fmt.Errorf("the journal could not be written: %w; the job was not started", err)
	}
	return failpoint.Hit("run.intent-recorded")
}

func (o *observer) Started(id, image string) {
	_ = failpoint.Hit("run.container-started")
	o.x.announceStart(o.job, id, image, o.attempt)
}

func (x *execution) announceStart(job int, id, image string, attempt int) {
	x.publish(sse.Event{
		Type: sse.TypeJobContainerStart, Job: x.p.Jobs[job].Name, Message: "Container started",
		Fields: map[string]any{"container_id": id, "image": image, "attempt": attempt},
	})
}

func (o *observer) Line(s Stream, text string, more bool) {
	var fields map[string]any // a chatty job publishes millions: nothing without need
	if o.attempt > 1 || more {
		fields = map[string]any{"attempt": o.attempt, "more": more}
	}
	o.x.publish(sse.Event{Type: sse.TypeLog, Job: o.x.p.Jobs[o.job].Name, Message: text, Stream: string(s), Fields: fields})
}
