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
	lock string // a file that can't be read
	mute bool   // it answers nobody
	kept bool   // its history is at hand while it can't be read
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
func (r *repo) Snapshot(ctx context.Context) (*sources.Snapshot, error) {
	if r.mute {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return nil, r.err
	}
	return r.show(), nil
}

func (r *repo) show() *sources.Snapshot {
	rev := fmt.Sprintf("%040d", r.rev)
	return &sources.Snapshot{
		Source: r.name, Revision: rev, Content: rev + r.lock, Tree: lockedFS{r.tree, r.lock},
		Commit: &sources.Commit{Hash: rev, Subject: "a commit"},
	}
}

func (r *repo) At(ctx context.Context, _ string) (*sources.Snapshot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil && !r.kept {
		return nil, r.err
	}
	return r.show(), nil
}

// lockedFS refuses one of its files.
type lockedFS struct {
	fstest.MapFS
	locked string
}

func (l lockedFS) Open(name string) (fs.File, error) {
	if name == l.locked {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return l.MapFS.Open(name)
}

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

// eventsOf gives the events of one type.
func (w *world) eventsOf(typ string) (out []sse.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Type == typ {
			out = append(out, e)
		}
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
	c.Kinds = append([]Kind{k}, c.Kinds...)
	a, err := New(w.t.Context(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	k.Attach(a)
	for _, other := range c.Kinds[1:] {
		if k, ok := other.(interface{ Attach(*Agent) }); ok {
			k.Attach(a)
		}
	}
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
