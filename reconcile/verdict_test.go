package reconcile

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestVerdicts follows the commits of two sources through their lives.
func TestVerdicts(t *testing.T) {
	in(t, func(t *testing.T) {
		app := newRepo("app", map[string]string{"a.yaml": pipeline("a", "echo"), "b.yaml": pipeline("b", "sleep 60")})
		other := newRepo("other", map[string]string{"c.yaml": pipeline("c", "echo")})
		w := newWorld(t, app, other)
		l := w.start()
		defer l.end()
		expect := func(when, source string, fate Fate, says string) {
			t.Helper()
			for _, v := range l.Verdicts() {
				if v.Source != source {
					continue
				}
				r := map[string]*repo{"app": app, "other": other}[source]
				if v.Fate != fate || !strings.Contains(v.Reason, says) || v.Commit != r.show().Revision {
					t.Errorf("%s: %+v, want %s with %q of %s", when, v, fate, says, r.show().Revision)
				}
				return
			}
			t.Errorf("%s: there is no verdict on %s", when, source)
		}
		expect("while b runs", "app", FatePending, "pipeline b is running")
		expect("while b runs", "other", FateWell, "1 resource is as it is wanted")
		time.Sleep(2 * time.Minute)
		expect("after b", "app", FateWell, "2 resources are as they are wanted")

		app.set(map[string]string{"a.yaml": pipeline("a", "exit 3"), "b.yaml": pipeline("b", "sleep 61")})
		settle()
		expect("a failed while b runs", "app", FateFailed, "pipeline a failed")
		for _, v := range l.Verdicts() {
			if v.Source == "app" && v.Run == "" {
				t.Error("the run that failed isn't named")
			}
		}
		time.Sleep(2 * time.Minute)
		app.set(map[string]string{"a.yaml": "workflow: [", "b.yaml": pipeline("b", "sleep 61")})
		settle()
		expect("a is broken", "app", FateFailed, "a.yaml")
		app.set(map[string]string{"a.yaml": pipeline("a", "echo"), "b.yaml": pipeline("b", "sleep 61")})
		settle()
		expect("all is mended", "app", FateWell, "2 resources")

		app.fail(errors.New("gone"))
		settle()
		for _, v := range l.Verdicts() {
			if v.Source == "app" {
				t.Errorf("a source that can't be read has a verdict: %+v", v)
			}
		}
	})
}

// TestLook has a hint from outside cause a look, and one for nobody cause none.
func TestLook(t *testing.T) {
	in(t, func(t *testing.T) {
		app := newRepo("app", map[string]string{"a.yaml": pipeline("a", "echo one")})
		w := newWorld(t, app)
		l := w.start()
		defer l.end()
		expectRan(t, w, "a")
		app.mu.Lock()
		app.hint = nil // it tells nobody of its next commit
		app.mu.Unlock()
		app.set(map[string]string{"a.yaml": pipeline("a", "echo two")})
		settle()
		expectRan(t, w)
		for range 1000 {
			l.Look("app")
			l.Look("nobody")
		}
		settle()
		synctest.Wait()
		expectRan(t, w, "a")
	})
}
