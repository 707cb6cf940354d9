package reconcile

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAFolderMovesBetweenTwoSources: whichever commit is seen first, nothing is
// stopped or run again.
func TestAFolderMovesBetweenTwoSources(t *testing.T) {
	folder := map[string]string{"units/u": "one", "units/v": "two", "p.yaml": pipeline("p", "true")}
	for name, move := range map[string]func(one, two *repo){
		"it comes first": func(one, two *repo) {
			two.set(folder)
			settle()
			one.set(map[string]string{"keep.yaml": pipeline("keep", "true")})
		},
		"it leaves first, and only that is hinted": func(one, two *repo) {
			hint := two.hint
			two.hint = nil
			two.set(folder)
			two.hint = hint
			one.set(map[string]string{"keep.yaml": pipeline("keep", "true")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				start := map[string]string{"keep.yaml": pipeline("keep", "true")}
				for path, text := range folder {
					start[path] = text
				}
				one, two := newRepo("one", start), newRepo("two", map[string]string{"README": "x"})
				w := newWorld(t, one, two)
				unit := &fakeKind{name: "unit", have: Observed{}}
				with := func(c *Config) { c.Kinds = []Kind{unit} }
				l := w.start(with)
				expectRan(t, w, "keep", "p")
				unit.take()
				move(one, two)
				time.Sleep(time.Hour)
				expectRan(t, w)
				if did := unit.take(); len(did) > 0 {
					t.Errorf("did %v", did)
				}
				if st := status(t, l, "u"); st.Source != "two" || st.State != "ready" {
					t.Errorf("%+v", st)
				}
				l.end()
				w.repos = []*repo{two, one}
				l = w.start(with) // nor by a restart
				time.Sleep(time.Hour)
				expectRan(t, w)
				if did := unit.take(); len(did) > 0 {
					t.Errorf("after a restart: did %v", did)
				}
				two.set(map[string]string{"units/v": "two", "p.yaml": pipeline("p", "true")})
				settle() // what leaves for good goes at once
				if did := unit.take(); !slices.Equal(did, []string{"remove unit/u"}) {
					t.Errorf("did %v", did)
				}
				l.end()
			})
		})
	}
}

// TestLeavingWaitsForNobodyForLong: a source that does not answer holds up no
// removal, and one that can't be read is no place that something moved to.
func TestLeavingWaitsForNobodyForLong(t *testing.T) {
	in(t, func(t *testing.T) {
		one, two := newRepo("one", map[string]string{"units/u": "one", "units/v": "one"}), newRepo("two", map[string]string{"README": "x"})
		w := newWorld(t, one, two)
		unit := &fakeKind{name: "unit", have: Observed{}}
		l := w.start(func(c *Config) { c.Kinds = []Kind{unit} })
		unit.take()
		two.mute = true
		one.set(map[string]string{"units/v": "one"})
		settle()
		if st := status(t, l, "u"); st.State != "waiting" || !strings.Contains(st.Reason, "source two is looked at first") || len(unit.take()) > 0 {
			t.Errorf("%+v", st)
		}
		time.Sleep(patience)
		settle()
		if did := unit.take(); !slices.Equal(did, []string{"remove unit/u"}) {
			t.Errorf("did %v", did)
		}
		l.end()
		two.mute, two.err = false, errors.New("it is away")
		l = w.start(func(c *Config) { c.Kinds = []Kind{unit} })
		one.set(map[string]string{"README": "x"})
		settle()
		if did := unit.take(); !slices.Equal(did, []string{"remove unit/v"}) {
			t.Errorf("did %v", did)
		}
		l.end()
	})
}
