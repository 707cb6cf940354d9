package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/sse"
	"github.com/abide-agent/abide/units"
)

// TestWhatStaysInForceIsLookedAfter: a unit whose new content can't be had is held
// to the content that was last applied.
func TestWhatStaysInForceIsLookedAfter(t *testing.T) {
	good := unitText("good", "[X-Abide]", "Rollback=true")
	for name, tt := range map[string]struct {
		next map[string]string // what is committed, and can't be had
		then string            // how its state is told
	}{
		"broken":      {map[string]string{"a.service": "[Service\n"}, "broken"},
		"rolled back": {map[string]string{"a.service": unitText("fail", "[X-Abide]", "Rollback=true")}, "ready"},
		"waiting":     {map[string]string{"a.service": unitText("new", "[X-Abide]", "DependsOn=pipeline/p"), "p.yaml": pipeline("p", "exit 1")}, "waiting"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				w := newPlacing(t, map[string]string{"a.service": good})
				content := w.e.units["a.service"].Digest
				w.commit(tt.next)
				time.Sleep(time.Minute)
				w.e.take()
				w.world.mu.Lock()
				w.world.events = nil
				w.world.mu.Unlock()
				fall := func(s *units.Status) { s.Active, s.Result = "failed", "signal" }
				w.e.set("a.service", fall)
				time.Sleep(time.Second)
				expectDid(t, w.e, "start a.service")
				if st := w.e.units["a.service"]; st.Digest != content || st.Active != "active" {
					t.Errorf("it became %+v", st)
				}
				for _, typ := range []string{sse.TypeUnitDrift, sse.TypeUnitRepaired} {
					if n := len(w.eventsOf(typ)); n != 1 {
						t.Errorf("%d events %s", n, typ)
					}
				}
				res, err := w.Resources(t.Context())
				if err != nil || res[len(res)-1].State != tt.then {
					t.Errorf("%v, %+v", err, res)
				}
				w.e.mu.Lock()
				w.e.sick = "a.service"
				w.e.mu.Unlock()
				w.e.set("a.service", fall)
				time.Sleep(time.Hour) // it is given up in the end
				if n := len(w.e.take()); n < 3 || n > maxRepairs {
					t.Errorf("%d tries", n)
				}
				w.e.mu.Lock()
				w.e.sick = ""
				w.e.mu.Unlock()
				w.commit(map[string]string{"a.service": unitText("better"), "p.yaml": ""})
				if st := w.e.units["a.service"]; st.Digest == content || st.Active != "active" {
					t.Errorf("in the end it is %+v: %s", st, strings.Join(w.types(), " "))
				}
				w.end()
			})
		})
	}
}
