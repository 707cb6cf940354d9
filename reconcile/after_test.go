package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestAfterAcrossKinds takes chains of a pipeline, a unit that comes after it and
// a service that comes after that through what may become of each.
func TestAfterAcrossKinds(t *testing.T) {
	chain := func(build, unit, service string) map[string]string {
		return map[string]string{
			"build.yaml": pipeline("build", build), "units/app": "after: pipeline/build\n" + unit, "services/vpn": "after: units/app\n" + service,
		}
	}
	for name, tc := range map[string]struct {
		first, then map[string]string // commits; then may be nil
		disturb     func(*life, *fakeKind)
		did         string // after the last commit, in the order of doing
		waits       map[string]string
	}{
		"all well":                        {first: chain("true", "", ""), did: "pipeline/build, unit/app, service/vpn"},
		"the whole chain changes":         {first: chain("true", "", ""), then: chain("echo", "two", "two"), did: "pipeline/build, unit/app, service/vpn"},
		"the first changes alone":         {first: chain("true", "", ""), then: chain("echo", "", ""), did: "pipeline/build"},
		"the last changes alone":          {first: chain("true", "", ""), then: chain("true", "", "two"), did: "service/vpn"},
		"the first fails":                 {first: chain("exit 1", "", ""), did: "pipeline/build", waits: map[string]string{"app": "it waits for pipeline/build, which failed", "vpn": "it waits for unit/app"}},
		"the first fails on a change":     {first: chain("true", "", ""), then: chain("exit 1", "two", "two"), did: "pipeline/build", waits: map[string]string{"app": "pipeline/build, which failed", "vpn": "it waits for unit/app"}},
		"the middle fails":                {first: chain("true", "fail", ""), did: "pipeline/build, unit/app", waits: map[string]string{"vpn": "it waits for unit/app, which failed"}},
		"the middle is rolled back":       {first: chain("true", "", ""), then: chain("true", "reject", "two"), did: "unit/app", waits: map[string]string{"vpn": "unit/app, whose new content was rolled back"}},
		"the middle is broken":            {first: chain("true", "", ""), then: chain("echo", "broken: yes", "two"), did: "pipeline/build", waits: map[string]string{"vpn": "unit/app, whose file has errors"}},
		"what failed is mended":           {first: chain("exit 1", "", ""), then: chain("true", "", ""), did: "pipeline/build, unit/app, service/vpn"},
		"what the middle waits for comes": {first: chain("sleep 60", "", ""), did: "pipeline/build, unit/app, service/vpn"},
		"the middle is not well": {
			first: chain("true", "stays", ""), then: chain("true", "stays", "two"), disturb: func(_ *life, unit *fakeKind) { unit.spoil("app", "sick") },
			did: "unit/app", waits: map[string]string{"vpn": "it waits for unit/app, which"},
		},
		"a false condition is satisfied": {
			first: map[string]string{"build.yaml": pipeline("build", "true") + "  condition: $NOPE == \"x\"\n", "units/app": "after: pipeline/build\n", "services/vpn": "after: unit/app\n"},
			did:   "unit/app, service/vpn",
		},
		"the chain leaves": {first: chain("true", "", ""), then: map[string]string{"README": "x"}, did: "unit/app, service/vpn"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				var mu sync.Mutex
				var order []string
				done := func(c Change) {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, c.Kind+"/"+c.Name)
				}
				unit, service := &fakeKind{name: "unit", have: Observed{}, applied: done}, &fakeKind{name: "service", have: Observed{}, applied: done}
				r := newRepo("r", tc.first)
				w := newWorld(t, r)
				l := w.start(func(c *Config) { c.Kinds = []Kind{unit, service} })
				time.Sleep(2 * time.Minute)
				ran := w.engine.take()
				if tc.then != nil {
					mu.Lock()
					order = nil
					mu.Unlock()
					w.engine.take()
					if tc.disturb != nil {
						tc.disturb(l, unit)
					}
					r.set(tc.then)
					time.Sleep(10 * time.Minute)
					ran = w.engine.take()
				}
				mu.Lock()
				defer mu.Unlock()
				if len(ran) > 0 {
					order = append([]string{"pipeline/" + strings.Join(ran, " ")}, order...)
				}
				if tc.then != nil && tc.then["README"] != "" {
					slices.Sort(order) // what leaves has no order
					slices.Reverse(order)
				}
				if did := strings.Join(order, ", "); did != tc.did {
					t.Errorf("did %s; want %s", did, tc.did)
				}
				for name, words := range tc.waits {
					if st := status(t, l, name); st.State != "waiting" || !strings.Contains(st.Reason, words) {
						t.Errorf("%s is %s: %s; want %q", name, st.State, st.Reason, words)
					}
				}
				l.end()
			})
		})
	}
}

// TestAfterCycleAcrossKinds: each of a circle is told the whole way, and what
// only waits for the circle waits.
func TestAfterCycleAcrossKinds(t *testing.T) {
	in(t, func(t *testing.T) {
		r := newRepo("r", map[string]string{
			"build.yaml": pipeline("build", "true", "after: services/vpn"), "units/app": "after: pipeline/build\n", "services/vpn": "after: units/app\n",
			"units/late": "after: services/vpn\n", "services/self": "after: self\n", "units/lost": "after: service/nowhere\n",
		})
		w := newWorld(t, r)
		unit, service := &fakeKind{name: "unit", have: Observed{}}, &fakeKind{name: "service", have: Observed{}}
		l := w.start(func(c *Config) { c.Kinds = []Kind{unit, service} })
		time.Sleep(time.Hour)
		expectRan(t, w)
		if did := slices.Concat(unit.take(), service.take()); len(did) > 0 {
			t.Errorf("did %v", did)
		}
		for name, words := range map[string]string{
			"build": "pipeline/build → service/vpn → unit/app → pipeline/build", "app": "unit/app → pipeline/build → service/vpn → unit/app",
			"vpn": "service/vpn → unit/app → pipeline/build → service/vpn", "self": "service/self → service/self", "lost": `names "service/nowhere"`,
		} {
			if st := status(t, l, name); st.State != "broken" || !strings.Contains(fmt.Sprint(st.Problems), words) {
				t.Errorf("%s is %s: %v; want %q", name, st.State, st.Problems, words)
			}
		}
		if st := status(t, l, "late"); st.State != "waiting" || !strings.Contains(st.Reason, "service/vpn, whose file has errors") {
			t.Errorf("%+v", st)
		}
		l.end()
	})
}
