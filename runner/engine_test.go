package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/abide-agent/abide/sse"
)

// fake is an executor whose jobs do what their image says: "ok", "exit:N",
// "sleep:DURATION", "flaky:N" (fails N times), "panic", "down".
type fake struct {
	mu      sync.Mutex
	trace   []string // "+job" at start, "-job" at end
	tries   map[string]int
	live    map[string]Workload
	adopted []string
	running int
	peak    int
}

func (f *fake) Name() string               { return "fake" }
func (f *fake) Ping(context.Context) error { return nil }
func (f *fake) Close() error               { return nil }

func (f *fake) note(s string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trace = append(f.trace, s)
}

func (f *fake) Run(ctx context.Context, spec Spec, obs Observer) (Result, error) {
	job := spec.Job
	id := fmt.Sprintf("%s-%s-%d", spec.Labels.Run, job.Name, spec.Labels.Attempt)
	verb, arg, _ := strings.Cut(job.Image, ":")
	switch verb {
	case "panic":
		panic("boom")
	case "down":
		return Result{}, fmt.Errorf("no engine: %w", ErrUnavailable)
	}
	f.mu.Lock()
	f.tries[job.Name]++
	try := f.tries[job.Name]
	f.live[id] = Workload{ID: id, Labels: spec.Labels}
	f.running++
	f.peak = max(f.peak, f.running)
	f.mu.Unlock()
	defer func() { f.mu.Lock(); f.running--; f.mu.Unlock() }()
	if err := obs.Created(id, job.Image); err != nil {
		return Result{ID: id}, err
	}
	obs.Started(id, job.Image)
	f.note("+" + job.Name)
	defer f.note("-" + job.Name)
	res := Result{ID: id}
	switch verb {
	case "exit":
		_, _ = fmt.Sscan(arg, &res.ExitCode)
	case "flaky":
		n := 0
		_, _ = fmt.Sscan(arg, &n)
		if try <= n {
			res.ExitCode = 1
		}
	case "sleep":
		d, _ := time.ParseDuration(arg)
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return res, ctx.Err()
		}
	}
	obs.Line(Stdout, "hello from "+job.Name, false)
	return res, nil
}

func (f *fake) Adopt(_ context.Context, id string, spec Spec, skip map[Stream]int, obs Observer) (Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, ok := f.live[id]
	if !ok || !w.Started {
		delete(f.live, id)
		return Result{}, ErrGone
	}
	f.adopted = append(f.adopted, fmt.Sprintf("%s skip %d", spec.Job.Name, skip[Stdout]))
	return Result{ID: id}, nil
}

func (f *fake) Artifact(context.Context, string, string) (io.ReadCloser, error) {
	return nil, errors.New("none")
}
func (f *fake) List(context.Context, string) ([]Workload, error) { return nil, nil }
func (f *fake) Remove(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.live, id)
	return nil
}

// memory is a journal that keeps every saved state.
type memory struct {
	mu    sync.Mutex
	saved []Run
	done  int
	fail  error
}

func (m *memory) Save(_ context.Context, r *Run) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saved = append(m.saved, *r)
	return m.fail
}
func (m *memory) Done(*Run) { m.done++ }

// bench is an engine over fakes, with what it did.
type bench struct {
	fake    *fake
	journal *memory
	engine  *Engine
	mu      sync.Mutex
	events  []sse.Event
}

func newBench(slots int64, env map[string]string) *bench {
	b := &bench{fake: &fake{tries: map[string]int{}, live: map[string]Workload{}}, journal: &memory{}}
	b.engine = NewEngine(Options{
		Executor: func(string) (Executor, error) { return b.fake, nil },
		Publish: func(e sse.Event) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.events = append(b.events, e)
		},
		Journal: b.journal,
		Slots:   semaphore.NewWeighted(slots),
		Getenv:  func(k string) (string, bool) { v, ok := env[k]; return v, ok },
		Printed: func(string, string, int) map[Stream]int { return map[Stream]int{Stdout: 3} },
	})
	return b
}

