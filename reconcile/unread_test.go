package reconcile

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// status finds a resource by name.
func status(t *testing.T, l *life, name string) ResourceStatus {
	t.Helper()
	all, err := l.Resources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Name == name {
			return r
		}
	}
	return ResourceStatus{}
}

// TestAFileThatCantBeReadIsNotGone: it stays known and in force, and does not
// keep the others from leaving.
func TestAFileThatCantBeReadIsNotGone(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{"a.yaml": pipeline("a", "true"), "b.yaml": pipeline("b", "true"), "c.yaml": pipeline("c", "true")}
		r := newRepo("r", files)
		w := newWorld(t, r)
		l := w.start()
		expectRan(t, w, "a", "b", "c")
		r.lock = "a.yaml"
		delete(files, "b.yaml")
		r.set(files)
		settle()
		a := status(t, l, "a")
		if a.State != "broken" || a.Last == nil || !strings.Contains(a.Reason, "its file can't be read") || a.Problems.Err() == nil {
			t.Errorf("the locked one: %+v", a)
		}
		if b := status(t, l, "b"); b.Name != "" {
			t.Errorf("the one that left: %+v", b)
		}
		r.lock = ""
		r.set(files)
		settle()
		expectRan(t, w)
		if a := status(t, l, "a"); a.State != "ready" {
			t.Errorf("readable again: %+v", a)
		}
		l.end()
	})
}

// TestAPointerOfGitLFSIsNotTheFile: what it stands for is not in the repository,
// so that what was last read stays in force.
func TestAPointerOfGitLFSIsNotTheFile(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{"a.yaml": pipeline("a", "true")}
		r := newRepo("r", files)
		w := newWorld(t, r)
		l := w.start()
		expectRan(t, w, "a")
		files["a.yaml"] = "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("ab", 32) + "\nsize 9\n"
		r.set(files)
		settle()
		a := status(t, l, "a")
		if a.State != "broken" || a.Last == nil || a.Problems.Err() == nil || !strings.Contains(a.Problems.Err().Error(), "is a pointer of Git LFS") {
			t.Errorf("the pointer: %+v", a)
		}
		l.end()
	})
}

// TestAnIgnoreFileThatCantBeReadRunsNothing: what it keeps from running is not
// known.
func TestAnIgnoreFileThatCantBeReadRunsNothing(t *testing.T) {
	in(t, func(t *testing.T) {
		r := newRepo("r", map[string]string{"a.yaml": pipeline("a", "true"), ignoreFile: "a.yaml"})
		r.lock = ignoreFile
		w := newWorld(t, r)
		l := w.start()
		expectRan(t, w)
		if list, _ := l.Sources(t.Context()); !strings.Contains(list[0].Error, ignoreFile) {
			t.Errorf("%+v", list[0])
		}
		l.end()
	})
}

// TestAScheduleSurvivesAServerThatIsAway: what was last read is in force also
// in a life that has not reached the source yet.
func TestAScheduleSurvivesAServerThatIsAway(t *testing.T) {
	in(t, func(t *testing.T) {
		r := newRepo("r", map[string]string{"a.yaml": pipeline("a", "true", `schedule: "* * * * *"`)})
		w := newWorld(t, r)
		l := w.start()
		expectRan(t, w, "a")
		l.end()
		r.kept, r.err = true, errors.New("nobody answers")
		l = w.start()
		if list, _ := l.Sources(t.Context()); list[0].Error == "" || list[0].Revision == "" || list[0].Resources != 1 {
			t.Errorf("%+v", list[0])
		}
		time.Sleep(time.Minute)
		expectRan(t, w, "a")
		l.end()
		r.kept = false // nor is there any history
		l = w.start()
		if a := status(t, l, "a"); a.Last == nil || !strings.Contains(a.Reason, "its source can't be read") {
			t.Errorf("%+v", a)
		}
		l.end()
	})
}

// TestASourceThatDoesNotAnswerDelaysNobody: neither a plan of a running agent
// nor what a single reconciliation does for the other sources.
func TestASourceThatDoesNotAnswerDelaysNobody(t *testing.T) {
	in(t, func(t *testing.T) {
		dead, good := newRepo("dead", nil), newRepo("good", map[string]string{"a.yaml": pipeline("a", "true")})
		dead.mute = true
		w := newWorld(t, dead, good)
		l := w.start()
		begin := time.Now()
		plan, err := l.Plan(t.Context())
		if took := time.Since(begin); err != nil || took > patience {
			t.Errorf("the plan took %s, %v", took, err)
		}
		if !strings.Contains(plan.Sources[0].Error, "did not answer") || plan.Sources[1].Error != "" || len(plan.Changes) != 1 {
			t.Errorf("%+v", plan)
		}
		l.end()
		expectRan(t, w, "a")

		w = newWorld(t, dead, good)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		one, done := w.wake(), make(chan struct{})
		go func() {
			_, _ = one.Once(ctx)
			close(done)
		}()
		time.Sleep(2 * patience)
		expectRan(t, w, "a")
		cancel()
		<-done
	})
}
