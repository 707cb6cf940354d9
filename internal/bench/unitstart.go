package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// measureUnits measures what becomes of units: those that are created over the
// fleet API, and those that a repository declares.
func measureUnits(ctx context.Context, m *machine) (rows []row, err error) {
	repo, err := m.repository()
	if err != nil {
		return nil, err
	}
	if err := repo.put("README", "units are measured here"); err != nil {
		return nil, err
	}
	if _, err := repo.commit("begin"); err != nil {
		return nil, err
	}
	u := &unitBench{machine: m, repo: repo, state: m.dir + "/state"}
	for _, part := range []func(context.Context) ([]row, error){u.single, u.changed, u.killed, u.batches, u.standing} {
		more, err := part(ctx)
		if rows = append(rows, more...); err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// unitBench is one agent's life: its repository, and the state that it keeps
// when it is stopped.
type unitBench struct {
	*machine
	repo  *repository
	state string
}

// start starts the agent, which may lose any number of units at once. It is
// ready when it has done something.
func (u *unitBench) start(ctx context.Context) (*service, error) {
	s, err := u.agent(ctx, u.state, "--git", u.repo.dir, "--max-prune", "100000")
	if err != nil {
		return nil, err
	}
	names := u.unitNames(1)
	err = errors.Join(u.create(ctx, s, names...), u.destroy(ctx, s, names...))
	if err != nil {
		return nil, errors.Join(s.explain(err), s.stop(ctx))
	}
	return s, nil
}

// create creates units over the API and waits until they run.
func (u *unitBench) create(ctx context.Context, s *service, names ...string) error {
	running := u.bus.expect(names...)
	if err := s.putAll(ctx, "launched", 1, names...); err != nil {
		return err
	}
	_, err := running.end(ctx)
	return err
}

func (u *unitBench) destroy(ctx context.Context, s *service, names ...string) error {
	stopped := u.bus.expect(names...)
	if err := s.deleteAll(ctx, names...); err != nil {
		return err
	}
	return u.gone(ctx, stopped, names)
}

// declare puts units into the repository, or takes them away.
func (u *unitBench) declare(names ...string) error {
	for _, name := range names {
		if err := u.repo.put("units/"+name, unitText(1)); err != nil {
			return err
		}
	}
	return nil
}

func (u *unitBench) withdraw(ctx context.Context, names ...string) error {
	for _, name := range names {
		u.repo.remove("units/" + name)
	}
	stopped := u.bus.expect(names...)
	if _, err := u.repo.commit("no units"); err != nil {
		return err
	}
	return u.gone(ctx, stopped, names)
}

// single measures one unit at a time on a machine that has few.
func (u *unitBench) single(ctx context.Context) (rows []row, err error) {
	s, err := u.start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop(ctx)) }()
	ours := func(ctx context.Context) (time.Duration, error) {
		names := u.unitNames(1)
		took, err := stopwatch(func(ctx context.Context) error { return u.create(ctx, s, names...) })(ctx)
		return took, errors.Join(err, u.destroy(ctx, s, names...))
	}
	floor := func(ctx context.Context) (time.Duration, error) {
		names := u.unitNames(1)
		took, err := stopwatch(func(ctx context.Context) error { return u.bus.begin(ctx, names...) })(ctx)
		return took, errors.Join(err, u.bus.remove(ctx, names...))
	}
	t, err := interleave(ctx, u.rounds(200, 20), ours, floor)
	if err != nil {
		return nil, s.explain(err)
	}
	const bare = "bare D-Bus: "
	return []row{
		within(fmt.Sprintf("PUT of a unit → it runs, p50 of %d", len(t[0])), t[0].median(), 100*time.Millisecond, bare+span(t[1].median())),
		within("the same, p99", t[0].quantile(.99), 250*time.Millisecond, bare+span(t[1].quantile(.99))),
	}, nil
}

// batches measures many units at once.
func (u *unitBench) batches(ctx context.Context) ([]row, error) {
	rows, err := u.many(ctx, 300, u.rounds(5, 1))
	if err != nil {
		return rows, err
	}
	more, err := u.many(ctx, 1000, u.rounds(3, 1))
	if err != nil {
		return rows, err
	}
	gone := &more[len(more)-1]
	gone.Figure, gone.Goal, gone.Open = "", "", true // the goal is about 300
	return append(rows, more...), nil
}

// many measures n units that come and go together. The agent is away while the
// floor is measured, which else would have to tell it of every unit.
func (u *unitBench) many(ctx context.Context, n, rounds int) ([]row, error) {
	var gone, goneBare, putUsed, commitUsed samples
	put := u.batch(n, func(ctx context.Context, s *service, names []string) (time.Duration, error) {
		used := s.used(&putUsed)
		took, err := stopwatch(func(ctx context.Context) error { return u.create(ctx, s, names...) })(ctx)
		if err = errors.Join(err, used()); err != nil {
			return 0, err
		}
		away, err := stopwatch(func(ctx context.Context) error { return u.destroy(ctx, s, names...) })(ctx)
		gone = append(gone, away)
		return took, err
	})
	commit := u.batch(n, func(ctx context.Context, s *service, names []string) (time.Duration, error) {
		if err := u.declare(names...); err != nil {
			return 0, err
		}
		used := s.used(&commitUsed)
		running := u.bus.expect(names...)
		moved, err := u.repo.commit("units")
		if err != nil {
			return 0, err
		}
		last, err := running.end(ctx)
		if err = errors.Join(err, used()); err != nil {
			return 0, err
		}
		return last.Sub(moved), u.withdraw(ctx, names...)
	})
	floor := func(ctx context.Context) (time.Duration, error) {
		names := u.unitNames(n)
		took, err := stopwatch(func(ctx context.Context) error { return u.bus.begin(ctx, names...) })(ctx)
		if err != nil {
			return 0, err
		}
		away, err := stopwatch(func(ctx context.Context) error { return u.bus.remove(ctx, names...) })(ctx)
		goneBare = append(goneBare, away)
		return took, err
	}
	t, err := interleave(ctx, rounds, put, floor, commit)
	if err != nil {
		return nil, err
	}
	const bare, processor = "bare D-Bus", "; processor time of the agent: "
	byPut := ratio(fmt.Sprintf("%d units by %d PUTs of %d callers → all run", n, n, callers), t[0], bare, t[1], 1.3)
	byPut.Beside += processor + span(putUsed.median())
	byCommit := ratio(fmt.Sprintf("%d units by one commit → all run", n), t[2], bare, t[1], 1.3)
	byCommit.Beside += processor + span(commitUsed.median())
	return []row{byPut, byCommit, within(fmt.Sprintf("%d units destroyed by %d DELETEs → stopped, and no file left", n, n),
		gone.median(), 3*time.Second, bare+": "+span(goneBare.median()))}, nil
}

// used begins to count the processor time of an agent; what it gives ends that.
func (s *service) used(to *samples) (end func() error) {
	before, failed := cpu(s.pid())
	return func() error {
		after, err := cpu(s.pid())
		*to = append(*to, after-before)
		return errors.Join(failed, err)
	}
}

// batch starts an agent for one measurement of n units.
func (u *unitBench) batch(n int, measure func(context.Context, *service, []string) (time.Duration, error)) timed {
	return func(ctx context.Context) (took time.Duration, err error) {
		s, err := u.start(ctx)
		if err != nil {
			return 0, err
		}
		if took, err = measure(ctx, s, u.unitNames(n)); err != nil {
			err = s.explain(err)
		}
		return took, errors.Join(err, s.stop(ctx))
	}
}