func (b *bench) types(job string) (out []string) {
	for _, e := range b.events {
		if e.Job == job && e.Type != sse.TypeLog {
			out = append(out, e.Type)
		}
	}
	return out
}

func (b *bench) run(ctx context.Context, jobs ...Job) *Run {
	for i := range jobs {
		if jobs[i].Retry.Attempts == 0 {
			jobs[i].Retry = Retry{Attempts: 1, Backoff: 1}
		}
	}
	p := &Pipeline{Name: "p", Jobs: jobs}
	run := NewRun("r1", p, CauseChange, time.Now())
	b.engine.Execute(ctx, run, p, nil, nil, nil)
	return run
}

func states(r *Run) (out []string) {
	for _, j := range r.Jobs {
		out = append(out, j.Name+"="+string(j.State))
	}
	return out
}

// TestOutcomes holds pin's faults of order and of honesty (pin.md §3.1–3.6)
// against what its documentation promises.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	job := func(name, image string) Job { return Job{Name: name, Image: image} }
	par := func(name, image string) Job { return Job{Name: name, Image: image, Parallel: true} }
	cond := func(j Job, text string) Job {
		c, err := ParseCondition(text)
		if err != nil {
			t.Fatal(err)
		}
		j.Condition = c
		return j
	}
	for _, tc := range []struct {
		name  string
		jobs  []Job
		state State
		code  int
		want  []string
	}{
		{"one", []Job{job("a", "ok")}, Succeeded, 0, []string{"a=succeeded"}},
		{"a failure that is not last fails the run", []Job{job("a", "exit:7"), job("b", "ok")}, Failed, 7, []string{"a=failed", "b=skipped"}},
		{
			"the job after next does not run",
			[]Job{job("a", "exit:7"), job("b", "ok"), job("c", "ok"), job("d", "ok")},
			Failed, 7,
			[]string{"a=failed", "b=skipped", "c=skipped", "d=skipped"},
		},
		{
			"siblings of a failed job finish",
			[]Job{par("p1", "exit:9"), par("p2", "sleep:1s"), job("z", "ok")},
			Failed, 9,
			[]string{"p1=failed", "p2=succeeded", "z=skipped"},
		},
		{
			"the first failed job in workflow order gives the code",
			[]Job{par("p1", "sleep:1s"), par("p2", "exit:4"), par("p3", "exit:5")},
			Failed, 4,
			[]string{"p1=succeeded", "p2=failed", "p3=failed"},
		},
		{"a false condition skips one job", []Job{cond(job("a", "ok"), "$NOPE"), job("b", "ok")}, Succeeded, 0, []string{"a=skipped", "b=succeeded"}},
		{"all conditions false", []Job{cond(job("a", "ok"), "$NOPE")}, Skipped, 0, []string{"a=skipped"}},
		{"a condition sees the agent's environment", []Job{cond(job("a", "ok"), `$BRANCH == "main"`)}, Succeeded, 0, []string{"a=succeeded"}},
		{"and the job's own env first", []Job{cond(Job{Name: "a", Image: "ok", Env: []string{"BRANCH=x", "BRANCH=dev"}}, `$BRANCH == dev`)}, Succeeded, 0, []string{"a=succeeded"}},
		{"a panic is that job's failure", []Job{par("a", "panic"), par("b", "ok")}, Failed, CodeNoContainer, []string{"a=failed", "b=succeeded"}},
		{"a lost engine interrupts", []Job{job("a", "down")}, Interrupted, CodeNoContainer, []string{"a=interrupted"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(8, map[string]string{"BRANCH": "main"})
				run := b.run(t.Context(), tc.jobs...)
				if run.State != tc.state || run.ExitCode != tc.code || !slices.Equal(states(run), tc.want) {
					t.Errorf("got %s %d %v, want %s %d %v (%s)", run.State, run.ExitCode, states(run), tc.state, tc.code, tc.want, run.Reason)
				}
				if len(b.fake.live) != 0 || b.journal.done != 1 {
					t.Errorf("left %d containers, closed the journal %d times", len(b.fake.live), b.journal.done)
				}
				if last := b.journal.saved[len(b.journal.saved)-1]; last.State != tc.state || last.Text != nil {
					t.Errorf("the last record says %s and keeps %d bytes of text", last.State, len(last.Text))
				}
				if last := b.events[len(b.events)-1]; !strings.HasPrefix(last.Type, "pipeline_") {
					t.Errorf("the last event is %s", last.Type)
				}
			})
		})
	}
}

