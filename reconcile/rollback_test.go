package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/sources"
)

// historic is a source in memory that keeps its history.
type historic struct {
	*repo
	past map[string]*sources.Snapshot
}

func newHistoric(name string, files map[string]string) *historic {
	h := &historic{repo: newRepo(name, files), past: map[string]*sources.Snapshot{}}
	h.keep()
	return h
}

func (h *historic) keep() { s := h.show(); h.past[s.Revision] = s }

func (h *historic) commit(files map[string]string) {
	h.repo.mu.Lock()
	hint := h.hint
	h.hint = nil
	h.repo.mu.Unlock()
	h.set(files)
	h.keep()
	h.repo.mu.Lock()
	h.hint = hint
	h.repo.mu.Unlock()
	if hint != nil {
		hint()
	}
}

func (h *historic) At(_ context.Context, revision string) (*sources.Snapshot, error) {
	if s := h.past[revision]; s != nil {
		return s, nil
	}
	return nil, sources.ErrGone
}

// Resolve knows short numbers and HEAD.
func (h *historic) Resolve(_ context.Context, rev string) (string, error) {
	if rev == "HEAD" {
		return h.show().Revision, nil
	}
	full := rev
	if len(rev) < 40 {
		full = strings.Repeat("0", 40-len(rev)) + rev
	}
	if h.past[full] == nil {
		return "", fmt.Errorf("there is no %s: %w", rev, sources.ErrGone)
	}
	return full, nil
}

func TestRollbackStaysUntilResume(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHistoric("app", map[string]string{"a.yaml": pipeline("a", "true"), "b.yaml": pipeline("b", "true")})
		w := newWorld(t)
		with := func(c *Config) { c.Sources = []SourceConfig{{Source: h, Type: "git"}} }
		l := w.start(with)
		expectRan(t, w, "a", "b")
		h.commit(map[string]string{"a.yaml": pipeline("a", "exit 3"), "b.yaml": pipeline("b", "true")})
		settle()
		expectRan(t, w, "a")

		rev, err := l.Rollback(t.Context(), "app", "", "a is broken", "me")
		if err != nil || rev != fmt.Sprintf("%040d", 1) {
			t.Fatalf("rolled back to %q, %v", rev, err)
		}
		settle()
		expectRan(t, w, "a") // its old content again, as after git revert

		h.commit(map[string]string{"a.yaml": pipeline("a", "exit 4"), "b.yaml": pipeline("b", "exit 4")})
		time.Sleep(time.Hour)
		expectRan(t, w) // nothing that comes after the pin is looked at
		l.end()

		l = w.start(with)
		time.Sleep(time.Hour)
		expectRan(t, w) // not after a restart either
		list, _ := l.Sources(t.Context())
		if pin := list[0].Pin; pin == nil || pin.By != "me" || pin.Reason != "a is broken" || list[0].Revision != rev {
			t.Errorf("status: %+v", list[0])
		}
		plan, err := l.Plan(t.Context())
		if err != nil || len(plan.Holds) != 1 || plan.Holds[0].Revision != rev || plan.Pending() != 0 {
			t.Errorf("plan: %+v, %v", plan, err)
		}
		if err := l.Resume(t.Context(), "app", "me"); err != nil {
			t.Fatal(err)
		}
		settle()
		expectRan(t, w, "a", "b")
		l.end()
	})
}

func TestRollbackRefusals(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHistoric("app", map[string]string{"a.yaml": pipeline("a", "true")})
		w := newWorld(t, newRepo("dir", map[string]string{"d.yaml": pipeline("d", "true")}))
		l := w.start(func(c *Config) { c.Sources = append(c.Sources, SourceConfig{Source: h, Type: "git"}) })
		for name, tc := range map[string]struct {
			source, rev string
			want        error
		}{
			"unknown source":   {"none", "1", ErrNotFound},
			"no history":       {"dir", "1", ErrConflict},
			"unknown revision": {"app", "77", ErrNotFound},
			"nothing before":   {"app", "", ErrConflict},
		} {
			if _, err := l.Rollback(t.Context(), tc.source, tc.rev, "", "me"); !errors.Is(err, tc.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if plan, _ := l.Plan(t.Context()); len(plan.Holds) != 0 {
			t.Errorf("left %v", plan.Holds)
		}
		l.end()
	})
}

func TestPlanAtAndCompareChangeNothing(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHistoric("app", map[string]string{"a.yaml": pipeline("a", "true"), "b.yaml": pipeline("b", "true"), "c.yaml": pipeline("c", "true", "schedule: '@hourly'")})
		w := newWorld(t)
		h.commit(map[string]string{"a.yaml": pipeline("a", "true"), "b.yaml": pipeline("b", "exit 1"), "d.yaml": pipeline("d", "true")})
		h.repo.rev = 1
		h.repo.tree = h.past[fmt.Sprintf("%040d", 1)].Tree.(lockedFS).MapFS // the branch stays behind
		l := w.start(func(c *Config) { c.Sources = []SourceConfig{{Source: h, Type: "git"}} })
		expectRan(t, w, "a", "b", "c")

		plan, err := l.PlanAt(t.Context(), "", "2")
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]Operation{}
		for _, c := range plan.Changes {
			got[c.Name] = c.Operation
		}
		want := map[string]Operation{"a": OpNone, "b": OpRun, "c": OpRemove, "d": OpRun}
		for name, op := range want {
			if got[name] != op {
				t.Errorf("plan of %s: %q, want %q", name, got[name], op)
			}
		}
		c, err := l.Compare(t.Context(), "app", "1", "2")
		if err != nil {
			t.Fatal(err)
		}
		ops := ""
		for _, ch := range c.Changes {
			ops += fmt.Sprintf("%s:%s ", ch.Name, ch.Operation)
			if ch.Diff == "" {
				t.Errorf("%s has no difference", ch.Name)
			}
		}
		if ops != "b:change c:remove d:add " {
			t.Errorf("compared: %s", ops)
		}
		if now, _ := l.Plan(t.Context()); now.Pending() != 0 {
			t.Errorf("it changed what is wanted: %+v", now.Changes)
		}
		time.Sleep(time.Hour)
		expectRan(t, w, "c") // its schedule was not moved
		l.end()
	})
}
