package reconcile

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sse"
)

// TestAYearOfCron takes the loop through a year on an injected clock, from one
// turn to the next.
func TestAYearOfCron(t *testing.T) {
	t.Parallel()
	year := func(zone string) (begin, end time.Time) {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		return time.Date(2026, 1, 1, 0, 0, 0, 0, loc), time.Date(2027, 1, 1, 0, 0, 0, 0, loc)
	}
	type wish struct{ expr, zone string }
	want := map[wish]int{}
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe"} {
		hours := 0
		for m, end := year(zone); m.Before(end); m = m.Add(time.Minute) {
			if m.Minute() == 0 {
				hours++
			}
		}
		// 2:15 and 2:30 lie in the hours that are left out or come twice, in every zone.
		for expr, n := range map[string]int{"15 2 * * *": 365, "30 2 * * *": 365, "30 15 3 * * *": 365, "0 12 * * 7": 52, "0 0 31 * *": 7, "0 * * * *": hours} {
			want[wish{expr, zone}] = n
		}
	}
	files := map[string]string{}
	byName := map[string]wish{}
	for w := range want {
		name := strings.NewReplacer("*", "x", " ", "-", "/", "-").Replace(w.expr + "-" + w.zone)
		byName[name] = w
		files["units/"+name] = "schedule: " + w.expr + "|" + w.zone
	}
	now := time.Date(2025, 12, 30, 0, 0, 0, 0, time.UTC)
	got := map[wish]int{}
	kind := &fakeKind{name: "unit", applied: func(c Change) {
		w := byName[c.Name]
		if begin, end := year(w.zone); !now.Before(begin) && now.Before(end) {
			got[w]++
		}
	}}
	a, err := New(t.Context(), Config{
		Sources: []SourceConfig{{Source: newRepo("r", files), Type: "git"}}, Kinds: []Kind{kind}, Store: store.Mem(),
		Publish: func(sse.Event) {}, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	<-a.lookAll(t.Context())
	a.following = true
	for end := now.AddDate(1, 0, 5); now.Before(end); {
		next, _ := a.step(t.Context())
		a.work.Wait()
		if !next.After(now) {
			t.Fatalf("at %s the loop looks again at %s", now, next)
		}
		now = next
	}
	for w, n := range want {
		if got[w] != n {
			t.Errorf("%s in %s came %d times in the year, want %d", w.expr, w.zone, got[w], n)
		}
	}
}

// shifted is a clock that can jump.
type shifted struct{ by atomic.Int64 }

func (s *shifted) now() time.Time       { return time.Now().Add(time.Duration(s.by.Load())) }
func (s *shifted) jump(d time.Duration) { s.by.Add(int64(d)) }
func (s *shifted) config(c *Config)     { c.Now = s.now }

// timed is a pipeline that only its schedule runs.
func timed(name, script, schedule string, extra ...string) string {
	return pipeline(name, script, append([]string{"trigger: manual", "timezone: UTC", "schedule: '" + schedule + "'"}, extra...)...)
}

func TestMissedTurns(t *testing.T) {
	in(t, func(t *testing.T) { // the bubble's clock begins at midnight
		r := newRepo("r", map[string]string{
			"skip.yaml": timed("skip", "true", "0 12 * * *"), "once.yaml": timed("once", "true", "0 12 * * *", "missed: run-once"),
			"often.yaml": timed("often", "true", "*/30 * * * *"),
		})
		w := newWorld(t, r)
		clock := &shifted{}
		l := w.start(clock.config)
		time.Sleep(time.Hour + time.Minute)
		expectRan(t, w, "often", "often")
		l.end()
		clock.jump(3 * 24 * time.Hour) // the machine is off for three days, and nothing was ever run at noon
		l = w.start(clock.config)
		settle()
		expectRan(t, w, "once") // for all three of them
		l.end()
		l = w.start(clock.config)
		settle()
		expectRan(t, w) // what was made up for is done, also after a restart

		clock.jump(3 * 24 * time.Hour) // the machine sleeps for three days
		time.Sleep(time.Minute)
		expectRan(t, w, "once")
		said := w.eventsOf(sse.TypeLog)
		if n := len(slices.DeleteFunc(said, func(e sse.Event) bool { return !strings.Contains(e.Message, "nobody was there to take its turn of") })); n != 2 {
			t.Errorf("%d turns were told to have passed", n)
		}
		time.Sleep(24 * time.Hour)
		ran := w.engine.take()
		if n := len(slices.DeleteFunc(slices.Clone(ran), func(s string) bool { return s != "skip" })); n != 1 || len(ran) != 50 {
			t.Errorf("in the day after, skip ran %d times, and all %d", n, len(ran))
		}
		l.end()
	})
}

func TestClockPutBack(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, newRepo("r", map[string]string{"a.yaml": timed("a", "true", "0 * * * *")}))
		clock := &shifted{}
		l := w.start(clock.config)
		time.Sleep(time.Hour + 30*time.Second)
		expectRan(t, w, "a")
		clock.jump(-time.Minute) // a small step: 1:00 comes again
		time.Sleep(45 * time.Minute)
		expectRan(t, w)
		time.Sleep(16 * time.Minute)
		expectRan(t, w, "a")
		clock.jump(-30 * 24 * time.Hour)
		time.Sleep(65 * time.Minute)
		expectRan(t, w, "a")
		l.end()
		clock.jump(-30 * 24 * time.Hour) // while the agent is away
		l = w.start(clock.config)
		time.Sleep(65 * time.Minute)
		expectRan(t, w, "a")
		l.end()
	})
}

