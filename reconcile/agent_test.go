package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sources"
	"github.com/abide-agent/abide/sse"
)

// repo is a source in memory.
type repo struct {
	name string
	mu   sync.Mutex
	rev  int
	tree fstest.MapFS
	err  error
	hint func()
}

func newRepo(name string, files map[string]string) *repo {
	r := &repo{name: name}
	r.set(files)
	return r
}

func (r *repo) set(files map[string]string) {
	r.mu.Lock()
	r.rev++
	r.tree = fstest.MapFS{}
	for path, text := range files {
		r.tree[path] = &fstest.MapFile{Data: []byte(text)}
	}
	hint := r.hint
	r.mu.Unlock()
	if hint != nil {
		hint()
	}
}

func (r *repo) fail(err error) {
	r.mu.Lock()
	r.err = err
	hint := r.hint
	r.mu.Unlock()
	hint()
}

func (r *repo) Name() string { return r.name }
func (r *repo) Snapshot(context.Context) (*sources.Snapshot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return nil, r.err
	}
	rev := fmt.Sprintf("%040d", r.rev)
	return &sources.Snapshot{Source: r.name, Revision: rev, Content: rev, Tree: r.tree, Commit: &sources.Commit{Hash: rev, Subject: "a commit"}}, nil
}

func (r *repo) At(ctx context.Context, _ string) (*sources.Snapshot, error) { return r.Snapshot(ctx) }

func (r *repo) Run(ctx context.Context, hint func()) error {
	r.mu.Lock()
	r.hint = hint
	r.mu.Unlock()
	<-ctx.Done()
	return nil
}
func (r *repo) Location() string { return "memory:" + r.name }
func (r *repo) Close() error     { return nil }

// engine runs jobs in no time, or for as long as their script says: "exit N",
// "sleep N", anything else succeeds.
type engine struct {
	mu   sync.Mutex
	ran  []string
	live map[string]runner.Workload
	down bool
}

func (e *engine) Name() string { return "fake" }
func (e *engine) Ping(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.down {
		return fmt.Errorf("nobody answers: %w", runner.ErrUnavailable)
	}
	return nil
}

func (e *engine) Run(ctx context.Context, spec runner.Spec, obs runner.Observer) (runner.Result, error) {
	id := spec.Labels.Run + "." + spec.Job.Name
	e.mu.Lock()
	e.live[id] = runner.Workload{ID: id, Labels: spec.Labels, Started: true}
	e.mu.Unlock()
	if err := obs.Created(id, spec.Job.Image); err != nil {
		return runner.Result{ID: id}, err
	}
	e.mu.Lock()
	e.ran = append(e.ran, spec.Job.Name)
	e.mu.Unlock()
	obs.Started(id, spec.Job.Image)
	res := runner.Result{ID: id}
	script := strings.Join(spec.Job.Script, "\n")
	seconds := 0
	if _, err := fmt.Sscanf(script, "sleep %d", &seconds); err == nil {
		select {
		case <-time.After(time.Duration(seconds) * time.Second):
		case <-ctx.Done():
			return res, ctx.Err()
		}
	}
	_, _ = fmt.Sscanf(script, "exit %d", &res.ExitCode)
	return res, nil
}

func (e *engine) Adopt(_ context.Context, id string, _ runner.Spec, _ map[runner.Stream]int, _ runner.Observer) (runner.Result, error) {
	return runner.Result{ID: id}, nil
}

func (e *engine) Artifact(context.Context, string, string) (io.ReadCloser, error) {
	return nil, errors.New("none")
}

func (e *engine) List(_ context.Context, agent string) ([]runner.Workload, error) {
	if err := e.Ping(context.Background()); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Values(e.live)), nil
}

func (e *engine) Remove(_ context.Context, id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.live, id)
	return nil
}
func (e *engine) Close() error { return nil }
func (e *engine) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := e.ran
	e.ran = nil
	slices.Sort(out)
	return out
}

// world is what outlives an agent: its store, its engine, its sources, its log.
type world struct {
	t      *testing.T
	store  store.Store
	engine *engine
	repos  []*repo
	mu     sync.Mutex
	events []sse.Event
	trig   TriggerPolicy
}

func newWorld(t *testing.T, repos ...*repo) *world {
	return &world{t: t, store: store.Mem(), engine: &engine{live: map[string]runner.Workload{}}, repos: repos}
}

func (w *world) publish(e sse.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.ID = uint64(len(w.events) + 1)
	w.events = append(w.events, e)
}

func (w *world) types() (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		out = append(out, e.Type)
	}
	return out
}

