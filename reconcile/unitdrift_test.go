package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/units"
)

// TestWhatIsDrift holds each way in which a unit can differ to what is told of it
// and done about it.
func TestWhatIsDrift(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*units.Status)
		why    string // empty: it is no drift
	}{
		"stopped by hand":   {func(s *units.Status) { s.Active, s.Sub = "inactive", "dead" }, "its state is inactive"},
		"false condition":   {func(s *units.Status) { s.Active, s.Sub, s.Skipped = "inactive", "dead", true }, ""},
		"disabled":          {func(s *units.Status) { s.Disabled, s.Enabled = true, false }, "it is not enabled"},
		"not enabled":       {func(s *units.Status) { s.Enabled = false }, ""}, // nor asked to be
		"read before":       {func(s *units.Status) { s.Outdated = true }, "systemd has not read its files again"},
		"masked":            {func(s *units.Status) { s.Masked = true }, "it is masked"},
		"deleted":           {func(s *units.Status) { s.Missing, s.Digest = true, "" }, "its file was deleted"},
		"edited":            {func(s *units.Status) { s.Digest = "sha256:other" }, "its files were edited"},
		"edited and unread": {func(s *units.Status) { s.Digest, s.Outdated = "sha256:other", true }, "its files were edited"},
		"on its way":        {func(s *units.Status) { s.Active = "deactivating" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				w, e, start := unitWorld(t, newRepo("r", map[string]string{"a.service": unitText("a")}))
				l := start()
				defer func() { l.end() }()
				e.take()
				e.set("a.service", tt.change)
				settle()
				told := ""
				for _, ev := range w.eventsOf("unit_drift") {
					told += ev.Message
				}
				if tt.why == "" && told != "" || !strings.Contains(told, tt.why) {
					t.Errorf("told %q, want %q", told, tt.why)
				}
				if did := e.take(); (len(did) > 0) != (tt.why != "") {
					t.Errorf("did %v", did)
				}
				time.Sleep(time.Second)
			})
		})
	}
}

// TestRepairThatFails: what was well once is tried again, ever more seldom, until
// the agent gives up; retry begins anew.
func TestRepairThatFails(t *testing.T) {
	in(t, func(t *testing.T) {
		w, e, start := unitWorld(t, newRepo("r", map[string]string{"a.service": unitText("a"), "b.service": inUnit("b", "Requires=a.service")}))
		l := start()
		e.take()
		fall := func(s *units.Status) { s.Active, s.Result = "failed", "signal" }
		sick := func(name string) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.sick = name
		}
		sick("a.service")
		e.set("a.service", fall)
		time.Sleep(20 * time.Second)
		if n := len(e.take()); n < 4 || n > 5 { // at 0, 1, 3, 7 and 15 seconds
			t.Errorf("%d tries in 20 seconds", n)
		}
		sick("")
		time.Sleep(time.Minute)
		expectDid(t, e, "start a.service")
		time.Sleep(time.Hour)
		sick("a.service")
		e.set("a.service", fall)
		time.Sleep(time.Hour)
		if n := len(e.take()); n != maxRepairs {
			t.Errorf("%d tries in an hour, want %d", n, maxRepairs)
		}
		given := 0
		for _, ev := range w.eventsOf("unit_failed") {
			if strings.Contains(ev.Message, "it is left alone") {
				given++
			}
		}
		if given != 1 {
			t.Errorf("giving up was told %d times", given)
		}
		sick("")
		if err := l.Retry(t.Context(), "a.service", "me"); err != nil {
			t.Error(err)
		}
		settle()
		expectDid(t, e, "start a.service")
		l.end()
	})
}
