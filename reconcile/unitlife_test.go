package reconcile

import (
	"fmt"
	"testing"
	"time"

	"github.com/abide-agent/abide/sse"
	"github.com/abide-agent/abide/units"
)

// TestUnitEvents: what a unit does by itself is told, with what it printed.
func TestUnitEvents(t *testing.T) {
	in(t, func(t *testing.T) {
		w, e, start := unitWorld(t, newRepo("r", map[string]string{"a.service": unitText("a", "[X-Abide]", "Drift=off")}))
		l := start()
		told := func() (out []string) {
			settle()
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, ev := range w.events {
				if ev.Fields["unit"] == "a.service" {
					out = append(out, fmt.Sprint(ev.Type, " ", ev.Message, " ", ev.Fields["journal"], ev.Fields["untold"]))
				}
			}
			w.events = nil
			return out
		}
		expect := func(want ...string) {
			t.Helper()
			if got := told(); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
				t.Errorf("told %q\nwant %q", got, want)
			}
		}
		fall := func(s *units.Status) { s.Active, s.Sub, s.Result, s.Exit = "failed", "failed", "exit-code", 3 }
		rise := func(s *units.Status) { s.Active, s.Sub, s.Result, s.Exit = "active", "running", "success", 0 }
		again := func(s *units.Status) { s.Active, s.Sub, s.Result, s.Exit = "activating", "auto-restart", "signal", 137 }
		expect(sse.TypeUnitStarted + " Unit a.service: started <nil> <nil>")
		e.set("a.service", fall)
		expect(sse.TypeUnitFailed + " Unit a.service fell: its result is exit-code, its exit status 3 [a.service says why] <nil>")
		time.Sleep(time.Minute)
		e.set("a.service", rise)
		expect(sse.TypeUnitStarted + " Unit a.service was started, and not by abide <nil> <nil>")
		time.Sleep(time.Minute)
		for range 50 {
			e.set("a.service", again)
			settle()
			e.set("a.service", rise)
			settle()
		}
		expect(sse.TypeUnitFailed + " Unit a.service fell: its result is signal, its exit status 137; it is restarted, as its Restart= says [a.service says why] <nil>")
		time.Sleep(time.Minute)
		e.set("a.service", fall)
		expect(sse.TypeUnitFailed + " Unit a.service fell: its result is exit-code, its exit status 3 [a.service says why] 99")
		l.end()
		l = start() // a new life tells nothing of what it finds
		expect()
		l.end()
	})
}
