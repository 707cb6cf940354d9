package reconcile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sse"
)

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
		if err := l.Suspend(t.Context(), "r", "to look at the plan", "me"); err != nil {
			t.Fatal(err)
		}
		r.set(files)
		settle()
		if p, _ := l.Plan(t.Context()); !strings.Contains(p.Changes[1].Diff, `-  script: ["true"]`) || !strings.Contains(p.Changes[1].Diff, `+  script: ["false"]`) {
			t.Errorf("the plan's diff is %q", p.Changes[1].Diff)
		}
		if err := l.Resume(t.Context(), "r", "me"); err != nil {
			t.Fatal(err)
		}
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
		if told := w.events[len(w.events)-1]; told.Type != sse.TypeProblem || !strings.Contains(told.Message, "--max-prune 4") {
			t.Errorf("the guard told %+v", told)
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
		// First sight is that of the repository, not of each file in it.
		r.set(map[string]string{"a.yaml": pipeline("a", "echo"), "b.yaml": pipeline("b", "echo")})
		settle()
		expectRan(t, w, "b")
		l.end()
		l = w.start(func(c *Config) { c.Baseline = true })
		r.set(map[string]string{"c.yaml": pipeline("c", "echo")})
		settle()
		expectRan(t, w, "c")
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

// TestLoopRestsWhileOneWaits: what came due and can't begin must not make the
// loop turn and turn. It would never let the bubble's clock go on.
func TestLoopRestsWhileOneWaits(t *testing.T) {
	in(t, func(t *testing.T) {
		r := newRepo("r", map[string]string{"a.yaml": pipeline("a", "sleep 1000")})
		w := newWorld(t, r)
		w.engine.mu.Lock()
		w.engine.down = true
		w.engine.mu.Unlock()
		l := w.start()
		settle()
		w.engine.mu.Lock()
		w.engine.down = false
		w.engine.mu.Unlock()
		time.Sleep(time.Hour) // the second try begins, and runs for long
		expectRan(t, w, "a")
		r.set(map[string]string{"a.yaml": pipeline("a", "sleep 1000"), "b.yaml": pipeline("b", "true", "trigger: manual", "schedule: '@every 1m'")})
		settle()
		if err := l.Suspend(t.Context(), "r", "holidays", "me"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // it comes due, and is held
		expectRan(t, w)
		if err := l.Resume(t.Context(), "r", "me"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(150 * time.Second)
		if n := len(w.engine.take()); n < 2 || n > 4 {
			t.Errorf("after the hold it ran %d times in two and a half minutes", n)
		}
		l.end()
	})
}