func (w *world) history(_ context.Context, run string) iter.Seq2[sse.Event, error] {
	return func(yield func(sse.Event, error) bool) {
		w.mu.Lock()
		events := slices.Clone(w.events)
		w.mu.Unlock()
		for _, e := range events {
			if e.Run == run && !yield(e, nil) {
				return
			}
		}
	}
}

// life is one life of the agent in the world.
type life struct {
	*Agent
	*Pipelines
	end func()
}

func (w *world) wake(change ...func(*Config)) *life {
	w.t.Helper()
	c := Config{Store: w.store, Publish: w.publish, Grace: 5 * time.Second, MaxRuns: 8}
	for _, r := range w.repos {
		c.Sources = append(c.Sources, SourceConfig{Source: r, Type: "git"})
	}
	for _, f := range change {
		f(&c)
	}
	n := uint64(0)
	k, err := NewPipelines(w.t.Context(), PipelineConfig{
		Executor: func(string) (runner.Executor, error) { return w.engine, nil }, Store: w.store, Publish: w.publish,
		History: w.history, Forget: func(string) {}, Getenv: func(string) (string, bool) { return "", false },
		AgentID: "me", MaxJobs: 4, MaxQueue: 100, KeepRuns: 100, Host: "here", Trigger: w.trig,
		Rand: func() uint64 { n++; return n },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	c.Kinds = []Kind{k}
	a, err := New(w.t.Context(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	k.Attach(a)
	return &life{Agent: a, Pipelines: k}
}

// start begins the daemon's loop; end stops it and waits.
func (w *world) start(change ...func(*Config)) *life {
	l := w.wake(change...)
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	l.Recover()
	go func() {
		defer close(done)
		if err := l.Agent.Run(ctx); err != nil {
			w.t.Error(err)
		}
	}()
	l.end = func() { cancel(); <-done }
	settle()
	return l
}

// settle lets everything happen that happens without waiting for long.
func settle() {
	time.Sleep(10 * time.Millisecond) // of the bubble's clock
	synctest.Wait()
}

// pipeline is a pipeline file with one job that is called like the pipeline.
func pipeline(name, script string, extra ...string) string {
	return fmt.Sprintf("workflow: [%s]\n%s:\n  image: x\n  script: [%q]\n%s\n", name, name, script, strings.Join(extra, "\n"))
}

func in(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

func expectRan(t *testing.T, w *world, want ...string) {
	t.Helper()
	if got := w.engine.take(); !slices.Equal(got, want) {
		t.Errorf("ran %v, want %v", got, want)
	}
}

func TestACommitRunsWhatChanged(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{
			"pipelines/a.yaml": pipeline("a", "true"), "b.yml": pipeline("b", "true"), "pipelines/deep/c.yaml": pipeline("c", "true"),
			"other/d.yaml": pipeline("d", "true"), "values.yaml": "x: 1\n",
		}
		r := newRepo("r", files)
		w := newWorld(t, r)
		l := w.start()
		expectRan(t, w, "a", "b", "c")
		r.set(files)
		settle()
		expectRan(t, w) // the same content again
		files["b.yml"] = pipeline("b", "false")
		r.set(files)
		settle()
		expectRan(t, w, "b")
		files["b.yml"] = pipeline("b", "true") // git revert
		r.set(files)
		settle()
		expectRan(t, w, "b")
		l.end()
		l = w.start()
		expectRan(t, w) // a restart changes nothing
		plan, err := l.Plan(t.Context())
		if err != nil || plan.Pending() != 0 || plan.Failed() || len(plan.Ignored) != 1 {
			t.Errorf("plan %+v, %v", plan, err)
		}
		l.end()
	})
}

func TestOneBadFileHarmsOnlyItself(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{"a.yaml": pipeline("a", "true"), "b.yaml": pipeline("b", "true")}
		r := newRepo("r", files)
		w := newWorld(t, r)
		l := w.start()
		expectRan(t, w, "a", "b")
		files["a.yaml"] = "workflow: [a]\na:\n  imagee: x\n"
		files["b.yaml"] = pipeline("b", "echo")
		r.set(files)
		settle()
		expectRan(t, w, "b")
		plan, _ := l.Plan(t.Context())
		if !plan.Failed() || plan.Changes[0].Problems.Err() == nil || plan.Changes[0].Operation != OpNone {
			t.Errorf("plan %+v", plan.Changes)
		}
		l.end()
	})
}

func TestFailureIsNotRepeatedUntilAsked(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, newRepo("r", map[string]string{"a.yaml": pipeline("a", "exit 3")}))
		l := w.start()
		expectRan(t, w, "a")
		time.Sleep(time.Hour)
		expectRan(t, w)
		if err := l.Retry(t.Context(), "a", "me"); err != nil {
			t.Fatal(err)
		}
		settle()
		expectRan(t, w, "a")
		runs, _, err := l.Runs(t.Context(), "", 10, "", "")
		if err != nil || len(runs) != 2 || runs[0].Cause != runner.CauseRetry || runs[0].By != "me" || runs[1].ExitCode != 3 {
			t.Errorf("runs %+v, %v", runs, err)
		}
		if err := l.Retry(t.Context(), "nope", "me"); !errors.Is(err, ErrNotFound) {
			t.Errorf("retry of nothing: %v", err)
		}
		l.end()
	})
}

