package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/output"
	"github.com/abide-agent/abide/runner/script"
	"github.com/abide-agent/abide/sse"
)

// drainTimeout bounds how long the rest of the output may take to arrive after
// the script has ended.
const drainTimeout = 2 * time.Second

// killTimeout bounds the request to kill, and the end that must follow.
const killTimeout = 10 * time.Second

// Run performs one attempt of a job in a container of its own; see
// [runner.Executor].
func (e *Executor) Run(ctx context.Context, spec runner.Spec, obs runner.Observer) (runner.Result, error) {
	eng, err := e.engine(spec.DockerHost)
	if err != nil {
		return runner.Result{}, err
	}
	a := &attempt{exec: e, eng: eng, spec: spec, obs: obs, cmd: script.Build(spec.Job, spec.Labels, "/")}
	if a.img, err = e.image(ctx, eng, spec, obs); err != nil {
		return runner.Result{}, err
	}
	a.dir = workDir(spec.Job, a.img)
	obs.Narrate(sse.Info, "Start creating container")
	if err := a.create(ctx); err != nil {
		if a.id != "" { // nobody else knows of it
			rm, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
			defer cancel()
			err = errors.Join(err, e.Remove(rm, a.id))
		}
		return runner.Result{}, err
	}
	if err := obs.Created(a.id, a.img.name); err != nil {
		return a.result(0, 0), err
	}
	if err := a.fill(ctx); err != nil {
		return a.result(0, 0), err
	}
	return a.execute(ctx)
}

func (a *attempt) result(code int, took time.Duration) runner.Result {
	return runner.Result{ID: a.id, ExitCode: code, Duration: took, TreeDigest: a.tree}
}

// execute attaches, starts and waits.
func (a *attempt) execute(ctx context.Context) (runner.Result, error) {
	watch, stop := context.WithCancel(context.WithoutCancel(ctx)) // output and end are wanted also of a script that a cancel kills
	defer stop()
	conn, end, err := a.connect(watch)
	if err != nil {
		return a.result(0, 0), a.eng.explain(err, "the container could not be attached to")
	}
	defer conn.Close()
	a.obs.Narrate(sse.Info, "Starting the container")
	start, cancel := outlive(ctx, startGrace)
	err = a.eng.api.ContainerStart(start, a.id, container.StartOptions{})
	cancel()
	if err != nil {
		if ctx.Err() != nil {
			return a.result(0, 0), ctx.Err()
		}
		return a.result(0, 0), a.startError(err)
	}
	began := time.Now()
	a.obs.Started(a.id, a.img.name)
	if !a.spec.Job.SoloExecution {
		a.obs.Narrate(sse.Info, "soloExecution disabled, shell command started!")
	}
	lines := output.New(a.obs, nil, a.cmd.Steps)
	pump := pumping(func() error { return demux(conn.Reader, lines) })
	code, err := a.await(ctx, end, pump.done)
	drain(pump, &conn)
	if err != nil && lost(err) && ctx.Err() == nil {
		return a.resume(ctx, lines, began)
	}
	lines.Close()
	if ctx.Err() != nil {
		return a.result(code, time.Since(began)), ctx.Err()
	}
	if err != nil {
		return a.result(code, time.Since(began)), a.eng.explain(err, "waiting for the container failed")
	}
	return a.finish(ctx, code, time.Since(began))
}

// connect attaches and asks for the end, both before the start, or a short
// script's output and exit code may be missed. The two requests go side by side.
func (a *attempt) connect(ctx context.Context) (types.HijackedResponse, <-chan ended, error) {
	var end <-chan ended
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		end = a.eng.wait(ctx, a.id, container.WaitConditionNextExit)
	}()
	conn, err := a.eng.api.ContainerAttach(ctx, a.id, container.AttachOptions{Stream: true, Stdout: true, Stderr: true})
	<-asked
	return conn, end, err
}

// await waits for the end of the script and kills it when ctx ends first. A
// broken output stream counts as a lost connection.
func (a *attempt) await(ctx context.Context, end <-chan ended, output <-chan error) (int, error) {
	for {
		select {
		case e := <-end:
			return e.code, e.err
		case err := <-output:
			if err != nil {
				return 0, errors.Join(errOutput, err)
			}
			output = nil // the script has closed both streams, and may go on
		case <-ctx.Done():
			return a.kill(ctx, end)
		}
	}
}

// kill ends the script at once, and waits for the engine to say so where end is
// given.
func (a *attempt) kill(ctx context.Context, end <-chan ended) (int, error) {
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), killTimeout)
	defer cancel()
	if err := a.eng.api.ContainerKill(limit, a.id, "KILL"); err != nil {
		a.exec.opts.Log("container %.12s could not be killed, removing it will end it: %s", a.id, message(err))
		return 0, ctx.Err()
	}
	if end == nil {
		return 0, ctx.Err()
	}
	select {
	case e := <-end:
		return e.code, ctx.Err()
	case <-limit.Done():
		return 0, ctx.Err()
	}
}

// finish gives the result of a script that ended by itself. Only an exit code
// of 137 is worth a question: was it the kernel, for want of memory?
func (a *attempt) finish(ctx context.Context, code int, took time.Duration) (runner.Result, error) {
	res := a.result(code, took)
	if code == 137 {
		if info, err := a.eng.api.ContainerInspect(ctx, a.id); err == nil && info.State != nil {
			res.OOM = info.State.OOMKilled
		}
	}
	if code == 0 {
		a.obs.Narrate(sse.Info, "Command execution successful")
	} else {
		a.obs.Narrate(sse.Error, fmt.Sprintf("Command execution failed with exit code %d", code))
	}
	return res, nil
}

// startError puts into words why a container didn't start.
func (a *attempt) startError(err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "port is already allocated"), strings.Contains(text, "address already in use"):
		return a.eng.explain(err, fmt.Sprintf("a port of job %s is in use on the engine's machine (%s); stop what uses it or choose another", a.spec.Job.Name, wantedPorts(a.spec.Job)))
	case strings.Contains(text, `"/bin/sh"`) && strings.Contains(text, "no such file"):
		return a.eng.explain(err, fmt.Sprintf("image %s has no /bin/sh, which runs a job's script; use an image with a shell", a.img.name))
	}
	return a.eng.explain(err, fmt.Sprintf("the container of job %s could not be started", a.spec.Job.Name))
}

func wantedPorts(job *runner.Job) string {
	var out []string
	for _, p := range job.Ports {
		out = append(out, fmt.Sprint(p.HostPort))
	}
	return strings.Join(out, ", ")
}
