package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/abide-agent/abide/units"
)

// Converge implements [units.Engine]. What goes on after a target was reported
// as busy ends with the engine; the unit's own supervisor, once told to stop or
// start it, needs nobody.
func (e *Engine) Converge(ctx context.Context, batch []units.Target, wait time.Duration, report func(units.Target, units.Result)) {
	jobs := map[string]*job{}
	order := make([]*job, 0, len(batch))
	for i := range batch {
		j := e.plan(&batch[i])
		if jobs[j.name] != nil {
			j.err = fmt.Errorf("%s stands in one batch twice; report this as a fault of abide", j.name)
		} else {
			jobs[j.name] = j
		}
		if err := ctx.Err(); err != nil && j.err == nil {
			j.err = err
		}
		order = append(order, j)
	}
	e.placeAll(order)
	var mu sync.Mutex
	e.transact(ctx, jobs, order, wait, func(j *job, err error) {
		res := e.result(j, err)
		mu.Lock()
		defer mu.Unlock()
		report(*j.target, res)
	})
}

// maxPlacing is how many units are placed side by side: file systems write their
// journal once for many who wait for it.
const maxPlacing = 16

// placeAll places the files of a batch. Where somebody is at work on a unit,
// that is left to its job.
func (e *Engine) placeAll(jobs []*job) {
	limit := make(chan struct{}, maxPlacing)
	var all sync.WaitGroup
	for _, j := range jobs {
		if j.err != nil {
			continue
		}
		limit <- struct{}{}
		all.Go(func() {
			defer func() { <-limit }()
			if unlock, ok := e.locks.try(j.name); ok {
				defer unlock()
				j.err = e.placeFiles(j)
			}
		})
	}
	all.Wait()
}

// transact runs the jobs of a batch, and what they bring along, and reports
// those in order.
func (e *Engine) transact(ctx context.Context, jobs map[string]*job, order []*job, wait time.Duration, report func(*job, error)) {
	e.expand(jobs)
	link(jobs)
	// The work outlives a wait that was too short, but not a caller who leaves
	// before that.
	work, cancel := context.WithCancel(e.ctx)
	leave := context.AfterFunc(ctx, cancel)
	var all sync.WaitGroup
	for _, j := range jobs {
		all.Add(1)
		e.done.Go(func() {
			defer all.Done()
			e.work(work, j)
		})
	}
	e.done.Go(func() {
		all.Wait()
		cancel()
	})
	var reports sync.WaitGroup
	for _, j := range order {
		if jobs[j.name] != j { // the second of its name
			report(j, j.err)
			continue
		}
		reports.Go(func() { report(j, e.patience(ctx, j, wait)) })
	}
	for _, j := range jobs {
		if !slices.Contains(order, j) { // brought along: waited for, not reported
			reports.Go(func() { _ = e.patience(ctx, j, wait) })
		}
	}
	reports.Wait()
	leave()
}

// patience waits for a job as long as its caller wants to, counted from when
// all is done that it comes after.
func (e *Engine) patience(ctx context.Context, j *job, patience time.Duration) error {
	for _, other := range slices.Concat(j.after, j.before) {
		ready := other.done
		if later := slices.Contains(j.before, other); later && !other.stops {
			continue
		} else if later || !j.wantsStart {
			ready = other.stopped
		}
		select {
		case <-j.done:
			return j.err
		case <-ready:
		case <-other.busy:
			e.lateIs(j)
			return fmt.Errorf("%s waits for %s: %w", j.name, other.name, units.ErrBusy)
		case <-ctx.Done():
		}
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-j.done:
		return j.err
	case <-timer.C:
		e.lateIs(j)
		return fmt.Errorf("%s: %w", j.name, units.ErrBusy)
	}
}

// lateIs notes that a job goes on though nobody waits for it any more.
func (e *Engine) lateIs(j *job) {
	close(j.busy)
	e.mu.Lock()
	defer e.mu.Unlock()
	if j.target != nil {
		e.late[j.name] = j
	}
}

// resultLines is how much of a failed unit's output a result carries.
const resultLines = 20

func (e *Engine) result(j *job, err error) units.Result {
	if _, ours := e.marks.get(j.name); !ours {
		return units.Result{Status: units.Status{Name: j.name, Missing: true}, Err: err, Did: j.quietly(err)}
	}
	e.look(j.name)
	if r := e.run(j.name); err == nil && j.wantsStart && fallen(r) {
		err = startError(r) // it didn't last until now
	}
	res := units.Result{Err: err, Did: j.quietly(err)}
	e.mu.Lock()
	res.Status = e.memory[j.name]
	e.mu.Unlock()
	res.Status.Name = j.name
	if err != nil && !errors.Is(err, units.ErrNotSupported) && !errors.Is(err, units.ErrBusy) {
		res.Log, _ = e.Journal(context.Background(), j.name, resultLines)
	}
	return res
}

// quietly gives what was done, unless that is still being written.
func (j *job) quietly(err error) []string {
	if errors.Is(err, units.ErrBusy) {
		return nil
	}
	return j.did
}

// Start implements [units.Engine]: the unit is started from what is placed, and
// with it what it needs.
func (e *Engine) Start(ctx context.Context, name string) error {
	return e.byHand(ctx, name, func(j *job) { j.wantsStart = true })
}

// Stop implements [units.Engine]: the unit is stopped, and with it what is tied
// to it.
func (e *Engine) Stop(ctx context.Context, name string) error {
	return e.byHand(ctx, name, func(j *job) { j.stops = true })
}

func (e *Engine) byHand(ctx context.Context, name string, what func(*job)) error {
	k, ours := e.marks.get(name)
	switch {
	case !ours:
		return fmt.Errorf("%s is none of the units that abide placed here; see `abide units`", name)
	case units.IsTemplate(name):
		return fmt.Errorf("%s is a template; name one of its instances", name)
	}
	j := newJob(name, nil)
	j.deps = e.depsOf(k)
	what(j)
	var out error
	e.transact(ctx, map[string]*job{name: j}, []*job{j}, 1<<60, func(_ *job, err error) { out = err })
	return out
}