func TestRemovalEndsTheScheduleAndTheGuardHolds(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{"s.yaml": pipeline("s", "true", "schedule: '*/5 * * * *'")}
		for i := range 5 {
			files[fmt.Sprintf("p%d.yaml", i)] = pipeline(fmt.Sprintf("p%d", i), "true")
		}
		r := newRepo("r", files)
		w := newWorld(t, r)
		l := w.start()
		w.engine.take()
		time.Sleep(11 * time.Minute)
		expectRan(t, w, "s", "s")
		delete(files, "s.yaml")
		r.set(files)
		settle()
		time.Sleep(11 * time.Minute)
		expectRan(t, w)
		if _, err := w.store.Get(t.Context(), keyRecord+"pipeline/s"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the record of what left is still there: %v", err)
		}
		r.set(map[string]string{"p0.yaml": files["p0.yaml"]})
		settle()
		plan, _ := l.Plan(t.Context())
		if len(plan.Changes) != 5 || plan.Changes[1].Operation != OpWait || !strings.Contains(plan.Changes[1].Reason, "--max-prune") {
			t.Errorf("guard: %+v", plan.Changes)
		}
		r.set(map[string]string{})
		settle()
		if st, _ := l.Sources(t.Context()); st[0].Error == "" {
			t.Error("an empty source is no error")
		}
		l.end()
		l = w.start(func(c *Config) { c.MaxPrune = 10 })
		r.set(map[string]string{"p0.yaml": files["p0.yaml"]})
		settle()
		if res, _ := l.Resources(t.Context()); len(res) != 1 {
			t.Errorf("with --max-prune there are still %d", len(res))
		}
		l.end()
	})
}

func TestUnreadableSourceStopsNothing(t *testing.T) {
	in(t, func(t *testing.T) {
		r := newRepo("r", map[string]string{"a.yaml": pipeline("a", "true", "schedule: '0 * * * *'")})
		w := newWorld(t, r)
		l := w.start()
		expectRan(t, w, "a")
		r.fail(errors.New("the disk is gone"))
		settle()
		time.Sleep(61 * time.Minute)
		expectRan(t, w, "a") // its schedule goes on
		if got := l.Degraded(); len(got) != 1 || !strings.Contains(got[0], "the disk is gone") {
			t.Errorf("degraded: %v", got)
		}
		r.fail(nil)
		settle()
		if got := l.Degraded(); len(got) != 0 || !slices.Contains(w.types(), sse.TypeSourceRecovered) {
			t.Errorf("degraded: %v", got)
		}
		l.end()
	})
}

func TestHolds(t *testing.T) {
	in(t, func(t *testing.T) {
		r := newRepo("r", map[string]string{"a.yaml": pipeline("a", "true")})
		w := newWorld(t, r)
		if _, err := w.store.Commit(t.Context(), LostState("the record file is missing", time.Now())); err != nil {
			t.Fatal(err)
		}
		l := w.start()
		expectRan(t, w)
		l.end()
		l = w.start() // a hold survives a restart
		expectRan(t, w)
		if err := l.Resume(t.Context(), "", "me"); err != nil {
			t.Fatal(err)
		}
		settle()
		expectRan(t, w, "a")
		if err := l.Suspend(t.Context(), "r", "release day", "me"); err != nil {
			t.Fatal(err)
		}
		r.set(map[string]string{"a.yaml": pipeline("a", "echo")})
		settle()
		expectRan(t, w)
		plan, _ := l.Plan(t.Context())
		if c := plan.Changes[0]; c.Operation != OpWait || !strings.Contains(c.Reason, "release day") || plan.Sources[0].Hold == nil {
			t.Errorf("plan %+v", c)
		}
		if err := l.Resume(t.Context(), "r", "me"); err != nil {
			t.Fatal(err)
		}
		settle()
		expectRan(t, w, "a")
		if err := l.Suspend(t.Context(), "nope", "", "me"); !errors.Is(err, ErrNotFound) {
			t.Errorf("hold of nothing: %v", err)
		}
		l.end()
	})
}

