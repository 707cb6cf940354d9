package reconcile

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abide-agent/abide/sse"
	"github.com/abide-agent/abide/units"
)

// unitEngine is systemd in memory. A unit whose text holds "fail" does not
// start, one that holds "hang" is busy for ever.
type unitEngine struct {
	mu      sync.Mutex
	units   map[string]units.Status
	did     []string
	changed func(string)
	down    bool
	stuck   string // a unit that can't be removed
	well    bool   // also what is to fail starts, and what hung has ended
	sick    string // a unit that does not start, whatever its file says
}

var _ units.Engine = (*unitEngine)(nil)

func (e *unitEngine) Name() string                        { return "units" }
func (e *unitEngine) Ping(context.Context) error          { return nil }
func (e *unitEngine) Start(context.Context, string) error { return nil }
func (e *unitEngine) Stop(context.Context, string) error  { return nil }
func (e *unitEngine) Close() error                        { return nil }
func (e *unitEngine) Journal(_ context.Context, name string, _ int) ([]string, error) {
	return []string{name + " says why"}, nil
}

func (e *unitEngine) Converge(_ context.Context, batch []units.Target, wait time.Duration, report func(units.Target, units.Result)) {
	hangs := func(t units.Target) bool { return strings.Contains(string(t.Text), "hang") }
	quick := slices.DeleteFunc(slices.Clone(batch), hangs)
	for i, t := range append(quick, slices.DeleteFunc(slices.Clone(batch), func(t units.Target) bool { return !hangs(t) })...) {
		if i == len(quick) {
			time.Sleep(wait)
		}
		e.mu.Lock()
		res := e.one(t)
		e.mu.Unlock()
		report(t, res)
	}
}

func (e *unitEngine) one(t units.Target) units.Result {
	if e.down {
		return units.Result{Err: units.ErrUnavailable}
	}
	if t.Remove && t.Name == e.stuck {
		return units.Result{Err: units.ErrBusy}
	}
	if t.Remove || t.Want == units.Inactive {
		delete(e.units, t.Name)
		e.did = append(e.did, "remove "+t.Name)
		return units.Result{Did: []string{"removed"}}
	}
	st := units.Status{Name: t.Name, Digest: t.Digest, Placed: t.Digest, Load: "loaded", Active: "inactive", Enabled: true}
	res := units.Result{Did: []string{"started"}}
	verb := "start "
	if before := e.units[t.Name]; t.Restart && before.Active == "active" && before.Digest != t.Digest {
		verb = "restart "
	} else if e.units[t.Name].Active == "active" {
		verb = "keep "
	}
	switch text := string(t.Text); {
	case strings.Contains(text, "hang") && e.well:
		st.Active, st.Sub, res.Did = "active", "running", nil
	case strings.Contains(text, "hang"):
		res = units.Result{Err: units.ErrBusy}
	case strings.Contains(text, "fail") && !e.well, e.sick == t.Name:
		st.Active, st.Result = "failed", "exit-code"
		res = units.Result{Err: errors.New("the start job failed"), Log: []string{"oops"}}
	case t.Want == units.Launched:
		st.Active, st.Sub = "active", "running"
	default:
		verb = "place "
	}
	e.did = append(e.did, verb+t.Name)
	e.units[t.Name] = st
	res.Status = st
	return res
}

func (e *unitEngine) States(context.Context, bool) (map[string]units.Status, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.down {
		return nil, units.ErrUnavailable
	}
	return maps.Clone(e.units), nil
}

func (e *unitEngine) Watch(ctx context.Context, changed func(string)) error {
	e.mu.Lock()
	e.changed = changed
	e.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

func (e *unitEngine) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := e.did
	e.did = nil
	slices.Sort(out)
	return out
}

// set changes a unit behind the agent's back.
func (e *unitEngine) set(name string, f func(*units.Status)) {
	e.mu.Lock()
	st := e.units[name]
	f(&st)
	e.units[name] = st
	e.mu.Unlock()
	e.changed(name)
}

func unitText(exec string, more ...string) string {
	return "[Service]\nExecStart=/bin/" + exec + "\n" + strings.Join(more, "\n") + "\n"
}

