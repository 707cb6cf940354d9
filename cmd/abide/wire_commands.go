package main

import (
	"context"
	"errors"
	"os/user"

	"github.com/abide-agent/abide/internal/api/client"
	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/sse"
)

// Apply implements [app].
func (w wired) Apply(ctx context.Context, o applyOptions) (int, error) {
	s := o.Settings
	stateful := o.Daemon || len(s.Sources) > 0
	opts := wireOptions{settings: s, stdin: o.Stdin, warn: o.Warn, stateful: stateful, daemon: o.Daemon}
	if !o.Daemon {
		opts.show = o.Show
	}
	a, err := wire(ctx, opts)
	if err != nil {
		return exitFailed, err
	}
	if o.Daemon {
		stop := a.follow(o.Show)
		err = a.serve(ctx, o)
		stop()
		return code(err == nil), errors.Join(err, a.Close())
	}
	if o.Plan != nil {
		if err := a.agent.Accept(ctx, *o.Plan); err != nil {
			return exitFailed, errors.Join(err, a.Close())
		}
	}
	a.pipelines.Recover()
	endServices, err := a.beginServices(ctx)
	if err != nil {
		return exitFailed, errors.Join(err, a.Close())
	}
	well, err := a.agent.Once(ctx)
	err = errors.Join(err, endServices())
	if errors.Is(err, context.Canceled) {
		err = nil // the command says that it was stopped
	}
	return code(well), errors.Join(err, a.Close())
}

func code(well bool) int {
	if well {
		return exitDone
	}
	return exitFailed
}

// follow shows the daemon's events from now on. It reads the log like any other
// client, so that a slow terminal slows nothing. The function that it gives
// waits until everything up to then is shown.
func (a *parts) follow(show func(sse.Event)) (stop func()) {
	r := a.log.Read(a.log.LastID(), sse.Filter{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			frames, err := r.Next(context.Background())
			if err != nil {
				return
			}
			for _, f := range frames {
				if ev, err := f.Event(); err == nil {
					show(ev)
				}
			}
		}
	}()
	return func() {
		r.Finish()
		<-done
		r.Close()
	}
}

// Plan implements [app]. While a daemon holds the state directory it is asked:
// it alone knows what it is about to do.
func (w wired) Plan(ctx context.Context, o planOptions) (reconcile.Plan, error) {
	a, err := wire(ctx, wireOptions{settings: o.Settings, stdin: o.Stdin, warn: o.Warn, stateful: len(o.Settings.Sources) > 0, dry: true})
	if held, ok := errors.AsType[*store.LockedError](err); ok {
		c, err := ask(held)
		if err != nil {
			return reconcile.Plan{}, err
		}
		o.Warn("the state is held by a running agent; this is its plan, over its own sources")
		return askPlan(ctx, c, o)
	}
	if err != nil {
		return reconcile.Plan{}, err
	}
	var plan reconcile.Plan
	if o.Revision != "" {
		plan, err = a.agent.PlanAt(ctx, o.Source, o.Revision)
	} else {
		plan, err = a.agent.Plan(ctx)
	}
	return plan, errors.Join(err, a.Close())
}

// Compare implements [app].
func (w wired) Compare(ctx context.Context, o compareOptions) (reconcile.Comparison, error) {
	a, err := wire(ctx, wireOptions{settings: o.Settings, stdin: o.Stdin, warn: o.Warn, stateful: len(o.Settings.Sources) > 0, dry: true})
	if held, ok := errors.AsType[*store.LockedError](err); ok {
		c, err := ask(held)
		if err != nil {
			return reconcile.Comparison{}, err
		}
		return c.Compare(ctx, o.Source, o.From, o.To)
	}
	if err != nil {
		return reconcile.Comparison{}, err
	}
	out, err := a.agent.Compare(ctx, o.Source, o.From, o.To)
	return out, errors.Join(err, a.Close())
}

func askPlan(ctx context.Context, c *client.Client, o planOptions) (reconcile.Plan, error) {
	if o.Revision != "" {
		return c.PlanAt(ctx, o.Source, o.Revision)
	}
	return c.Plan(ctx)
}

// ask makes a client of the process that holds the state directory.
func ask(held *store.LockedError) (*client.Client, error) {
	if held.Holder.Socket == "" {
		return nil, held
	}
	return client.New(held.Holder.Socket)
}

// Edit implements [app].
func (w wired) Edit(ctx context.Context, o editOptions) error {
	s := o.Settings
	a, err := wire(ctx, wireOptions{settings: s, stdin: nil, warn: w.p.warn, stateful: true})
	if held, ok := errors.AsType[*store.LockedError](err); ok {
		c, err := ask(held)
		if err != nil {
			return err
		}
		return askEdit(ctx, c, o)
	}
	if err != nil {
		return err
	}
	switch o.Edit {
	case editRetry:
		err = a.agent.Retry(ctx, o.Name, localUser())
	case editSuspend:
		err = a.agent.Suspend(ctx, o.Name, o.Reason, localUser())
	case editResume:
		err = a.agent.Resume(ctx, o.Name, localUser())
	case editRollback:
		_, err = a.agent.Rollback(ctx, o.Name, o.Revision, o.Reason, localUser())
	}
	return errors.Join(err, a.Close())
}

// localUser names who edits the state without a daemon.
func localUser() string {
	if u, err := user.Current(); err == nil {
		return "user " + u.Username
	}
	return "a local user"
}
