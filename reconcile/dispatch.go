package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/sse"
)

// Bounds of the wait between two tries that could not be made.
const (
	minBackoff = time.Second
	maxBackoff = 5 * time.Minute
)

// step is one turn of the loop: decide on everything, start what may start.
// What can't start now is decided upon again at the next turn, so that a newer
// revision takes the place of one that waits. It gives when to look again.
func (a *Agent) step(ctx context.Context) (next time.Time, pending int) {
	if err := a.observe(ctx); err != nil {
		return time.Time{}, 0
	}
	a.mu.Lock()
	if a.stopping {
		a.mu.Unlock()
		return time.Time{}, 0
	}
	began := a.Now()
	moved := a.putBack(began.Round(0))
	changes, works := a.plan()
	passed, replaced := a.take(changes, works)
	lanes := map[string][]Work{}
	var order []string
	var seen []Work
	for _, c := range changes {
		w := works[c.Kind+"/"+c.Name]
		if c.Operation == OpNone && a.due(c, w) {
			lanes["skip"] = append(lanes["skip"], w)
		}
		if !c.Pending() || !a.promised(c) {
			continue
		}
		pending++
		if c.Operation == OpAdopt {
			seen = append(seen, w)
			a.keep(c)
			continue
		}
		lane := a.lane(c)
		if lanes[lane] == nil {
			order = append(order, lane)
		}
		lanes[lane] = append(lanes[lane], w)
	}
	for _, lane := range order {
		first := lanes[lane][0].Change
		place := a.place(first)
		if place == "" || a.busyOf(first.Kind) >= a.MaxRuns {
			continue // whatever ends next wakes the loop
		}
		a.start(ctx, place, lanes[lane])
	}
	ops := slices.Concat(moved, passed, a.skipTurns(lanes["skip"]), a.baseline(seen))
	next = a.nextLook(began)
	a.mu.Unlock()
	for run, kind := range replaced {
		kind.Replace(ctx, run)
	}
	_ = a.commit(ctx, ops...)
	if len(seen) > 0 {
		a.hint() // for what waited for them
	}
	return next, pending
}

// baseline records as done what is seen for the first time: all of it in one
// write, since a repository may hold thousands. The caller holds mu.
func (a *Agent) baseline(works []Work) (ops []store.Op) {
	for _, w := range works {
		done := Last{Digest: w.Change.Digest, Revision: w.Change.Revision, When: a.Now(), Result: Baselined}
		ops = append(ops, a.recorded(w.Change.Kind, w.Change.Name, done, w.Resource.Text)...)
	}
	return ops
}

// busyOf counts the lanes of one kind that are under way: a family that has
// much to do holds up none of the others. The caller holds mu.
func (a *Agent) busyOf(kind string) (n int) {
	for _, act := range a.busy {
		if act.changes[0].Kind == kind {
			n++
		}
	}
	return n
}

// due says whether a schedule came due that was decided not to be acted upon.
func (a *Agent) due(c Change, w Work) bool {
	return w.Cause == "schedule" && w.Resource != nil && w.Resource.Schedule != nil && !a.once
}

// skipTurns lets turns pass that came due while their run is still under way.
func (a *Agent) skipTurns(works []Work) (ops []store.Op) {
	for _, w := range works {
		ops = append(ops, a.pass(w, w.Change.Kind+" "+w.Change.Name+": "+w.Change.Reason))
	}
	return ops
}

// start hands a batch to its kind in a goroutine of its own. The caller holds mu.
func (a *Agent) start(ctx context.Context, lane string, batch []Work) {
	var changes []Change
	var ops []store.Op
	for _, w := range batch {
		changes = append(changes, w.Change)
		a.keep(w.Change)
		key := w.Change.Kind + "/" + w.Change.Name
		delete(a.explicit, key)
		if w.Cause == "schedule" {
			ops = append(ops, a.turn(w))
		}
	}
	a.busy[lane] = newActivity("", changes...)
	a.work.Go(func() {
		_ = a.commit(ctx, ops...)
		for i := range batch {
			batch[i].Applied = a.applied(ctx, batch[i].Change)
		}
		a.perform(ctx, batch)
		a.mu.Lock()
		delete(a.busy, lane)
		a.mu.Unlock()
		a.hint()
	})
}