func TestBarrier(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(8, nil)
		b.run(t.Context(), Job{Name: "build", Image: "sleep:2s"}, Job{Name: "lint", Image: "sleep:1s", Parallel: true},
			Job{Name: "unit", Image: "sleep:2s", Parallel: true}, Job{Name: "deploy", Image: "ok"})
		got := strings.Join(b.fake.trace, " ")
		if !strings.HasPrefix(got, "+build -build +") || !strings.HasSuffix(got, "-lint -unit +deploy -deploy") {
			t.Errorf("order: %s", got)
		}
	})
}

func TestRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(1, nil)
		start := time.Now()
		run := b.run(t.Context(), Job{Name: "a", Image: "ok"},
			Job{Name: "b", Image: "flaky:2", Retry: Retry{Attempts: 3, Delay: time.Second, Backoff: 2}})
		if run.State != Succeeded || run.Jobs[1].Attempt != 3 {
			t.Errorf("%s after %d attempts: %s", run.State, run.Jobs[1].Attempt, run.Reason)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("waited %s, want 1s + 2s", took)
		}
		want := []string{sse.TypeJobContainerStart, sse.TypeJobRetry, sse.TypeJobContainerStart, sse.TypeJobRetry, sse.TypeJobContainerStart, sse.TypeJobCompleted}
		if got := b.types("b"); !slices.Equal(got, want) {
			t.Errorf("events %v", got)
		}
	})
}

func TestStop(t *testing.T) {
	t.Parallel()
	for cause, want := range map[error]State{ErrCancelRequest: Cancelled, ErrSuperseded: Cancelled, ErrShutdown: Interrupted} {
		t.Run(cause.Error(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(1, nil)
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(cause) })
				run := b.run(ctx, Job{Name: "a", Image: "sleep:1h"}, Job{Name: "b", Image: "ok"})
				if run.State != want || run.Jobs[1].State != Skipped {
					t.Errorf("run %s, jobs %v", run.State, states(run))
				}
				if len(b.fake.live) != 0 {
					t.Errorf("containers left: %v", b.fake.live)
				}
			})
		})
	}
}

func TestSlotsBoundTheJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(3, nil)
		var jobs []Job
		for i := range 20 {
			jobs = append(jobs, Job{Name: fmt.Sprint("j", i), Image: "sleep:1s", Parallel: true})
		}
		if run := b.run(t.Context(), jobs...); run.State != Succeeded || b.fake.peak != 3 {
			t.Errorf("%s with %d at once", run.State, b.fake.peak)
		}
	})
}

