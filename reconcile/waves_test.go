package reconcile

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/units"
)

// inUnit writes a unit file with lines in [Unit].
func inUnit(exec string, lines ...string) string {
	return "[Unit]\n" + strings.Join(lines, "\n") + "\n" + unitText(exec)
}

// order gives what the engine did, in the order of doing.
func (e *unitEngine) order() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := strings.Join(e.did, ", ")
	e.did = nil
	return out
}

func (w *placingWorld) expectOrder(want string) {
	w.t.Helper()
	if got := w.e.order(); got != want {
		w.t.Errorf("did %s; want %s", got, want)
	}
}

// stack is a database with what needs it, and others that don't.
func stack(db, rest string) map[string]string {
	return map[string]string{
		"db.service": unitText(db), "app.service": inUnit(rest, "Requires=db.service"), "bound.service": inUnit(rest, "BindsTo=app.service"),
		"late.service": inUnit(rest, "After=db.service", "Wants=db.service"), "own.service": inUnit(rest, "Requisite=db.service"),
		"far.service": unitText(rest, "[X-Abide]", "DependsOn=db.service"), "loaded.service": inUnit(rest, "Requires=db.service", "[X-Abide]", "DesiredState=loaded"),
	}
}

func TestUnitWaves(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newPlacing(t, stack("db", "one"))
		w.expectOrder("start db.service, start late.service, place loaded.service, start app.service, start far.service, start own.service, start bound.service")
		w.commit(stack("db", "one"))
		w.expectOrder("")
		w.commit(stack("db2", "two")) // all in one commit: still a wave after the other
		w.expectOrder("restart db.service, restart late.service, place loaded.service, restart app.service, restart far.service, restart own.service, restart bound.service")

		before := map[string]units.Status{}
		for _, name := range []string{"app.service", "bound.service", "own.service", "far.service"} {
			before[name] = w.e.units[name]
		}
		w.commit(stack("fail", "three"))
		time.Sleep(time.Hour)
		w.expectOrder("restart db.service, restart late.service, place loaded.service")
		resources, err := w.Resources(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for name, st := range before {
			i := slices.IndexFunc(resources, func(r ResourceStatus) bool { return r.Name == name })
			need := "unit/db.service, which failed"
			if name == "bound.service" {
				need = "unit/app.service"
			}
			live := w.board.Live(name)
			if r := resources[i]; r.State != "waiting" || !strings.Contains(r.Reason, need) || live.Health != units.HealthWaiting || !strings.Contains(live.Reason, need) {
				t.Errorf("%s is %s: %s; %+v", name, r.State, r.Reason, live)
			}
			if w.e.units[name].Digest != st.Digest {
				t.Errorf("%s was touched", name)
			}
		}

		// systemd takes down what is tied to it; to start that again is in vain.
		w.e.set("app.service", func(s *units.Status) { s.Active = "inactive" })
		time.Sleep(time.Hour)
		w.expectOrder("")
		w.commit(map[string]string{"db.service": unitText("db4")})
		w.expectOrder("start db.service, start app.service, restart far.service, restart own.service, restart bound.service")
		w.end()
	})
}

// TestUnitWavesGoOn: who waits goes on also when what failed gets well by itself,
// and when nothing of its own changed.
func TestUnitWavesGoOn(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newPlacing(t, map[string]string{
			"db.service": unitText("db"), "app.service": inUnit("app", "Requires=db.service"), "top.service": inUnit("top", "Requires=app.service"),
		})
		w.e.take()
		w.commit(map[string]string{"db.service": unitText("fail")})
		for _, name := range []string{"app.service", "top.service"} {
			w.e.set(name, func(s *units.Status) { s.Active = "inactive" })
		}
		time.Sleep(time.Hour)
		w.expectOrder("restart db.service")
		w.e.mu.Lock()
		w.e.well = true
		w.e.mu.Unlock()
		w.e.set("db.service", func(s *units.Status) { s.Active, s.Result, s.Since = "active", "success", time.Now() })
		settle()
		w.expectOrder("") // it may fall again in a moment
		time.Sleep(2 * time.Minute)
		w.expectOrder("keep db.service, start app.service, start top.service")
		if last := w.Agent.outlook(UnitKind).last["db.service"]; last.Result != Succeeded {
			t.Errorf("%+v", last)
		}
		w.end()
	})
}

// TestUnitWavesAfterRollback: what was rolled back stops those who need its new content.
func TestUnitWavesAfterRollback(t *testing.T) {
	in(t, func(t *testing.T) {
		keeps := []string{"[X-Abide]", "Rollback=true"}
		w := newPlacing(t, map[string]string{"db.service": unitText("db", keeps...), "app.service": inUnit("app", "Requires=db.service")})
		w.e.take()
		w.commit(map[string]string{"db.service": unitText("fail", keeps...), "app.service": inUnit("app2", "Requires=db.service")})
		w.expectOrder("restart db.service, start db.service")
		if live := w.board.Live("app.service"); !strings.Contains(live.Reason, "whose new content was rolled back") {
			t.Errorf("%+v", live)
		}
		if live := w.board.Live("db.service"); live.Health != units.HealthRolledBack || live.Reason == "" || live.Status.State() != units.Launched {
			t.Errorf("%+v", live)
		}
		w.commit(map[string]string{"db.service": unitText("db", keeps...)})
		w.expectOrder("restart app.service")
		w.end()
	})
}

func TestUnitsThatNeedEachOther(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newPlacing(t, map[string]string{
			"a.service": inUnit("a", "Requires=b.service"), "b.service": inUnit("b", "BindsTo=c.service"), "c.service": inUnit("c", "Requires=a.service", "Requires=c.service"),
			"d.service": inUnit("d", "Requires=a.service", "Requires=elsewhere.service"),
		})
		w.expectOrder("start a.service, start b.service, start c.service, start d.service")
		w.end()
	})
}
