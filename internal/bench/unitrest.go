package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/sse"
)

// nothingPending waits until the agent has recorded all that it did.
func (s *service) nothingPending(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return until(ctx, 50*time.Millisecond, func() (bool, error) {
		var plan reconcile.Plan
		if err := s.get(ctx, "/v1/plan", &plan); err != nil {
			return false, err
		}
		for _, c := range plan.Changes {
			if c.Operation != reconcile.OpNone {
				return false, nil
			}
		}
		return true, nil
	})
}

// standing measures 1,000 units of a repository that are all as they should be.
func (u *unitBench) standing(ctx context.Context) (rows []row, err error) {
	s, err := u.start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop(ctx)) }()
	names := u.unitNames(1000)
	if err := u.declare(names...); err != nil {
		return nil, err
	}
	running := u.bus.expect(names...)
	if _, err := u.repo.commit("all"); err != nil {
		return nil, err
	}
	if _, err := running.end(ctx); err != nil {
		return nil, s.explain(err)
	}
	if err := s.nothingPending(ctx); err != nil {
		return nil, err
	}
	writes, err := s.watchWrites(ctx)
	if err != nil {
		return nil, err
	}
	idle, err := u.resting(ctx, s)
	if err != nil {
		return nil, errors.Join(err, writes.stop())
	}
	noop, err := u.noop(ctx, s)
	if err = errors.Join(err, writes.stop()); err != nil {
		return nil, err
	}
	rows = append(append(rows, noop...), none("these, and what is idle below: calls to systemd that are no questions", writes.count, writes.calls, "calls"))
	return append(rows, idle...), u.withdraw(ctx, names...)
}

// noop measures looks at all sources and units that find nothing to do.
func (u *unitBench) noop(ctx context.Context, s *service) ([]row, error) {
	asked := func(ctx context.Context) (time.Duration, error) {
		var plan reconcile.Plan
		began := time.Now()
		err := s.get(ctx, "/v1/plan", &plan)
		took := time.Since(began)
		if err == nil && len(plan.Changes) < 1000 {
			err = fmt.Errorf("the plan is about %d resources only", len(plan.Changes))
		}
		return took, err
	}
	events, err := s.follow(ctx, "types="+sse.TypeSourceUpdated)
	if err != nil {
		return nil, err
	}
	defer events.close()
	committed := func(ctx context.Context) (time.Duration, error) {
		if err := pause(ctx, 300*time.Millisecond); err != nil { // what comes at once after another waits a moment
			return 0, err
		}
		if err := u.repo.put("README", u.name("nothing")); err != nil {
			return 0, err
		}
		moved, err := u.repo.commit("nothing")
		if err != nil {
			return 0, err
		}
		_, err = events.await(func(sse.Event) bool { return true })
		return time.Since(moved), err
	}
	t, err := interleave(ctx, u.rounds(15, 5), asked, committed)
	if err != nil {
		return nil, s.explain(err)
	}
	return []row{
		within("reconcile of 1000 units that are as they should be, GET /v1/plan", t[0].median(), 50*time.Millisecond, "slowest: "+span(t[0].quantile(1))),
		within("the same by a commit that changes no unit → source_updated", t[1].median(), 50*time.Millisecond, "slowest: "+span(t[1].quantile(1))),
	}, nil
}

// resting measures what it costs to have the agent there. The period spans what
// the agent does by itself, each half minute and each minute.
func (u *unitBench) resting(ctx context.Context, s *service) ([]row, error) {
	if err := pause(ctx, 3*time.Second); err != nil {
		return nil, err
	}
	before, err := cpu(s.pid())
	if err != nil {
		return nil, err
	}
	period := time.Duration(u.rounds(75, 10)) * time.Second
	if err := pause(ctx, period); err != nil {
		return nil, err
	}
	after, err := cpu(s.pid())
	if err != nil {
		return nil, err
	}
	rss, err := resident(s.pid())
	if err != nil {
		return nil, err
	}
	most, err := peak(s.pid())
	return []row{
		below("idle with 1000 units that run: memory", megabytes(rss), 60, " MB", fmt.Sprintf("at most until then: %s MB", number(megabytes(most)))),
		below("the same: processor, of one core over "+span(period), 100*(after-before).Seconds()/period.Seconds(), 0.5, " %", ""),
	}, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
