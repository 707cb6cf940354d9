package runner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/abide-agent/abide/internal/failpoint"
	"github.com/abide-agent/abide/sse"
)

// MaxRetryWait bounds the wait between two attempts of a job.
const MaxRetryWait = time.Hour

// removeTimeout bounds the removal of a container; it has a context of its
// own, because most removals happen when the run's context has ended.
const removeTimeout = 30 * time.Second

// job takes one job to its end, whatever an earlier life already did of it.
func (x *execution) job(ctx context.Context, i int) {
	jr, job := x.snapshot(i), &x.p.Jobs[i]
	if jr.State.Final() {
		x.tell(i)
		return
	}
	if jr.State == Pending && !x.admitted(ctx, i, job) {
		return
	}
	if err := x.Slots.Acquire(ctx, 1); err != nil {
		x.stopped(ctx, i)
		return
	}
	defer x.Slots.Release(1)
	exec, err := x.Executor(x.p.DockerHost)
	if err != nil {
		x.outcome(ctx, i, Failed, CodeNoContainer, err.Error())
		return
	}
	for n := max(jr.Attempt, 1); ; n++ {
		res, err := x.attempt(ctx, i, n, exec)
		if ctx.Err() != nil {
			x.stopped(ctx, i)
			x.remove(res.ID)
			return
		}
		if err == nil && res.ExitCode == 0 {
			err = x.artifact(ctx, i, exec, res)
		}
		if err == nil && res.ExitCode == 0 {
			x.succeed(ctx, i, res)
			x.remove(res.ID)
			return
		}
		reason, code := explain(res, err)
		// A vanished container and a lost engine say nothing about the script:
		// such a run is interrupted, which the reconcile loop repeats once.
		lost := errors.Is(err, ErrVanished) || errors.Is(err, ErrUnavailable)
		if lost {
			x.outcome(ctx, i, Interrupted, code, reason)
		} else if n >= job.Retry.Attempts {
			x.outcome(ctx, i, Failed, code, reason)
		} else if x.pause(ctx, i, n, res.ID, reason) {
			continue
		}
		x.remove(res.ID)
		return
	}
}

// admitted says whether the job may begin; if not, it has ended.
func (x *execution) admitted(ctx context.Context, i int, job *Job) bool {
	if ctx.Err() != nil {
		x.stopped(ctx, i)
		return false
	}
	if job.Admitted(x.Getenv) {
		return true
	}
	x.skip(i, "condition is false: "+job.Condition.String())
	return false
}

// Admitted evaluates the job's condition over its env and then getenv, the
// agent's environment. A job without a condition is admitted.
func (j *Job) Admitted(getenv func(string) (string, bool)) bool {
	return j.Condition == nil || j.Condition.Eval(j.lookup(getenv))
}

// lookup resolves a condition's variables: the job's own env first, the last
// entry of a name winning as in a container, then the agent's environment.
func (j *Job) lookup(getenv func(string) (string, bool)) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := len(j.Env) - 1; i >= 0; i-- {
			if e := j.Env[i]; len(e) > len(name) && e[len(name)] == '=' && e[:len(name)] == name {
				return e[len(name)+1:], true
			}
		}
		return getenv(name)
	}
}

// ErrVanished means that a container that an earlier life of the agent started
// is gone, so that nobody can say how it ended.
var ErrVanished = errors.New("its container vanished while the agent was away")

// attempt performs attempt n, or goes on with the one that was cut off.
func (x *execution) attempt(ctx context.Context, i, n int, exec Executor) (Result, error) {
	job, jr := &x.p.Jobs[i], x.snapshot(i)
	spec := Spec{Job: job, DockerHost: x.p.DockerHost, Tree: x.tree, Labels: Labels{
		Agent: x.Agent, Source: x.run.Source,
		Revision: x.run.Revision, Run: x.run.ID, Job: job.Name, Attempt: n,
	}}
	obs := &observer{x: x, ctx: ctx, job: i, attempt: n}
	if w, ok := x.claim(job.Name, n); ok {
		x.narrate(job.Name, sse.Info, "Going on with the container that was left running")
		res, err := exec.Adopt(ctx, w.ID, spec, x.printed(job.Name, n), obs)
		if !errors.Is(err, ErrGone) {
			return res, err
		}
		if w.Started {
			return Result{}, ErrVanished
		}
	} else if jr.Container != "" {
		return Result{}, ErrVanished
	}
	return exec.Run(ctx, spec, obs)
}

// claim takes the workload of one attempt out of what was left behind.
func (x *execution) claim(job string, n int) (Workload, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for k, w := range x.found[job] {
		if w.Labels.Attempt == n {
			x.found[job] = append(x.found[job][:k:k], x.found[job][k+1:]...)
			return w, true
		}
	}
	return Workload{}, false
}

// printed counts the lines of one attempt that the log already holds.
func (x *execution) printed(job string, n int) map[Stream]int {
	if x.Printed == nil {
		return nil
	}
	return x.Printed(x.run.ID, job, n)
}

// pause records a failed attempt and waits before the next one. It gives false
// when the run ended meanwhile.
func (x *execution) pause(ctx context.Context, i, n int, container, reason string) bool {
	job := &x.p.Jobs[i]
	wait := job.Retry.wait(n)
	x.change(i, func(j *JobRun) { j.Attempt, j.Container, j.Reason = n+1, "", reason })
	_ = x.save(ctx)
	x.publish(sse.Event{
		Type: sse.TypeJobRetry, Level: sse.Warning, Job: job.Name,
		Message: fmt.Sprintf("Job failed (attempt %d/%d), retrying in %s: %s", n, job.Retry.Attempts, wait, reason),
		Fields:  map[string]any{"attempt": n, "max_attempts": job.Retry.Attempts, "delay": sse.Duration(wait), "error": reason},
	})
	x.remove(container)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		x.stopped(ctx, i)
		return false
	}
}

// wait is the pause after attempt n, from 1.
func (r Retry) wait(n int) time.Duration {
	d := float64(r.Delay) * math.Pow(r.Backoff, float64(n-1))
	if d > float64(MaxRetryWait) {
		return MaxRetryWait
	}
	return time.Duration(d)
}

// explain puts a failed attempt into words.
func explain(res Result, err error) (string, int) {
	switch {
	case err != nil:
		return err.Error(), CodeNoContainer
	case res.OOM:
		return fmt.Sprintf("exit code %d: the container ran out of memory", res.ExitCode), res.ExitCode
	case res.ExitCode == 137:
		return "exit code 137: the script was killed (SIGKILL)", res.ExitCode
	}
	return fmt.Sprintf("exit code %d", res.ExitCode), res.ExitCode
}

// remove ends and removes a container, with a context of its own.
func (x *execution) remove(id string) {
	if id == "" {
		return
	}
	_ = failpoint.Hit("run.before-remove")
	exec, err := x.Executor(x.p.DockerHost)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	if err := exec.Remove(ctx, id); err != nil {
		x.publish(sse.Event{
			Type: sse.TypeLog, Level: sse.Warning,
			Message: fmt.Sprintf("container %.12s could not be removed: %v; it is tried again at the next start", id, err),
		})
	}
}
