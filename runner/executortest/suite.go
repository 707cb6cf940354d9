// Package executortest is the suite that every implementation of
// [runner.Executor] passes. It knows the contract and plain POSIX scripts. It
// never knows how an executor keeps it.
package executortest

import (
	"context"
	"io/fs"
	"maps"
	"testing"
	"time"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/script"
)

// Options say what differs between executors within the contract.
type Options struct {
	// Image is what jobs name; it has the commands of package testimage.
	Image string
	// Adopts says that a workload outlives its agent and can be gone on with.
	// Without it, Adopt ends a workload and gives runner.ErrGone.
	Adopts bool
	// ReadOnlyDefaultDir says that the image's user can't write where a job
	// without workDir and copyFiles runs.
	ReadOnlyDefaultDir bool
	// Brief leaves out what doesn't depend on the image.
	Brief bool
}

// limit bounds each test: a suite that hangs says nothing.
const limit = 90 * time.Second

// suite is one executor under test.
type suite struct {
	opts Options
	make func(*testing.T) runner.Executor
}

// Run checks the executors that newExecutor makes. All that it makes within one
// test must see the same workloads, as the lives of one agent do.
func Run(t *testing.T, newExecutor func(*testing.T) runner.Executor, opts Options) {
	s := &suite{opts: opts, make: newExecutor}
	tests := map[string]func(*testing.T){
		"Solo":      s.solo,
		"WorkDir":   s.workDir,
		"BigScript": s.bigScript,
		"CopyFiles": s.copyFiles,
		"Artifact":  s.artifact,
		"Live":      s.live,
	}
	if !opts.Brief {
		maps.Copy(tests, map[string]func(*testing.T){
			"ExitCode":      s.exitCode,
			"Errexit":       s.errexit,
			"Order":         s.order,
			"Lines":         s.lines,
			"Stall":         s.stall,
			"Env":           s.env,
			"BigOutput":     s.bigOutput,
			"CopyFails":     s.copyFails,
			"Cancelled":     s.cancelled,
			"CreatedFails":  s.createdFails,
			"ListAndRemove": s.listAndRemove,
			"Adopt":         s.adopt,
			"SideBySide":    s.sideBySide,
		})
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// run is one test's executor, with the agent and labels of its own.
type run struct {
	runner.Executor
	t     *testing.T
	ctx   context.Context
	agent string
	opts  Options
	s     *suite
}

// start gives an executor whose agent has nothing left when the test ends.
func (s *suite) start(t *testing.T) *run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	r := &run{Executor: s.make(t), t: t, ctx: ctx, agent: "test-" + script.Token(runner.Labels{Job: t.Name(), Run: time.Now().String()}), opts: s.opts, s: s}
	t.Cleanup(func() {
		left, err := r.List(context.WithoutCancel(ctx), r.agent)
		if err != nil {
			t.Errorf("List at the end: %v", err)
		}
		for _, w := range left {
			t.Errorf("left behind: %+v", w)
			if err := r.Remove(context.WithoutCancel(ctx), w.ID); err != nil {
				t.Errorf("Remove: %v", err)
			}
		}
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return r
}

// spec gives a job whose script is items.
func (r *run) spec(items ...string) runner.Spec {
	return runner.Spec{
		Labels: runner.Labels{Agent: r.agent, Source: "repo", Revision: "abc", Run: "run-1", Job: "job", Attempt: 1},
		Job:    &runner.Job{Name: "job", Image: r.opts.Image, Script: items, Errexit: true},
	}
}

// do runs a job to its end and removes it.
func (r *run) do(spec runner.Spec) (runner.Result, *Recorder, error) {
	r.t.Helper()
	rec := NewRecorder()
	res, err := r.Run(r.ctx, spec, rec)
	r.check(rec, res, err)
	r.remove(rec.ID())
	return res, rec, err
}

// check holds what is true of every attempt.
func (r *run) check(rec *Recorder, res runner.Result, err error) {
	r.t.Helper()
	if fault := rec.Fault(); fault != "" {
		r.t.Errorf("the observer saw: %s", fault)
	}
	if id := rec.ID(); id != "" && res.ID != id {
		r.t.Errorf("the result is of %q, the observer was told %q (error: %v)", res.ID, id, err)
	}
}

func (r *run) remove(id string) {
	r.t.Helper()
	if id == "" {
		return
	}
	if err := r.Remove(context.WithoutCancel(r.ctx), id); err != nil {
		r.t.Errorf("Remove: %v", err)
	}
}

// must is do for a job that has to end with code.
func (r *run) must(code int, spec runner.Spec) *Recorder {
	r.t.Helper()
	res, rec, err := r.do(spec)
	if err != nil {
		r.t.Fatalf("Run: %v\n%s", err, rec)
	}
	if res.ExitCode != code {
		r.t.Fatalf("exit code %d, want %d\n%s", res.ExitCode, code, rec)
	}
	return rec
}

// tree makes Spec.Tree of a file system.
func tree(fsys fs.FS) func(context.Context) (fs.FS, error) {
	return func(context.Context) (fs.FS, error) { return fsys, nil }
}
