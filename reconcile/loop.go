package reconcile

import (
	"context"
	"sync"
	"time"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sse"
)

// sweep is how often the loop looks at everything without any hint: the safety
// net under hints that were lost.
const sweep = time.Minute

// Run keeps the world as the sources want it until ctx ends. Then it starts
// nothing more, lets what runs finish for the grace period, ends the rest as
// interrupted, and returns.
func (a *Agent) Run(ctx context.Context) error {
	defer a.stop(nil)
	a.mu.Lock()
	a.following = true
	a.mu.Unlock()
	var watchers sync.WaitGroup
	for _, name := range a.order {
		s := a.sources[name]
		watchers.Go(func() { a.watch(ctx, s) })
		s.kick <- struct{}{}
	}
	for _, k := range a.kinds {
		if w, ok := k.(Watcher); ok {
			watchers.Go(func() { a.degrade(k.Name(), w.Watch(ctx, a.hint)) })
		}
	}
	a.follow(ctx)
	watchers.Wait()
	a.drain(a.Grace)
	return nil
}

// follow steps on every hint, whenever something comes due, and once a minute.
func (a *Agent) follow(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		case <-timer.C:
		}
		began := time.Now()
		next, _ := a.step(a.ctx)
		if !rest(ctx, time.Since(began)) {
			return
		}
		wait := sweep
		if !next.IsZero() {
			wait = max(min(next.Sub(a.Now()), sweep), 0)
		}
		timer.Reset(wait)
	}
}

// The loop rests after a step, for a few times as long as that took: where a
// thousand units come up, each of which hints, it takes a part of a processor
// and leaves the rest to them. A first hint is acted upon at once.
const (
	restFactor = 6
	maxRest    = 250 * time.Millisecond
)

// rest waits after a step that took so long. It gives false when ctx ended.
func rest(ctx context.Context, took time.Duration) bool {
	timer := time.NewTimer(min(restFactor*took, maxRest))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// drain waits for what runs, for at most grace, then ends it.
func (a *Agent) drain(grace time.Duration) {
	a.mu.Lock()
	a.stopping = true
	a.mu.Unlock()
	a.halt()
	idle := make(chan struct{})
	go func() {
		a.work.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return
	case <-time.After(grace):
	}
	a.stop(runner.ErrShutdown)
	<-idle
}

// Once looks at every source one time, applies what there is to do, and says
// whether all went well: every source was read, nothing is broken, nothing
// failed, nothing waits. Schedules don't come due. What the other sources ask
// for is not kept waiting by one that doesn't answer. When ctx ends, what runs
// is ended at once.
func (a *Agent) Once(ctx context.Context) (bool, error) {
	a.mu.Lock()
	a.once = true
	a.mu.Unlock()
	defer a.stop(nil)
	looks := a.lookAll(ctx)
	defer func() { <-looks }()
	if !wait(ctx, looks, patience) {
		a.drain(0)
		return false, context.Cause(ctx)
	}
	for {
		over := closed(looks)
		_, pending := a.step(a.ctx)
		if over && pending == 0 && a.idle() {
			break
		}
		select {
		case <-ctx.Done():
			a.drain(0)
			return false, context.Cause(ctx)
		case <-a.wake:
		}
	}
	a.drain(a.Grace)
	a.tellUnkept()
	a.tellRest()
	return a.allWell(), nil
}

// wait waits for done for at most a time. It gives false when ctx ended.
func wait(ctx context.Context, done <-chan struct{}, most time.Duration) bool {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	return true
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// tellRest says what was left undone, and why: nothing else would.
func (a *Agent) tellRest() {
	a.mu.Lock()
	changes, works := a.plan()
	tried := map[string]bool{} // and told about at once
	for key := range a.backoff {
		tried[key] = true
	}
	a.mu.Unlock()
	for _, c := range changes {
		rec := works[c.Kind+"/"+c.Name].Record
		unchanged := c.Operation == OpNone && rec.Last != nil && rec.Last.Result == Failed && rec.Last.When.Before(a.started)
		if c.Operation == OpWait && !tried[c.Kind+"/"+c.Name] || unchanged {
			a.Publish(sse.Event{
				Type: sse.TypeProblem, Level: sse.Warning, Source: c.Source, Pipeline: c.Name, Revision: c.Revision,
				Message: c.Kind + " " + c.Name + " was left as it is: " + c.Reason,
			})
		}
	}
}

func (a *Agent) idle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.busy) == 0
}

// allWell says whether nothing is broken, failed or left waiting.
func (a *Agent) allWell() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed || a.problems.Err() != nil {
		return false
	}
	changes, _ := a.plan()
	for _, c := range changes {
		if c.Operation == OpWait || c.Problems.Err() != nil {
			return false
		}
	}
	return true
}