func TestBaseline(t *testing.T) {
	in(t, func(t *testing.T) {
		r := newRepo("r", map[string]string{"a.yaml": pipeline("a", "true")})
		w := newWorld(t, r)
		l := w.start(func(c *Config) { c.Baseline = true })
		expectRan(t, w)
		r.set(map[string]string{"a.yaml": pipeline("a", "echo")})
		settle()
		expectRan(t, w, "a")
		l.end()
	})
}

func TestTwoSourcesClaimOneName(t *testing.T) {
	in(t, func(t *testing.T) {
		one := newRepo("one", map[string]string{"a.yaml": pipeline("a", "echo one")})
		two := newRepo("two", map[string]string{"a.yaml": pipeline("a", "echo two"), "b.yaml": pipeline("b", "true")})
		w := newWorld(t, one, two)
		l := w.start()
		expectRan(t, w, "a", "b")
		plan, _ := l.Plan(t.Context())
		if text := plan.Problems.Error(); !strings.Contains(text, "source two") || !strings.Contains(text, "source one") {
			t.Errorf("problems: %s", text)
		}
		l.end()
		w.repos = []*repo{two, one} // the claim is durable, whatever the order
		l = w.start()
		expectRan(t, w)
		l.end()
	})
}

func TestAfter(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{
			"build.yaml": pipeline("build", "sleep 10"), "deploy.yaml": pipeline("deploy", "true", "after: build"),
			"x.yaml": pipeline("x", "true", "after: [y]"), "y.yaml": pipeline("y", "true", "after: [x]"), "z.yaml": pipeline("z", "true", "after: nope"),
		}
		r := newRepo("r", files)
		w := newWorld(t, r)
		l := w.start()
		expectRan(t, w, "build")
		time.Sleep(11 * time.Second)
		settle()
		expectRan(t, w, "deploy")
		plan, _ := l.Plan(t.Context())
		for _, c := range plan.Changes {
			if broken := c.Problems.Err() != nil; broken != (c.Name >= "x") {
				t.Errorf("%s: %v", c.Name, c.Problems)
			}
		}
		files["build.yaml"] = pipeline("build", "exit 1")
		files["deploy.yaml"] = pipeline("deploy", "echo", "after: build")
		r.set(files)
		settle()
		expectRan(t, w, "build") // and not deploy, as build failed
		l.end()
	})
}

func TestDeadEngineDelaysAndLosesNothing(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, newRepo("r", map[string]string{"a.yaml": pipeline("a", "true")}))
		w.engine.down = true
		l := w.start()
		time.Sleep(time.Minute)
		if _, err := l.Trigger(t.Context(), []byte(pipeline("t", "true")), "", "me"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("trigger: %v", err)
		}
		if runs, _, _ := l.Runs(t.Context(), "", 10, "", ""); len(runs) != 0 {
			t.Errorf("recorded %v", runs)
		}
		w.engine.mu.Lock()
		w.engine.down = false
		w.engine.mu.Unlock()
		time.Sleep(10 * time.Minute)
		expectRan(t, w, "a")
		l.end()
	})
}

func TestShutdown(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, newRepo("r", map[string]string{"long.yaml": pipeline("long", "sleep 60"), "short.yaml": pipeline("short", "sleep 2")}))
		l := w.start()
		start := time.Now()
		l.end()
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("took %s, want the grace period", took)
		}
		if len(w.engine.live) != 0 {
			t.Errorf("left %v", w.engine.live)
		}
		expectRan(t, w, "long", "short")
		l = w.start()
		expectRan(t, w, "long") // interrupted: once more
		l.end()
		l = w.start()
		expectRan(t, w) // twice is a failure
		res, _ := l.Resources(t.Context())
		if res[0].State != "failed" || !strings.Contains(res[0].Last.Reason, "interrupted 2 times") {
			t.Errorf("%+v", res[0])
		}
		l.end()
	})
}