// TestGoOn covers what a restart finds after a crash at each step of a job.
func TestGoOn(t *testing.T) {
	t.Parallel()
	container := func(started bool) []Workload {
		return []Workload{{ID: "old", Started: started, Running: started, Labels: Labels{Run: "r1", Job: "b", Attempt: 1}}}
	}
	for _, tc := range []struct {
		name    string
		b       JobRun
		left    []Workload
		said    Announced
		want    State
		ran     []string
		adopted []string
		events  []string
	}{
		{
			"before the container",
			JobRun{State: Pending},
			nil, nil, Succeeded,
			[]string{"+b", "-b", "+c", "-c"},
			nil,
			[]string{sse.TypeJobContainerStart, sse.TypeJobCompleted},
		},
		{
			"created, not recorded",
			JobRun{State: Pending},
			container(false), nil, Succeeded,
			[]string{"+b", "-b", "+c", "-c"},
			nil,
			[]string{sse.TypeJobContainerStart, sse.TypeJobCompleted},
		},
		{
			"recorded, not started",
			JobRun{State: Running, Attempt: 1, Container: "old"},
			container(false), nil, Succeeded,
			[]string{"+b", "-b", "+c", "-c"},
			nil,
			[]string{sse.TypeJobContainerStart, sse.TypeJobCompleted},
		},
		{
			"started",
			JobRun{State: Running, Attempt: 1, Container: "old"},
			container(true), nil, Succeeded,
			[]string{"+c", "-c"},
			[]string{"b skip 3"},
			[]string{sse.TypeJobCompleted},
		},
		{"vanished", JobRun{State: Running, Attempt: 1, Container: "old"}, nil, nil, Interrupted, nil, nil, []string{sse.TypeJobCancelled}},
		{
			"outcome recorded, event lost, container left",
			JobRun{State: Succeeded, Attempt: 1},
			container(true), nil, Succeeded,
			[]string{"+c", "-c"},
			nil,
			[]string{sse.TypeJobCompleted},
		},
		{
			"outcome recorded and told",
			JobRun{State: Succeeded, Attempt: 1},
			nil,
			Announced{Key(sse.TypeJobCompleted, "b"): true},
			Succeeded,
			[]string{"+c", "-c"},
			nil, nil,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(1, nil)
				for _, w := range tc.left {
					b.fake.live[w.ID] = w
				}
				p := &Pipeline{Name: "p", Jobs: []Job{
					{Name: "a", Image: "exit:1", Retry: Retry{Attempts: 1}},
					{Name: "b", Image: "ok", Retry: Retry{Attempts: 1}},
					{Name: "c", Image: "ok", Retry: Retry{Attempts: 1}},
				}}
				run := NewRun("r1", p, CauseChange, time.Now())
				run.State, run.Started = Running, time.Now()
				run.Jobs[0].State = Succeeded // its image would fail: it must not run again
				tc.b.Name = "b"
				run.Jobs[1] = tc.b
				b.engine.Execute(t.Context(), run, p, nil, tc.left, tc.said)
				if run.State != tc.want || !slices.Equal(b.fake.trace, tc.ran) || !slices.Equal(b.fake.adopted, tc.adopted) {
					t.Errorf("%s (%s), ran %v, adopted %v", run.State, run.Reason, b.fake.trace, b.fake.adopted)
				}
				if got := b.types("b"); !slices.Equal(got, tc.events) {
					t.Errorf("events %v, want %v", got, tc.events)
				}
				if len(b.fake.live) != 0 {
					t.Errorf("left %v", b.fake.live)
				}
			})
		})
	}
}

// TestFinalRunOnlyFinishes: the record was final when the agent died, its last
// event and its containers were not dealt with.
func TestFinalRunOnlyFinishes(t *testing.T) {
	t.Parallel()
	b := newBench(1, nil)
	p := &Pipeline{Name: "p", Jobs: []Job{{Name: "a", Image: "ok", Retry: Retry{Attempts: 1}}}}
	run := NewRun("r1", p, CauseChange, time.Now())
	run.State, run.Jobs[0].State = Succeeded, Succeeded
	left := []Workload{{ID: "old", Labels: Labels{Run: "r1", Job: "a", Attempt: 1}}}
	b.fake.live["old"] = left[0]
	b.engine.Execute(t.Context(), run, p, nil, left, nil)
	if len(b.fake.trace) != 0 || len(b.fake.live) != 0 || b.journal.done != 1 || len(b.events) != 1 || b.events[0].Type != sse.TypePipelineComplete {
		t.Errorf("ran %v, left %v, events %v", b.fake.trace, b.fake.live, b.events)
	}
}

// TestJournalThatRefuses: what can't be recorded is not started.
func TestJournalThatRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(1, nil)
	b.journal.fail = errors.New("disk full")
	run := b.run(t.Context(), Job{Name: "a", Image: "ok"})
	if run.State != Failed || len(b.fake.trace) != 0 || !strings.Contains(run.Reason, "disk full") || len(b.fake.live) != 0 {
		t.Errorf("%s %q, ran %v, left %v", run.State, run.Reason, b.fake.trace, b.fake.live)
	}
}