// unitWorld is a world with systemd in it.
func unitWorld(t *testing.T, r *repo) (*world, *unitEngine, func() *life) {
	e := &unitEngine{units: map[string]units.Status{}}
	w := newWorld(t, r)
	return w, e, func() *life {
		k := NewUnits(UnitConfig{Engine: e, Publish: w.publish, Host: "here"})
		return w.start(func(c *Config) { c.Kinds = []Kind{k} })
	}
}

func expectDid(t *testing.T, e *unitEngine, want ...string) {
	t.Helper()
	if got := e.take(); !slices.Equal(got, want) {
		t.Errorf("did %v, want %v", got, want)
	}
}

func TestUnitsFollowTheRepository(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{
			"units/a.service": unitText("a"), "b.service": unitText("b", "[X-Abide]", "DesiredState=loaded"), "units/t@.service": unitText("t"),
			"units/a.service.d/10-x.conf": "[Service]\nNice=5\n", "docs/c.service": unitText("c"), "units/p.yaml": "x: 1\n",
		}
		r := newRepo("r", files)
		_, e, start := unitWorld(t, r)
		l := start()
		expectDid(t, e, "place b.service", "place t@.service", "start a.service")
		files["units/a.service"] = unitText("a2")
		r.set(files)
		settle()
		expectDid(t, e, "restart a.service") // and nothing else is touched
		files["units/a.service"] = unitText("a2", "[X-Fleet]", "Global=true")
		r.set(files)
		settle()
		expectDid(t, e, "keep a.service")
		files["units/a.service.d/10-x.conf"] = "[Service]\nNice=6\n"
		r.set(files)
		settle()
		expectDid(t, e, "restart a.service")
		l.end()
		l = start()
		expectDid(t, e) // a restart of the agent touches nothing
		delete(files, "b.service")
		r.set(files)
		settle()
		expectDid(t, e, "remove b.service")
		l.end()
	})
}

func TestUnitFailureRollbackAndRevert(t *testing.T) {
	in(t, func(t *testing.T) {
		good, kept := unitText("good"), []string{"[X-Abide]", "Rollback=true"}
		files := map[string]string{"a.service": good, "b.service": unitText("good", kept...), "ok.service": unitText("ok")}
		r := newRepo("r", files)
		w, e, start := unitWorld(t, r)
		l := start()
		e.take()
		files["a.service"], files["b.service"], files["ok.service"] = unitText("fail"), unitText("fail", kept...), unitText("ok2")
		r.set(files)
		settle()
		expectDid(t, e, "restart a.service", "restart b.service", "restart ok.service", "start b.service")
		time.Sleep(time.Hour)
		expectDid(t, e) // neither the failed nor the rejected one is tried again
		state := map[string]ResourceStatus{}
		res, _ := l.Resources(t.Context())
		for _, s := range res {
			state[s.Name] = s
		}
		if a, b := state["a.service"], state["b.service"]; a.State != "failed" || b.Rejected == "" || !strings.Contains(b.Reason, "rolled back") {
			t.Errorf("a: %s %s, b: %s %s", a.State, a.Reason, b.State, b.Reason)
		}
		if !slices.Contains(w.types(), sse.TypeUnitFailed) || !slices.Contains(w.types(), sse.TypeUnitRolledBack) {
			t.Errorf("events %v", w.types())
		}
		files["a.service"], files["b.service"] = good, unitText("good", kept...)
		r.set(files)
		settle()
		expectDid(t, e, "start a.service")
		l.end()
	})
}