func TestTriggers(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t)
		l := w.start()
		run, err := l.Trigger(t.Context(), []byte(pipeline("t", "exit 4")), "nightly", "uid 7")
		if err != nil || run.State != runner.Pending || run.Pipeline != "nightly" {
			t.Fatalf("%+v, %v", run, err)
		}
		settle()
		if run, _ = l.Pipelines.Run(t.Context(), run.ID); run.State != runner.Failed || run.ExitCode != 4 || run.By != "uid 7" {
			t.Errorf("%+v", run)
		}
		long, _ := l.Trigger(t.Context(), []byte(pipeline("t", "sleep 100")), "", "")
		settle()
		if err := l.Cancel(t.Context(), long.ID, "uid 7"); err != nil {
			t.Error(err)
		}
		settle()
		if long, _ = l.Pipelines.Run(t.Context(), long.ID); long.State != runner.Cancelled || !strings.Contains(long.Reason, "uid 7") {
			t.Errorf("%+v", long)
		}
		if err := l.Cancel(t.Context(), long.ID, "x"); !errors.Is(err, ErrConflict) {
			t.Errorf("cancel of what ended: %v", err)
		}
		if err := l.Cancel(t.Context(), "nope", "x"); !errors.Is(err, ErrNotFound) {
			t.Errorf("cancel of nothing: %v", err)
		}
		l.end()
	})
}

// TestTriggerPolicy has the attacks of pin.md §3.22: a request body that names
// another engine, or files of this machine.
func TestTriggerPolicy(t *testing.T) {
	in(t, func(t *testing.T) {
		const host = "docker: {host: 'tcp://203.0.113.1:2375'}\n"
		bodies := map[string]string{
			"docker.host": host + pipeline("t", "true"),
			"dockerfile":  "workflow: [t]\nt: {dockerfile: keys/id_rsa, script: [x]}\n",
			"copyFiles":   "workflow: [t]\nt: {image: x, copyFiles: true, script: [x]}\n",
		}
		w := newWorld(t)
		l := w.start()
		for field, body := range bodies {
			_, err := l.Trigger(t.Context(), []byte(body), "", "")
			if err == nil || !strings.Contains(err.Error(), field) {
				t.Errorf("%s: %v", field, err)
			}
		}
		l.end()
		w.trig = TriggerPolicy{Tree: fstest.MapFS{"Dockerfile": {Data: []byte("FROM x")}, "keys": {Mode: fs.ModeDir}}, DockerHosts: []string{"tcp://203.0.113.1:2375"}}
		l = w.start()
		for field, body := range bodies {
			_, err := l.Trigger(t.Context(), []byte(body), "", "")
			if refused := field == "dockerfile"; refused != (err != nil) {
				t.Errorf("with an allow-list %s: %v", field, err)
			}
		}
		l.end()
	})
}

// TestKilled lets the agent die in the middle of a run: nothing is told it.
func TestKilled(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, newRepo("r", map[string]string{"a.yaml": "workflow: [one, two]\none: {image: x, script: [\"true\"]}\ntwo: {image: x, script: [sleep 60]}\n"}))
		first := w.start()
		expectRan(t, w, "one", "two")
		dead := &deadStore{Store: w.store}
		first.Agent.Store, first.Agent.Publish = dead, func(sse.Event) {}
		orphan := runner.Workload{ID: "orphan", Labels: runner.Labels{Agent: "me", Run: "gone", Job: "x"}}
		w.engine.mu.Lock()
		w.engine.live["orphan"] = orphan
		w.engine.mu.Unlock()
		second := w.start()
		runs, _, _ := second.Runs(t.Context(), "", 10, "", "")
		if len(runs) != 1 || runs[0].State != runner.Succeeded {
			t.Errorf("the run was not gone on with: %+v", runs)
		}
		expectRan(t, w) // adopted, not run again
		if _, left := w.engine.live["orphan"]; left {
			t.Error("the orphan was not removed")
		}
		second.end()
		first.end()
	})
}

type deadStore struct{ store.Store }

func (deadStore) Commit(context.Context, ...store.Op) (store.Revision, error) {
	return 0, store.ErrClosed
}

func TestOnce(t *testing.T) {
	in(t, func(t *testing.T) {
		r := newRepo("r", map[string]string{"a.yaml": pipeline("a", "sleep 3"), "b.yaml": pipeline("b", "true", "after: a")})
		w := newWorld(t, r)
		l := w.wake()
		if well, err := l.Once(t.Context()); !well || err != nil {
			t.Errorf("%v, %v", well, err)
		}
		expectRan(t, w, "a", "b")
		r.set(map[string]string{"a.yaml": pipeline("a", "exit 1"), "b.yaml": pipeline("b", "true", "after: a")})
		l = w.wake()
		if well, err := l.Once(t.Context()); well || err != nil {
			t.Errorf("after a failure: %v, %v", well, err)
		}
		w.engine.take()
		w.engine.down = true
		r.set(map[string]string{"a.yaml": pipeline("a", "echo")})
		l = w.wake()
		if well, err := l.Once(t.Context()); well || err != nil {
			t.Errorf("without an engine: %v, %v", well, err)
		}
		expectRan(t, w)
	})
}