func TestOverlap(t *testing.T) {
	in(t, func(t *testing.T) {
		const schedule = "*/10 * * * *"
		w := newWorld(t, newRepo("r", map[string]string{
			"skip.yaml": timed("skip", "sleep 1500", schedule), "queue.yaml": timed("queue", "sleep 1500", schedule, "overlap: queue"),
			"replace.yaml": timed("replace", "sleep 1500", schedule, "overlap: replace"),
		}))
		l := w.start()
		time.Sleep(10*time.Minute + time.Second) // 0:10
		expectRan(t, w, "queue", "replace", "skip")
		time.Sleep(10 * time.Minute) // 0:20
		expectRan(t, w, "replace")
		if st := status(t, l, "queue"); !strings.Contains(st.Reason, "this turn follows run") || len(st.Turns) != 5 || !st.Next.Equal(st.Turns[0]) {
			t.Errorf("%+v", st)
		}
		time.Sleep(15 * time.Minute) // 0:35, when the first runs have ended; two turns came due meanwhile
		settle()
		expectRan(t, w, "queue", "replace")
		runs, _, err := l.Runs(t.Context(), "", 100, "replace", "")
		if err != nil || len(runs) != 3 || runs[1].State != runner.Cancelled || !strings.Contains(runs[1].Reason, "the next turn of its schedule") || runs[0].Cause != runner.CauseSchedule {
			t.Errorf("%+v, %v", runs, err)
		}
		if err := l.Suspend(t.Context(), "", "a look", "me"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute) // a hold ends nothing that runs
		runs, _, _ = l.Runs(t.Context(), "", 1, "replace", "")
		if runs[0].State != runner.Running {
			t.Errorf("%+v", runs[0])
		}
		l.end()
	})
}

// TestRunNow: a request runs what has a schedule, and its turns stay.
func TestRunNow(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, newRepo("r", map[string]string{"a.yaml": timed("a", "true", "0 12 * * *")}))
		l := w.start()
		expectRan(t, w)
		before := status(t, l, "a").Turns
		if err := l.Retry(t.Context(), "a", "me"); err != nil {
			t.Fatal(err)
		}
		settle()
		expectRan(t, w, "a")
		if after := status(t, l, "a").Turns; !slices.EqualFunc(before, after, time.Time.Equal) || len(after) != 5 {
			t.Errorf("%v, then %v", before, after)
		}
		time.Sleep(12 * time.Hour)
		expectRan(t, w, "a")
		plan, err := l.Plan(t.Context())
		if err != nil || len(plan.Changes[0].Next) != 5 || plan.Changes[0].Next[0].Sub(before[0]) != 24*time.Hour {
			t.Errorf("%+v, %v", plan.Changes, err)
		}
		l.end()
	})
}
