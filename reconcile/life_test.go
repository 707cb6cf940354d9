package reconcile

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sse"
)

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

// TestTriggersWait sends more than can begin: who sends on is slowed down, and
// not refused.
func TestTriggersWait(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t)
		l := w.start()
		var waited []time.Duration
		for range 4 + 5 + 2 { // run at once, have a place (a twentieth of MaxQueue), have none
			began := time.Now()
			if _, err := l.Trigger(t.Context(), []byte(pipeline("t", "sleep 100")), "", ""); err != nil {
				t.Fatal(err)
			}
			waited = append(waited, time.Since(began))
			synctest.Wait()
		}
		want := append(make([]time.Duration, 9), placeTime, placeTime)
		if diff := cmp.Diff(want, waited); diff != "" {
			t.Errorf("waited (-want +got):\n%s", diff)
		}
		time.Sleep(300 * time.Second)
		settle()
		if _, _, running, queued := l.book.Count(); running+queued != 0 {
			t.Errorf("%d runs and %d waiting", running, queued)
		}
		began := time.Now()
		if _, err := l.Trigger(t.Context(), []byte(pipeline("t", "true")), "", ""); err != nil || time.Since(began) != 0 {
			t.Errorf("with all places free: %v after %v", err, time.Since(began))
		}
		settle()
		l.end()
	})
}

// TestExpireCountsWhatEnded has runs that wait among those that are kept.
func TestExpireCountsWhatEnded(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := store.Mem()
	b, _, err := openBook(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	b.commit = func(ctx context.Context, ops ...store.Op) error { _, err := s.Commit(ctx, ops...); return err }
	for i := range 10 { // five that ended, then five that wait
		run := &runner.Run{ID: string(rune('a' + i)), State: runner.Pending}
		b.open(run, func(error) {})
		if i < 5 {
			run.State = runner.Succeeded
			if err := b.Save(ctx, run); err != nil {
				t.Fatal(err)
			}
			b.Done(run)
		}
	}
	none := func() map[string]bool { return nil }
	if out := b.expire(ctx, 5, none); out != nil {
		t.Errorf("of five to keep and five that ended, %v went", out)
	}
	if diff := cmp.Diff([]string{"b", "c"}, b.expire(ctx, 3, func() map[string]bool { return map[string]bool{"a": true} })); diff != "" {
		t.Error(diff)
	}
	if _, err := b.Get(ctx, "b"); !errors.Is(err, ErrNotFound) {
		t.Errorf("what went is still there: %v", err)
	}
	if _, err := b.Get(ctx, "a"); err != nil {
		t.Errorf("what is in force went: %v", err)
	}
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

// TestStranded: a container whose creation a killed life had asked for appears
// after the next life's first look, for a run that has another one by now.
func TestStranded(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, newRepo("r", map[string]string{"a.yaml": pipeline("a", "sleep 600")}))
		first := w.start()
		settle()
		first.Agent.Store, first.Agent.Publish = &deadStore{Store: w.store}, func(sse.Event) {}
		second := w.start()
		runs, _, _ := second.Runs(t.Context(), "", 1, "", "")
		labels := runner.Labels{Agent: "me", Run: runs[0].ID, Job: "a", Attempt: 1}
		left := func() (ids []string) {
			w.engine.mu.Lock()
			defer w.engine.mu.Unlock()
			for id := range w.engine.live {
				if id == "late" || id == "own" {
					ids = append(ids, id)
				}
			}
			slices.Sort(ids)
			return ids
		}
		appear := func() {
			w.engine.mu.Lock()
			defer w.engine.mu.Unlock()
			w.engine.live["late"] = runner.Workload{ID: "late", Labels: labels, Stranded: true}
			w.engine.live["own"] = runner.Workload{ID: "own", Labels: labels} // about to be started
		}
		appear()
		time.Sleep(3 * time.Second)
		if diff := cmp.Diff([]string{"own"}, left()); diff != "" {
			t.Errorf("after a late look (-want +got)\n%s", diff)
		}
		appear()
		second.end() // before the next one
		if diff := cmp.Diff([]string{"own"}, left()); diff != "" {
			t.Errorf("after the end (-want +got)\n%s", diff)
		}
		first.end()
	})
}

type deadStore struct{ store.Store }

func (deadStore) Commit(context.Context, ...store.Op) (store.Revision, error) {
	return 0, store.ErrClosed
}

// TestAChangedScheduleMissedNothing: turns that lie before the schedule was
// written never were.
func TestAChangedScheduleMissedNothing(t *testing.T) {
	in(t, func(t *testing.T) {
		daily := func(hour string) map[string]string {
			return map[string]string{"s.yaml": pipeline("s", "true", "trigger: manual", "timezone: UTC", "schedule: '0 "+hour+" * * *'")}
		}
		r := newRepo("r", daily("12")) // the bubble's clock begins at midnight
		w := newWorld(t, r)
		l := w.start()
		time.Sleep(15 * time.Hour)
		expectRan(t, w, "s")
		r.set(daily("13"))
		settle()
		expectRan(t, w)
		time.Sleep(23 * time.Hour)
		expectRan(t, w, "s")
		l.end()
	})
}

// TestProblemsAreToldOnce: a commit elsewhere repeats no old complaint.
func TestProblemsAreToldOnce(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{"bad.yaml": "workflow: [a]\na: {}\n", "b.yaml": pipeline("b", "true")}
		r := newRepo("r", files)
		w := newWorld(t, r)
		l := w.start()
		count := func() (n int) {
			for _, typ := range w.types() {
				if typ == sse.TypeProblem {
					n++
				}
			}
			return n
		}
		first := count()
		files["b.yaml"] = pipeline("b", "echo")
		r.set(files)
		settle()
		if first == 0 || count() != first {
			t.Errorf("told %d times, then %d", first, count())
		}
		l.end()
	})
}

// TestRetryOfARunUnderWay is refused: its end would swallow the request.
func TestRetryOfARunUnderWay(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, newRepo("r", map[string]string{"a.yaml": pipeline("a", "sleep 60")}))
		l := w.start()
		if err := l.Retry(t.Context(), "a", "me"); !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "abide cancel") {
			t.Errorf("retry: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if err := l.Retry(t.Context(), "a", "me"); err != nil {
			t.Error(err)
		}
		settle()
		expectRan(t, w, "a", "a")
		l.end()
	})
}
