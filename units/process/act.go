package process

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/abide-agent/abide/units/probe"
	"github.com/abide-agent/abide/units/process/spec"
)

// missedAfter is how long a change of a status may go unheard before it is
// looked for.
const missedAfter = 250 * time.Millisecond

// await looks at a unit's run, again after each change, until done is true.
func (e *Engine) await(ctx context.Context, name string, done func(run) bool) (run, error) {
	for {
		heard := e.hub.next(name)
		r := e.run(name)
		if done(r) {
			return r, nil
		}
		timer := time.NewTimer(missedAfter)
		select {
		case <-heard:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return r, ctx.Err()
		}
		timer.Stop()
	}
}

// start starts a unit that does not run and waits until it is up. The unit's
// lock must be held.
func (e *Engine) start(ctx context.Context, c spec.Compiled, meaning string) error {
	name := c.Service.Name
	launch, err := e.launch(ctx, e.order(c, meaning))
	if err != nil {
		return err
	}
	return e.awaitStart(ctx, name, launch)
}

// awaitStart waits for the end of the first start of an order.
func (e *Engine) awaitStart(ctx context.Context, name, launch string) error {
	r, err := e.await(ctx, name, func(r run) bool {
		return r.Launch != launch || r.Start != "" || r.kind == abandoned
	})
	switch {
	case err != nil:
		return err
	case r.Launch != launch:
		return fmt.Errorf("%s was started by somebody else meanwhile; look at it again", name)
	case r.kind == abandoned && r.Start == "":
		return fmt.Errorf("the supervisor of %s was killed while it started; start it again", name)
	case r.Start == "skipped":
		return nil
	case r.Start == "stopped":
		return fmt.Errorf("%s was stopped while it started; start it again", name)
	case r.Start != "done":
		return startError(r)
	case r.Status.OneShot:
		return nil
	}
	return e.settle(ctx, name, launch)
}

// settle watches a unit for a moment that counts as started as soon as its
// program runs: it may fail at once.
func (e *Engine) settle(ctx context.Context, name, launch string) error {
	brief, cancel := context.WithTimeout(ctx, e.opts.Settle)
	defer cancel()
	r, err := e.await(brief, name, func(r run) bool { return r.Launch != launch || fallen(r) })
	if err == nil && fallen(r) {
		return startError(r)
	}
	return ctx.Err()
}

// fallen says that a unit which was up is not, and not by somebody's wish.
func fallen(r run) bool {
	return r.Active == "failed" || r.Sub == "auto-restart" || r.Restarts > 0 && r.Active != "active"
}

func startError(r run) error {
	why := r.Error
	if why == "" {
		why = "its result is " + r.Result + "; look at its log"
	}
	if r.Sub == "auto-restart" || r.Restarts > 0 {
		why += " (it is restarted, as its Restart= says)"
	}
	return fmt.Errorf("%s failed (%s): %s", r.Name, r.Result, why)
}

// stop stops a unit and waits until nothing of it runs. It says whether there
// was anything to stop. The unit's lock must be held.
func (e *Engine) stop(ctx context.Context, name string) (bool, error) {
	stopped := false
	for {
		r := e.run(name)
		switch r.kind {
		case never, ended:
			return stopped, nil
		case abandoned:
			if err := e.adopt(ctx, name); err != nil {
				return stopped, err
			}
			continue
		}
		stopped = true
		signal(r.Supervisor, syscall.SIGTERM)
		// The supervisor tells what it does; that may take as long as the unit's
		// TimeoutStopSec=.
		if _, err := e.await(ctx, name, func(r run) bool { return r.kind != running }); err != nil {
			return stopped, err
		}
	}
}

// Reload runs the ExecReload= of a running unit and waits for its end.
func (e *Engine) Reload(ctx context.Context, name string) error {
	unlock, err := e.locks.take(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	before := e.run(name)
	switch {
	case before.kind != running || before.Active != "active":
		return fmt.Errorf("%s is not running, so it can't be reloaded; start it", name)
	case !signal(before.Supervisor, syscall.SIGHUP):
		return fmt.Errorf("the supervisor of %s has just ended; look at the unit again", name)
	}
	r, err := e.await(ctx, name, func(r run) bool { return r.Launch != before.Launch || r.kind != running || r.Reloads > before.Reloads })
	switch {
	case err != nil:
		return err
	case r.Reloads == before.Reloads:
		return fmt.Errorf("%s ended before it was reloaded; look at its log", name)
	case r.Reload != "":
		return fmt.Errorf("%s was not reloaded: %s", name, r.Reload)
	}
	return nil
}

// probe asks a started unit whether it is well, once for each of its runs, and
// gives up when it falls.
func (e *Engine) probe(ctx context.Context, j *job) error {
	started := e.run(j.name)
	launch := started.Launch
	e.mu.Lock()
	well := e.probed[j.name] == launch
	e.mu.Unlock()
	if j.target == nil || j.target.Probe == nil || well || started.Skipped {
		return nil
	}
	t := j.target
	err := probe.WaitSince(ctx, *t.Probe, started.Since, func() error {
		switch r := e.run(t.Name); {
		case fallen(r):
			return startError(r)
		case r.kind == running, r.OneShot && r.Result == "success", r.Skipped:
			return nil
		}
		return fmt.Errorf("%s ended while its probe was asking; look at its log", t.Name)
	})
	switch {
	case err == nil:
		e.mu.Lock()
		e.probed[t.Name] = launch
		e.mu.Unlock()
	case ctx.Err() == nil:
		err = fmt.Errorf("%s is not well: %w", t.Name, err)
	}
	return err
}

// forget makes a one-shot that ended well, or a failure, into a unit that never
// ran: what is wanted to be loaded only should not look launched.
func (e *Engine) forget(name string) error {
	if e.run(name).kind != ended {
		return nil
	}
	err := removeFile(e.layout.Status(name))
	e.touched(name)
	return err
}