// perform carries a batch out. A panic is the failure of this batch.
func (a *Agent) perform(ctx context.Context, batch []Work) {
	reported := map[string]bool{}
	report := func(w Work, o Outcome) {
		reported[w.Change.Name] = true
		a.ended(ctx, w, o)
	}
	defer func() {
		r := recover()
		for _, w := range batch {
			if !reported[w.Change.Name] {
				err := fmt.Errorf("it was not carried out")
				if r != nil {
					err = fmt.Errorf("internal error: %v; please report it", r)
				}
				a.ended(ctx, w, Outcome{Err: &Terminal{Err: err}})
			}
		}
	}()
	a.kinds[batch[0].Change.Kind].Apply(ctx, batch, report)
}

// ended records how a change ended and what follows from it.
func (a *Agent) ended(ctx context.Context, w Work, o Outcome) {
	key := w.Change.Kind + "/" + w.Change.Name
	ctx = context.WithoutCancel(ctx)
	var wait *Waiting
	var terminal *Terminal
	switch {
	case errors.As(o.Err, &terminal):
		o.Last = Last{Digest: w.Change.Digest, Revision: w.Change.Revision, When: a.Now(), Result: Failed, Reason: terminal.Error()}
	case errors.As(o.Err, &wait):
		a.retryAt(key, w.Change.Digest, wait.Error(), a.Now().Add(wait.Period), 0)
		return
	case o.Err != nil:
		a.trouble(key, w, o.Err)
		return
	}
	a.mu.Lock()
	delete(a.backoff, key)
	asked := a.askedMeanwhile(key, w)
	a.mu.Unlock()
	if w.Change.Operation == OpRemove {
		a.forget(ctx, w)
		return
	}
	if o.Rejected != "" {
		a.reject(ctx, key, o.Rejected, asked)
		return
	}
	if o.Last.Digest == "" {
		return
	}
	var applied []byte
	if !o.Kept {
		applied = w.Resource.Text
	}
	a.mu.Lock()
	ops := a.recorded(w.Change.Kind, w.Change.Name, o.Last, applied)
	if rec, ok := a.records[key]; ok && asked != nil {
		rec.Retry = asked
		a.records[key] = rec
	}
	a.mu.Unlock()
	_ = a.commit(ctx, ops...)
}

// askedMeanwhile gives the request that somebody made while the work was under
// way: its end is none for that. The caller holds mu.
func (a *Agent) askedMeanwhile(key string, w Work) *Request {
	now := a.records[key].Retry
	if now == nil || w.Record.Retry != nil && *now == *w.Record.Retry {
		return nil
	}
	return now
}

// Recorded changes the record of a resource after an attempt and gives the
// writes that make it durable, for a kind that commits them together with its
// own record of the attempt. Recording the same run twice changes nothing.
func (a *Agent) Recorded(kind, name string, last Last, applied []byte) []store.Op {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.recorded(kind, name, last, applied)
}

// recorded is Recorded for a caller that holds mu.
func (a *Agent) recorded(kind, name string, last Last, applied []byte) []store.Op {
	key := kind + "/" + name
	rec, known := a.records[key]
	if !known && a.want[key] == nil && len(applied) == 0 {
		return nil // it left while it ran
	}
	if again := last.Run != "" && rec.Last != nil && rec.Last.Run == last.Run; !again {
		rec.Kind, rec.Name = kind, name
		rec = rec.Ended(last)
		a.records[key] = rec
		a.failed = a.failed || rec.Last.Result == Failed || rec.Last.Result == Cancelled || rec.Last.Result == Interrupted
	}
	ops := []store.Op{store.Put(keyRecord+key, encode(rec))}
	if len(applied) > 0 {
		ops = append(ops, store.Put(keyApplied+key, applied))
	}
	return ops
}

// reject records that a digest was rolled back.
func (a *Agent) reject(ctx context.Context, key, digest string, asked *Request) {
	a.mu.Lock()
	rec := a.records[key]
	rec.Rejected, rec.Retry = digest, asked
	a.records[key] = rec
	a.failed = true
	a.mu.Unlock()
	_ = a.commit(ctx, store.Put(keyRecord+key, encode(rec)))
}

