package reconcile

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/abide-agent/abide/sse"
	"github.com/abide-agent/abide/units"
)

const (
	// quiet is the least time between two events of one unit about what it does
	// by itself: one that falls and is restarted over and over fills no log.
	quiet = 10 * time.Second
	// fallLines is how much of its output the event of a fallen unit carries.
	fallLines = 20
)

// sighting is what was last seen of a unit that is as it was made.
type sighting struct {
	status units.Status
	told   time.Time
	untold int // what happened since and was not told
}

// follow tells what becomes of units that nobody here is working on: that they
// fell, and that somebody else, such as systemd by their Restart=, started them.
func (k *Units) follow(wanted map[string]*Resource, states map[string]units.Status) {
	for _, tell := range k.changes(wanted, states) {
		k.agent.Go(tell) // what a unit printed takes time to read
	}
}

// changes compares what is seen of units with what was seen before.
func (k *Units) changes(wanted map[string]*Resource, states map[string]units.Status) (tell []func(context.Context)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name := range k.seen {
		if _, there := states[name]; !there {
			delete(k.seen, name)
		}
	}
	for name, st := range states {
		r, seen := wanted[name], k.seen[name]
		if r == nil || k.working[name] || k.slow[name] {
			delete(k.seen, name) // what it comes to is told by whoever works on it
			continue
		}
		if seen == nil {
			k.seen[name] = &sighting{status: st}
			continue
		}
		before := seen.status
		seen.status = st
		fell := fallen(st) && !fallen(before)
		rose := st.Active == "active" && before.Active != "active" && before.Active != "reloading"
		switch {
		case !fell && !rose:
		case k.Now().Sub(seen.told) < quiet:
			seen.untold++
		default:
			e := sse.Event{Source: r.Source, Revision: r.Revision, Pipeline: name, Fields: map[string]any{"unit": name}}
			if seen.untold > 0 {
				e.Fields["untold"] = seen.untold
			}
			seen.told, seen.untold = k.Now(), 0
			tell = append(tell, k.teller(st, fell, e))
		}
	}
	return tell
}

// fallen says whether a unit's process failed, be it that it is restarted.
func fallen(st units.Status) bool { return st.Active == "failed" || st.Sub == "auto-restart" }

func (k *Units) teller(st units.Status, fell bool, e sse.Event) func(context.Context) {
	return func(ctx context.Context) { k.tellChange(ctx, st, fell, e) }
}

// tellChange completes an event and publishes it.
func (k *Units) tellChange(ctx context.Context, st units.Status, fell bool, e sse.Event) {
	if !fell {
		e.Type, e.Level, e.Message = sse.TypeUnitStarted, sse.Info, fmt.Sprintf("Unit %s was started, and not by abide", st.Name)
		k.Publish(e)
		return
	}
	e.Type, e.Level = sse.TypeUnitFailed, sse.Error
	e.Message = fmt.Sprintf("Unit %s fell: its result is %s, its exit status %d", st.Name, st.Result, st.Exit)
	if st.Sub == "auto-restart" {
		e.Message += "; it is restarted, as its Restart= says"
	}
	lines, err := k.Engine.Journal(ctx, st.Name, fallLines)
	if err != nil {
		e.Fields["journal_error"] = err.Error()
	}
	e.Fields["result"], e.Fields["exit_code"], e.Fields["journal"] = st.Result, st.Exit, lines
	k.Publish(e)
}

// atWork gives the units that are being worked on, and how often work was begun.
func (k *Units) atWork() (begun int, names map[string]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.begun, maps.Clone(k.working)
}

// begin notes that a unit is being worked on; the function that it gives, that
// it no longer is.
func (k *Units) begin(name string) (end func()) {
	set := func(working bool) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if delete(k.seen, name); working {
			k.working[name] = true
			k.begun++
		} else {
			delete(k.working, name)
		}
	}
	set(true)
	return func() { set(false) }
}