func TestUnitDrift(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{
			"a.service": unitText("a"), "quiet.service": unitText("q", "[X-Abide]", "Drift=report"), "off.service": unitText("o", "[X-Abide]", "Drift=off"),
		}
		r := newRepo("r", files)
		w, e, start := unitWorld(t, r)
		l := start()
		e.take()
		die := func(s *units.Status) { s.Active, s.Result = "failed", "signal" }
		for _, name := range []string{"a.service", "quiet.service", "off.service"} {
			e.set(name, die)
		}
		settle()
		expectDid(t, e, "start a.service")
		if n := strings.Count(strings.Join(w.types(), " "), sse.TypeUnitDrift); n != 2 {
			t.Errorf("%d drift events, want one each for a and quiet", n)
		}
		if !slices.Contains(w.types(), sse.TypeUnitRepaired) {
			t.Error("the repair was not told")
		}
		edit := func(s *units.Status) { s.Digest = "sha256:edited" }
		e.set("a.service", edit)
		settle()
		expectDid(t, e, "keep a.service") // other trouble than before is repaired at once
		e.set("a.service", edit)
		settle()
		expectDid(t, e) // the same again waits its turn
		time.Sleep(2 * time.Second)
		expectDid(t, e, "keep a.service")
		for range 30 {
			e.set("a.service", die)
			time.Sleep(maxRepairWait)
		}
		if n := len(e.take()); n >= 20 {
			t.Errorf("repaired %d times without giving up", n)
		}
		res, _ := l.Resources(t.Context())
		for i, want := range []string{"its state is failed (signal); it was repaired 10 times in a row and is left alone until", "its Drift=", "its Drift="} {
			if !strings.Contains(res[i].Reason, want) {
				t.Errorf("%s: %s", res[i].Name, res[i].Reason)
			}
		}
		l.end()
	})
}

func TestUnitThatHangsHoldsUpNobody(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{"hang.service": unitText("hang"), "a.service": unitText("a")}
		r := newRepo("r", files)
		_, e, start := unitWorld(t, r)
		l := start()
		time.Sleep(10 * time.Second)
		e.take()
		for i := range 5 {
			name := string(rune('b'+i)) + ".service"
			files[name] = unitText(name)
			r.set(files)
			settle()
			if did := e.take(); !slices.Contains(did, "start "+name) {
				t.Errorf("%s waits for a unit that hangs: %v", name, did)
			}
			time.Sleep(700 * time.Millisecond) // another moment in what the other goes through
		}
		l.end()
	})
}

func TestUnitEngineLost(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{"a.service": unitText("a"), "slow.service": unitText("hang")}
		r := newRepo("r", files)
		_, e, start := unitWorld(t, r)
		e.down = true
		l := start()
		expectDid(t, e)
		if len(l.Degraded()) == 0 {
			t.Error("a lost engine is no trouble")
		}
		e.mu.Lock()
		e.down = false
		e.mu.Unlock()
		time.Sleep(time.Minute)
		if did := e.take(); !slices.Contains(did, "start a.service") {
			t.Errorf("after it came back: %v", did)
		}
		l.end()
	})
}

// TestSlowUnitIsTold: the end of a job that took longer than its batch is an
// event like any other.
func TestSlowUnitIsTold(t *testing.T) {
	in(t, func(t *testing.T) {
		r := newRepo("r", map[string]string{"a.service": unitText("a"), "slow.service": unitText("hang")})
		w, e, start := unitWorld(t, r)
		l := start()
		time.Sleep(5 * time.Second)
		e.mu.Lock()
		e.well = true
		e.mu.Unlock()
		time.Sleep(time.Minute)
		r.set(map[string]string{"a.service": unitText("a")})
		settle()
		var told []string
		for _, ev := range append(w.eventsOf(sse.TypeUnitStarted), w.eventsOf(sse.TypeUnitRemoved)...) {
			told = append(told, strings.TrimPrefix(ev.Message, "Unit ")+" at "+strings.TrimLeft(ev.Revision, "0"))
		}
		want := []string{"a.service: started at 1", "slow.service: started at 1", "slow.service: removed at 2"}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
		l.end()
	})
}

func TestBundle(t *testing.T) {
	t.Parallel()
	for _, in := range []struct {
		text  string
		drops []units.DropIn
	}{
		{"[Service]\nExecStart=/bin/a\n", nil},
		{"[Service]\n", []units.DropIn{{Name: "a.conf", Text: []byte("[Unit]\n")}, {Name: "b.conf", Text: []byte("[Service]\nNice=1\n")}}},
	} {
		text, drops := unbundle(bundle([]byte(in.text), in.drops))
		if string(text) != in.text || len(drops) != len(in.drops) {
			t.Errorf("%q became %q with %d drop-ins", in.text, text, len(drops))
		}
		for i := range drops {
			if drops[i].Name != in.drops[i].Name || string(drops[i].Text) != string(in.drops[i].Text) {
				t.Errorf("drop-in %d became %q", i, drops[i].Text)
			}
		}
	}
}