// trouble makes the loop try again later: the wait doubles and is spread.
func (a *Agent) trouble(key string, w Work, err error) {
	a.mu.Lock()
	times := 0
	if t := a.backoff[key]; t != nil && t.digest == w.Change.Digest {
		times = t.times
	}
	a.failed = a.failed || a.once
	a.mu.Unlock()
	wait := min(minBackoff<<min(times, 20), maxBackoff)
	wait = wait/2 + time.Duration(float64(wait/2)*a.Jitter())
	a.retryAt(key, w.Change.Digest, err.Error(), a.Now().Add(wait), times+1)
	if times == 0 {
		a.Publish(sse.Event{
			Type: sse.TypeProblem, Level: sse.Error, Source: w.Change.Source, Pipeline: w.Change.Name, Revision: w.Change.Revision,
			Message: fmt.Sprintf("%s %s can't be applied now: %v", w.Change.Kind, w.Change.Name, err),
		})
	}
}

func (a *Agent) retryAt(key, digest, why string, at time.Time, times int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.backoff[key] = &trouble{times: times, until: at, reason: why, digest: digest}
	if r := a.want[key]; r != nil && a.records[key].Retry == nil && a.sources[r.Source] != nil && a.sources[r.Source].config.Explicit {
		a.explicit[key] = true // it was asked for and has not been done yet
	}
}

// Soon lets what waits for its next try be tried at the next turn of the loop:
// what stood in the way of a kind's resources may be gone.
func (a *Agent) Soon(kind string) {
	a.mu.Lock()
	for key := range a.backoff {
		if strings.HasPrefix(key, kind+"/") {
			a.backoff[key].until = a.Now()
		}
	}
	a.mu.Unlock()
	a.hint()
}

// forget removes the record of a resource that is gone.
func (a *Agent) forget(ctx context.Context, w Work) {
	key := w.Change.Kind + "/" + w.Change.Name
	a.mu.Lock()
	delete(a.records, key)
	delete(a.claims, key)
	delete(a.backoff, key)
	a.mu.Unlock()
	_ = a.commit(ctx, store.Delete(keyRecord+key), store.Delete(keyClaim+key), store.Delete(keyApplied+key))
	a.Publish(sse.Event{
		Type: sse.TypeResourceRemoved, Source: w.Change.Source, Pipeline: w.Change.Name,
		Message: fmt.Sprintf("%s %s was removed: %s", w.Change.Kind, w.Change.Name, w.Change.Reason),
	})
}

// nextLook is when something comes due by itself that had not when the step
// began. What had is decided: where it waits for something else, such as a run
// that is under way or a hold, the end of that wakes the loop, and to look again
// at once would keep a processor busy until then. The caller holds mu.
func (a *Agent) nextLook(began time.Time) (next time.Time) {
	sooner := func(t time.Time) {
		if t.After(began) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, t := range a.left {
		sooner(t.Add(patience))
	}
	for key, t := range a.backoff {
		if _, recorded := a.records[key]; recorded || a.want[key] != nil {
			sooner(t.until)
		}
	}
	if !a.once {
		for key, r := range a.want {
			if r.Schedule != nil && !r.Broken() {
				turn := a.nextTurn(key, r)
				if !turn.IsZero() && !turn.After(began) {
					turn = r.Schedule.Next(began)
				}
				sooner(turn)
			}
		}
	}
	return next
}

// Claim marks a lane as busy with a run that an earlier life left, before the
// loop starts. It gives the function that frees the lane.
func (a *Agent) Claim(kind, name, run string) (done func()) {
	lane := a.lane(Change{Kind: kind, Name: name})
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy[lane] = newActivity(run, Change{Kind: kind, Name: name})
	a.work.Add(1)
	return func() {
		a.mu.Lock()
		delete(a.busy, lane)
		a.mu.Unlock()
		a.work.Done()
		a.hint()
	}
}

// Running notes which run a lane is busy with, for plans and statuses.
func (a *Agent) Running(kind, name, run string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if act := a.busy[a.lane(Change{Kind: kind, Name: name})]; act != nil {
		act.run = run
	}
}
