package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAnEmptiedRepositoryDeletesNothing: not now, not after a restart, and not
// when a file comes back that is none of ours, where that makes too many leave.
func TestAnEmptiedRepositoryDeletesNothing(t *testing.T) {
	for _, n := range []int{1, 4, 5, 20} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			in(t, func(t *testing.T) {
				files := map[string]string{}
				for i := range n {
					files[fmt.Sprintf("units/u%02d", i)] = "x"
				}
				r := newRepo("r", files)
				w := newWorld(t, r)
				unit := &fakeKind{name: "unit", have: Observed{}}
				with := func(c *Config) { c.Kinds = []Kind{unit} }
				l := w.start(with)
				unit.take()
				nothing := func(when string) {
					t.Helper()
					time.Sleep(time.Hour)
					if did := unit.take(); len(did) > 0 || unit.count() != n {
						t.Errorf("%s: did %v", when, did)
					}
				}
				r.set(nil)
				nothing("emptied")
				l.end()
				l = w.start(with)
				nothing("emptied, after a restart")
				r.set(map[string]string{"README": "x"})
				if n >= pruneFloor {
					nothing("none of ours is left")
				} else if time.Sleep(time.Hour); unit.count() != 0 {
					t.Errorf("%d stay that left a tree that can be read", unit.count())
				}
				r.set(files)
				settle()
				unit.take()
				delete(files, "units/u00")
				if n > 1 {
					r.set(files) // one that leaves goes
					settle()
					if did := unit.take(); !slices.Equal(did, []string{"remove unit/u00"}) {
						t.Errorf("did %v", did)
					}
				}
				l.end()
			})
		})
	}
}

// TestASuspendedSourceSurvivesARestart: neither is anything of it run, nor is
// anything removed, while other sources go on.
func TestASuspendedSourceSurvivesARestart(t *testing.T) {
	in(t, func(t *testing.T) {
		held, free := newRepo("held", map[string]string{"units/a": "one", "units/b": "one"}), newRepo("free", map[string]string{"units/c": "one"})
		w := newWorld(t, held, free)
		unit := &fakeKind{name: "unit", have: Observed{}}
		with := func(c *Config) { c.Kinds = []Kind{unit} }
		l := w.start(with)
		unit.take()
		if err := l.Suspend(t.Context(), "held", "release day", "uid 7"); err != nil {
			t.Fatal(err)
		}
		since := time.Now()
		l.end()
		l = w.start(with)
		held.set(map[string]string{"units/a": "two", "units/d": "new"})
		free.set(map[string]string{"units/c": "two"})
		unit.set("a", "drifted")
		time.Sleep(time.Hour)
		if did := unit.take(); !slices.Equal(did, []string{"run unit/c"}) {
			t.Errorf("did %v", did)
		}
		list, _ := l.Sources(t.Context())
		if h := list[0].Hold; h == nil || h.By != "uid 7" || h.Reason != "release day" || !h.Since.Equal(since) || list[1].Hold != nil {
			t.Errorf("%+v", list)
		}
		for _, name := range []string{"a", "b", "d"} {
			if st := status(t, l, name); st.State != "waiting" || !strings.Contains(st.Reason, "held by uid 7") {
				t.Errorf("%s: %+v", name, st)
			}
		}
		if err := l.Resume(t.Context(), "held", "me"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if did := unit.take(); !slices.Equal(did, []string{"remove unit/b", "run unit/a", "run unit/d"}) {
			t.Errorf("did %v", did)
		}
		l.end()
	})
}
