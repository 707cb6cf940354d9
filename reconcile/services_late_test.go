package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abide-agent/abide/netconf/service"
	"github.com/abide-agent/abide/netconf/tree"
	"github.com/abide-agent/abide/sse"
)

// handlersFake is a service API with a handler that makes a leaf of the key.
type handlersFake struct {
	mu   sync.Mutex
	away bool
	runs []string
	slow map[string]time.Duration // by instance
}

func (h *handlersFake) Run(ctx context.Context, r service.Request) (service.Output, error) {
	select {
	case <-time.After(h.slow[r.Instance.Key]):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away {
		return nil, &service.NoHandlerError{Service: r.Instance.Service, Instance: r.Instance.Name()}
	}
	h.runs = append(h.runs, fmt.Sprintf("%s deleted=%t dry=%t", r.Instance.Name(), r.Deleted, r.DryRun))
	out := service.Output{}
	for _, d := range r.Devices {
		out[d.Name] = &tree.Node{Name: tree.Name{Local: "config"}, Children: []*tree.Node{{Name: tree.Name{Space: "u", Local: "motd"}, Value: "by handler"}}}
	}
	return out, nil
}

func (h *handlersFake) Pushed(string, error) {}

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
		time.Sleep(33 * time.Second)
		settle()
		if e := w.eventsOf(sse.TypeServiceFailed); len(e) != 1 || !strings.Contains(e[0].Message, "motd[hung]") {
			t.Errorf("of the one that hangs is told: %+v", e)
		}
		files["services/a.xml"] = instancesOf("slow", "hi", "quick", "ho")
		r.set(files)
		settle()
		time.Sleep(6 * time.Second) // the one that is gone has a handler that hangs
		settle()
		got := w.devices.take() // the handler that is done first has no order with the other
		slices.Sort(got)
		if want := []string{"motd[hung]-", "motd[quick]" + out}; !slices.Equal(got, want) {
			t.Errorf("applied %q, want %q", got, want)
		}
		l.end()
	})
}

func (f *devicesFake) MadeOf(owner string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.of[owner]
}

// The agent may end before it can record what the devices were brought to: what
// they want counts, not what the agent remembers.
func TestServicesOfAnAgentThatWasKilled(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{"devices/lab.xml": lab, "services/motd.tmpl": motdTemplate, "services/a.xml": instancesOf("one", "hi")}
		w := newServiceWorld(t, newRepo("r", files))
		l, _ := w.begin()
		w.expectApplied("motd[one]@d1=hi")
		l.end()
		w.devices.of["motd[one]"] = "what was wanted, until the commit was taken back"
		l, _ = w.begin()
		settle()
		w.expectApplied("motd[one]@d1=hi")
		time.Sleep(time.Hour)
		w.expectApplied()
		l.end()
	})
}
