package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/output"
	"github.com/abide-agent/abide/runner/script"
	"github.com/abide-agent/abide/sse"
)

// Adopt goes on with a container that an earlier life started; see
// [runner.Executor]. The engine has kept its output.
func (e *Executor) Adopt(ctx context.Context, id string, spec runner.Spec, skip map[runner.Stream]int, obs runner.Observer) (runner.Result, error) {
	eng, err := e.engine(spec.DockerHost)
	if err != nil {
		return runner.Result{}, err
	}
	e.note(id, eng)
	a := &attempt{exec: e, eng: eng, spec: spec, obs: obs, id: id, cmd: script.Build(spec.Job, spec.Labels, "/")}
	lines := output.New(obs, skip, a.cmd.Steps)
	res, err := a.follow(ctx, lines)
	if err != nil && lost(err) && ctx.Err() == nil {
		return a.resume(ctx, lines, time.Time{})
	}
	lines.Close()
	return res, err
}

// follow reads a container's output from its start and waits for its end,
// whether that is yet to come or long past.
func (a *attempt) follow(ctx context.Context, lines *output.Lines) (runner.Result, error) {
	info, err := a.eng.api.ContainerInspect(ctx, a.id)
	switch {
	case cerrdefs.IsNotFound(err):
		a.exec.note(a.id, nil)
		return a.result(0, 0), fmt.Errorf("container %.12s: %w", a.id, runner.ErrGone)
	case ctx.Err() != nil:
		_, _ = a.kill(ctx, nil)
		return a.result(0, 0), ctx.Err()
	case err != nil:
		return a.result(0, 0), a.eng.explain(err, "the container could not be looked at")
	case info.State.Status == container.StateCreated:
		if err := a.exec.Remove(ctx, a.id); err != nil {
			return a.result(0, 0), err
		}
		return a.result(0, 0), fmt.Errorf("container %.12s was never started and is removed: %w", a.id, runner.ErrGone)
	}
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	end := a.eng.wait(watch, a.id, container.WaitConditionNotRunning)
	logs, err := a.eng.api.ContainerLogs(watch, a.id, container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: true})
	if err != nil {
		if lost(err) {
			return a.result(0, 0), err
		}
		lines.Narrate(sse.Warning, fmt.Sprintf("The output so far can't be read: %s", message(err)))
		logs = io.NopCloser(eof{})
	}
	defer logs.Close()
	p := pumping(func() error { return demux(logs, lines) })
	code, err := a.await(ctx, end, p.done)
	drain(p, closer{logs})
	if ctx.Err() != nil {
		return a.result(code, 0), ctx.Err()
	}
	if err != nil {
		return a.result(code, 0), err
	}
	return a.conclude(ctx, code)
}

// conclude takes the times of a finished container from the engine.
func (a *attempt) conclude(ctx context.Context, code int) (runner.Result, error) {
	res, err := a.finish(ctx, code, 0)
	info, ierr := a.eng.api.ContainerInspect(ctx, a.id)
	if ierr != nil || info.State == nil {
		return res, err
	}
	began, berr := time.Parse(time.RFC3339Nano, info.State.StartedAt)
	over, oerr := time.Parse(time.RFC3339Nano, info.State.FinishedAt)
	if berr == nil && oerr == nil && over.After(began) {
		res.Duration = over.Sub(began)
	}
	return res, err
}

const (
	resumeFirst = 50 * time.Millisecond
	resumeMost  = 2 * time.Second
)

// resume goes on after the connection to the engine broke under a running job:
// the container may well have survived an engine that restarts. Lines that were
// delivered are not delivered again; the beginning of an unfinished one is.
func (a *attempt) resume(ctx context.Context, lines *output.Lines, began time.Time) (runner.Result, error) {
	lines.Narrate(sse.Warning, fmt.Sprintf("The connection to the engine at %s broke; trying to find the container again", a.eng.host))
	give, cancel := context.WithTimeout(ctx, a.exec.opts.Reconnect)
	defer cancel()
	for wait := resumeFirst; ; wait = min(2*wait, resumeMost) {
		done := lines.Done()
		lines.Abandon()
		lines = output.New(a.obs, done, a.cmd.Steps)
		res, err := a.follow(ctx, lines)
		if err == nil || ctx.Err() != nil || !lost(err) && !errors.Is(err, runner.ErrUnavailable) {
			lines.Close()
			if res.Duration == 0 && !began.IsZero() {
				res.Duration = time.Since(began)
			}
			return res, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-give.Done():
			timer.Stop()
			lines.Close()
			if ctx.Err() != nil {
				_, _ = a.kill(ctx, nil)
				return res, ctx.Err()
			}
			return res, a.eng.unavailable(fmt.Errorf("the connection broke while the job ran and didn't come back within %s: %w", a.exec.opts.Reconnect, err))
		}
	}
}

// eof is an output that is over.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// closer drops the error of a Close that nobody can act on.
type closer struct{ io.Closer }

func (c closer) Close() { _ = c.Closer.Close() }
