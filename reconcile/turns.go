package reconcile

import (
	"context"
	"time"

	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/sse"
)

// Turns says what becomes of turns of a schedule that can't simply be taken.
type Turns struct {
	CatchUp bool // one run makes up for those that nobody was there to take
	Queue   bool // one that comes due while the resource is busy follows when it is not
	Replace bool // as Queue, and what is under way is ended for it; see [Replacer]
}

// Replacer is a Kind whose work under way can be ended early.
type Replacer interface {
	// Replace ends a run in favour of the next turn of its schedule. It returns
	// at once; the lane stays busy until the run has ended.
	Replace(ctx context.Context, run string)
}

// slack is how far the clock may be from where the loop expects it: a turn that
// is found later than this was missed, since the loop looks twice as often, and
// a last turn that lies further in the future says that the clock was put back.
const slack = 2 * sweep

// firstSeen is when a schedule was first seen: turns before that never were.
type firstSeen struct {
	schedule string
	at       time.Time
	// taken is a turn that the loop found in time. It is acted upon however long
	// that takes, for instance during a hold.
	taken time.Time
	// next is the first turn after base: a loop with many schedules steps often.
	base, next time.Time
}

// turnOf says whether a resource's schedule came due, and since when; missed is
// the first turn that nobody was there to take, where such ones are not made up
// for. Turns never pile up: one run answers all that came due. The caller holds
// mu.
func (a *Agent) turnOf(key string, r *Resource, now time.Time) (due, missed time.Time) {
	due = a.nextTurn(key, r)
	switch {
	case due.IsZero() || due.After(now):
		return time.Time{}, time.Time{}
	case r.Turns.CatchUp || now.Sub(due) <= slack || a.since[key].taken.Equal(due):
		return due, time.Time{}
	}
	missed = due
	if due = r.Schedule.Next(now.Add(-slack)); due.After(now) {
		due = time.Time{}
	}
	return due, missed
}

// scheduleBase is the moment after which a schedule's next turn counts: its
// last one, or when it was first seen.
func (a *Agent) scheduleBase(key string) time.Time {
	base := a.since[key].at
	if cron := a.records[key].Cron; cron.After(base) {
		base = cron
	}
	return base
}

// nextTurn gives the first turn that was not acted upon yet, which may be in the
// past. The caller holds mu.
func (a *Agent) nextTurn(key string, r *Resource) time.Time {
	first, base := a.since[key], a.scheduleBase(key)
	if !first.base.Equal(base) || first.next.IsZero() {
		first.base, first.next = base, r.Schedule.Next(base)
		a.since[key] = first
	}
	return first.next
}

// upcoming adds the next five turns of their schedules to the changes of a plan,
// for people. The caller holds mu.
func (a *Agent) upcoming(changes []Change) {
	now := a.Now()
	for i := range changes {
		c := &changes[i]
		key := c.Kind + "/" + c.Name
		r := a.want[key]
		if r == nil || r.Schedule == nil || a.once {
			continue
		}
		next := a.nextTurn(key, r)
		if !next.After(now) {
			next = r.Schedule.Next(now)
		}
		for ; !next.IsZero() && len(c.Next) < 5; next = r.Schedule.Next(next) {
			c.Next = append(c.Next, next)
		}
	}
}

// see notes what the schedules are, for those that are new or other ones. One
// that makes up for missed turns goes on where an earlier life of the agent left
// it. The caller holds mu.
func (a *Agent) see(now time.Time) {
	for key, r := range a.want {
		if r.Schedule == nil || a.since[key].schedule == r.Schedule.String() {
			continue
		}
		first := firstSeen{schedule: r.Schedule.String(), at: now}
		if rec := a.records[key]; r.Turns.CatchUp && rec.Schedule == first.schedule {
			first.at = rec.Since
		}
		a.since[key] = first
	}
	for key := range a.since {
		if r := a.want[key]; r == nil || r.Schedule == nil {
			delete(a.since, key)
		}
	}
}

// scheduled gives a record with what is known of the resource's schedule, and
// says whether that is new. The caller holds mu.
func (a *Agent) scheduled(key string, r *Resource, rec Record) (Record, bool) {
	first, was := a.since[key], rec
	if r.Schedule == nil {
		rec.Schedule, rec.Since = "", time.Time{}
	} else if rec.Schedule != first.schedule {
		rec.Schedule, rec.Since = first.schedule, first.at
	}
	return rec, rec.Schedule != was.Schedule
}

// take notes the turns that came due, lets those pass that were missed, and
// gives the runs that have to end for the next turn. The caller holds mu.
func (a *Agent) take(changes []Change, works map[string]Work) (ops []store.Op, replaced map[string]Replacer) {
	replaced = map[string]Replacer{}
	for _, c := range changes {
		key := c.Kind + "/" + c.Name
		w := works[key]
		if !w.Missed.IsZero() {
			ops = append(ops, a.pass(w, c.Kind+" "+c.Name+": nobody was there to take its turn of "+w.Missed.UTC().Format(time.RFC3339)+"; it is skipped"))
		}
		if first, ok := a.since[key]; ok && !w.Due.IsZero() {
			first.taken = w.Due
			a.since[key] = first
		}
		if r, ok := a.kinds[c.Kind].(Replacer); ok && w.Replaces != "" {
			replaced[w.Replaces] = r
		}
	}
	return ops, replaced
}

// pass lets a turn pass without acting upon it.
func (a *Agent) pass(w Work, why string) store.Op {
	op := a.turn(w)
	a.Publish(sse.Event{Type: sse.TypeLog, Level: sse.Warning, Pipeline: w.Change.Name, Source: w.Change.Source, Message: why})
	return op
}

// turn records that a schedule was acted upon now.
func (a *Agent) turn(w Work) store.Op {
	key := w.Change.Kind + "/" + w.Change.Name
	rec := a.records[key]
	rec.Cron = a.Now().Round(0)
	a.records[key] = rec
	return store.Put(keyRecord+key, encode(rec))
}

// putBack lets schedules count from now where the clock was put back behind what
// they count from: they would else be silent until it is there again. A small
// step changes nothing, so that no turn comes twice for it. The caller holds mu.
func (a *Agent) putBack(now time.Time) (ops []store.Op) {
	for key, first := range a.since {
		if a.scheduleBase(key).Sub(now) <= slack {
			continue
		}
		first.at = now
		a.since[key] = first
		if rec, known := a.records[key]; known {
			rec.Cron, rec.Since = now, now
			a.records[key] = rec
			ops = append(ops, store.Put(keyRecord+key, encode(rec)))
		}
	}
	if len(ops) > 0 {
		a.Publish(sse.Event{Type: sse.TypeLog, Level: sse.Warning, Message: "the clock was put back; schedules count from now on"})
	}
	return ops
}
