package executortest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/runner"
)

// long is far longer than any test waits: a job of it must be ended.
const long = "sleep 600"

// cancelling runs a job, cancels it when its output contains text, and checks
// that it ended at once and that nothing of it runs.
func (s *suite) cancelling(t *testing.T, text string, items ...string) *Recorder {
	t.Helper()
	r := s.start(t)
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	rec := NewRecorder()
	var wg sync.WaitGroup
	wg.Go(func() {
		res, err := r.Run(ctx, r.spec(items...), rec)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled job gives %v", err)
		}
		r.check(rec, res, err)
	})
	if err := rec.Await(r.ctx, text); err != nil {
		t.Error(err)
	}
	began := time.Now()
	cancel()
	wg.Wait()
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the job ended %s after its context", took)
	}
	left, err := r.List(r.ctx, r.agent)
	if err != nil || len(left) != 1 || left[0].Running || !left[0].Started {
		t.Errorf("after a cancel there is %+v, error %v", left, err)
	}
	r.remove(rec.ID())
	return rec
}

func (s *suite) live(t *testing.T) {
	rec := s.cancelling(t, "second", "echo first", "echo second", "trap '' TERM INT", long)
	if diff := cmp.Diff([]string{"first", "second"}, rec.Lines(runner.Stdout)); diff != "" {
		t.Error(diff)
	}
}

func (s *suite) stall(t *testing.T) {
	rec := s.cancelling(t, "Password: ", "printf 'Password: '", long)
	if diff := cmp.Diff([]string{"Password: "}, rec.Lines(runner.Stdout)); diff != "" {
		t.Error(diff)
	}
}

func (s *suite) cancelled(t *testing.T) {
	r := s.start(t)
	ctx, cancel := context.WithCancel(r.ctx)
	cancel()
	rec := NewRecorder()
	if _, err := r.Run(ctx, r.spec("echo never"), rec); !errors.Is(err, context.Canceled) {
		t.Errorf("Run under an ended context gives %v", err)
	}
	r.remove(rec.ID())
}

func (s *suite) createdFails(t *testing.T) {
	r := s.start(t)
	errJournal := errors.New("disk full")
	rec := NewRecorder()
	rec.FailCreated = errJournal
	_, err := r.Run(r.ctx, r.spec("echo never"), rec)
	if !errors.Is(err, errJournal) {
		t.Errorf("a failed Created gives %v", err)
	}
	left, err := r.List(r.ctx, r.agent)
	if err != nil || len(left) != 1 || left[0].Running || left[0].Started || left[0].ID != rec.ID() {
		t.Errorf("what was created and not started is listed as %+v, error %v", left, err)
	}
	other := r.another()
	if _, err := other.Adopt(r.ctx, rec.ID(), r.spec("echo never"), nil, NewRecorder()); !errors.Is(err, runner.ErrGone) {
		t.Errorf("Adopt of what never started gives %v", err)
	}
	if left, err := other.List(r.ctx, r.agent); err != nil || len(left) > 0 {
		t.Errorf("after Adopt there is %+v, error %v", left, err)
	}
}

// another gives a second executor, as the next life of the agent has it.
func (r *run) another() runner.Executor {
	e := r.s.make(r.t)
	r.t.Cleanup(func() {
		if err := e.Close(); err != nil {
			r.t.Errorf("Close: %v", err)
		}
	})
	return e
}

func (s *suite) listAndRemove(t *testing.T) {
	r := s.start(t)
	spec := r.spec("exit 4")
	rec := NewRecorder()
	res, err := r.Run(r.ctx, spec, rec)
	if err != nil || res.ExitCode != 4 {
		t.Fatalf("exit code %d, error %v", res.ExitCode, err)
	}
	other := r.another()
	left, err := other.List(r.ctx, r.agent)
	if err != nil {
		t.Fatal(err)
	}
	want := []runner.Workload{{ID: res.ID, Labels: spec.Labels, Started: true}}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Error(diff)
	}
	if left, err := other.List(r.ctx, "another-agent"); err != nil || len(left) > 0 {
		t.Errorf("another agent has %+v, error %v", left, err)
	}
	var wg sync.WaitGroup // removed by two at once, and once more
	for range 2 {
		wg.Go(func() {
			if err := other.Remove(r.ctx, res.ID); err != nil {
				t.Errorf("Remove: %v", err)
			}
		})
	}
	wg.Wait()
	r.remove(res.ID)
	if _, err := other.Adopt(r.ctx, res.ID, spec, nil, NewRecorder()); !errors.Is(err, runner.ErrGone) {
		t.Errorf("Adopt of what is gone gives %v", err)
	}
	if err := r.Ping(r.ctx); err != nil {
		t.Errorf("Ping: %v", err)
	}
}

func (s *suite) adopt(t *testing.T) {
	r := s.start(t)
	spec := r.spec("echo one", "echo two", "echo wrong >&2", "sleep 1", "echo three", "exit 5")
	rec := NewRecorder()
	var wg sync.WaitGroup
	var code int
	wg.Go(func() { // the earlier life; it is only watched, since nothing may end it
		res, err := r.Run(r.ctx, spec, rec)
		if err != nil {
			t.Errorf("the first life: %v", err)
		}
		code = res.ExitCode
	})
	if err := rec.Await(r.ctx, "wrong"); err != nil {
		t.Fatal(err)
	}
	next, later := r.another(), NewRecorder()
	res, err := next.Adopt(r.ctx, rec.ID(), spec, map[runner.Stream]int{runner.Stdout: 2}, later)
	wg.Wait()
	r.remove(rec.ID())
	if !s.opts.Adopts {
		if !errors.Is(err, runner.ErrGone) || code != 137 {
			t.Errorf("Adopt gives %v, and the job ended with %d", err, code)
		}
		return
	}
	if err != nil || res.ExitCode != 5 || code != 5 {
		t.Errorf("exit codes %d and %d, error %v", code, res.ExitCode, err)
	}
	if diff := cmp.Diff([]string{"three"}, later.Lines(runner.Stdout)); diff != "" {
		t.Errorf("stdout: %s", diff)
	}
	if diff := cmp.Diff([]string{"wrong"}, later.Lines(runner.Stderr)); diff != "" {
		t.Errorf("stderr: %s", diff)
	}
	if res.Duration < 900*time.Millisecond || res.Duration > limit {
		t.Errorf("the job took %s", res.Duration)
	}
	if fault := later.Fault(); fault != "" {
		t.Error(fault)
	}
}
