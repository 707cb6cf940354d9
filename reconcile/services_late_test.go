package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/netconf/service"
	"github.com/abide-agent/abide/sse"
)

// A handler that takes its time, or for ever, holds up nothing that others make.
func TestServicesOfLateHandlers(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{"devices/lab.xml": lab, "services/a.xml": instancesOf("slow", "hi", "hung", "hi", "quick", "hi")}
		r := newRepo("r", files)
		w := newServiceWorld(t, r)
		w.handlers.slow = map[string]time.Duration{"slow": 30 * time.Second, "hung": 24 * time.Hour}
		l, s := w.begin()
		const out = "@d1=by handler@d2=by handler"
		time.Sleep(6 * time.Second)
		settle()
		w.expectApplied("motd[quick]" + out)
		res, err := s.Commit(t.Context(), service.CommitRequest{Actions: "FORCE", Instance: "motd[slow]", Push: "COMMIT"})
		if err != nil || len(res.Devices) != 0 {
			t.Errorf("a commit of the slow one: %+v, %v", res, err)
		}
		w.expectApplied("motd[slow]" + out)
		if got := strings.Join(w.handlers.runs, "; "); strings.Count(got, "motd[slow]") != 1 {
			t.Errorf("its code ran more than once: %s", got)
		}
		if e := w.eventsOf(sse.TypeServiceFailed); len(e) != 0 {
			t.Errorf("failed before the time is over: %+v", e)
		}
		time.Sleep(30 * time.Second)
		settle()
		if e := w.eventsOf(sse.TypeServiceFailed); len(e) != 1 || !strings.Contains(e[0].Message, "motd[hung]") {
			t.Errorf("of the one that hangs is told: %+v", e)
		}
		files["services/a.xml"] = instancesOf("slow", "hi", "quick", "ho")
		r.set(files)
		settle()
		time.Sleep(6 * time.Second) // the one that is gone has a handler that hangs
		settle()
		w.expectApplied("motd[quick]"+out, "motd[hung]-")
		l.end()
	})
}
