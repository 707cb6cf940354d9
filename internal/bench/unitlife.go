package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/abide-agent/abide/sse"
)

// changed measures for how long a unit is away when it is given new content.
func (u *unitBench) changed(ctx context.Context) (rows []row, err error) {
	s, err := u.start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop(ctx)) }()
	names := u.unitNames(2)
	mine, bare := names[0], names[1]
	if err := errors.Join(u.create(ctx, s, mine), u.bus.begin(ctx, bare)); err != nil {
		return nil, err
	}
	var down, bareDown samples
	variant := 1
	ours := func(ctx context.Context) (time.Duration, error) {
		variant++
		again := u.bus.expect(mine)
		began := time.Now()
		if err := s.putAll(ctx, "launched", variant, mine); err != nil {
			return 0, err
		}
		last, err := again.end(ctx)
		if err != nil {
			return 0, err
		}
		d, err := u.bus.downtime(ctx, mine)
		down = append(down, d)
		return last.Sub(began), err
	}
	floor := func(ctx context.Context) (time.Duration, error) {
		took, err := stopwatch(func(ctx context.Context) error { return u.bus.change(ctx, bare, unitText(variant)) })(ctx)
		if err != nil {
			return 0, err
		}
		d, err := u.bus.downtime(ctx, bare)
		bareDown = append(bareDown, d)
		return took, err
	}
	t, err := interleave(ctx, u.rounds(30, 5), ours, floor)
	if err != nil {
		return nil, s.explain(err)
	}
	if err := errors.Join(u.destroy(ctx, s, mine), u.bus.remove(ctx, bare)); err != nil {
		return nil, err
	}
	return []row{
		within("change of a unit that runs: for how long it is away", down.median(), 100*time.Millisecond,
			fmt.Sprintf("slowest of %d: %s; bare D-Bus: %s", len(down), span(down.quantile(1)), span(bareDown.median()))),
		{
			What: "the same: PUT of the change → the new process runs", Got: span(t[0].median()),
			Beside: "bare D-Bus with its daemon-reload: " + span(t[1].median()), Open: true,
		},
	}, nil
}

// killed measures until a client of /events knows of a unit that died, and
// until it runs again. Each is killed once: a second time soon after would be
// waited with, for longer and longer.
func (u *unitBench) killed(ctx context.Context) (rows []row, err error) {
	s, err := u.start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop(ctx)) }()
	names := u.unitNames(u.rounds(30, 5))
	bare := u.unitNames(len(names))
	if err := errors.Join(u.create(ctx, s, names...), u.bus.begin(ctx, bare...)); err != nil {
		return nil, err
	}
	if err := s.nothingPending(ctx); err != nil {
		return nil, err
	}
	events, err := s.follow(ctx, "types="+sse.TypeUnitDrift)
	if err != nil {
		return nil, err
	}
	defer events.close()
	var seen, bareSeen samples
	next, nextBare := 0, 0
	ours := func(ctx context.Context) (time.Duration, error) {
		name := names[next]
		next++
		again := u.bus.expect(name)
		began, err := u.kill(ctx, name)
		if err != nil {
			return 0, err
		}
		if _, err := events.await(func(e sse.Event) bool { return e.Fields["unit"] == name }); err != nil {
			return 0, err
		}
		seen = append(seen, time.Since(began))
		last, err := again.end(ctx)
		return last.Sub(began), err
	}
	floor := func(ctx context.Context) (time.Duration, error) {
		nextBare++
		return u.bareKill(ctx, bare[nextBare-1], &bareSeen)
	}
	t, err := interleave(ctx, len(names), ours, floor)
	if err != nil {
		return nil, s.explain(err)
	}
	if err := errors.Join(u.destroy(ctx, s, names...), u.bus.remove(ctx, bare...)); err != nil {
		return nil, err
	}
	beside := func(ours, bare samples) string {
		return fmt.Sprintf("slowest of %d: %s; bare D-Bus: %s", len(ours), span(ours.quantile(1)), span(bare.median()))
	}
	return []row{
		within("kill of a unit's process → a client of /events knows", seen.median(), 50*time.Millisecond, beside(seen, bareSeen)),
		within("the same → the unit runs again", t[0].median(), 200*time.Millisecond, beside(t[0], t[1])),
	}, nil
}

// kill kills a unit's process, and says when.
func (u *unitBench) kill(ctx context.Context, name string) (time.Time, error) {
	pid, err := property[uint32](ctx, u.bus, name, serviceFace, "MainPID")
	if err != nil {
		return time.Time{}, err
	}
	now := time.Now()
	return now, syscall.Kill(int(pid), syscall.SIGKILL)
}

// bareKill is the same seen, and repaired, by the bare program.
func (u *unitBench) bareKill(ctx context.Context, name string, seen *samples) (time.Duration, error) {
	var path dbus.ObjectPath
	if err := u.bus.call(ctx, managerFace+"GetUnit", name).Store(&path); err != nil {
		return 0, err
	}
	dead, stop, err := u.bus.watchDeath(ctx, path)
	if err != nil {
		return 0, err
	}
	defer stop()
	began, err := u.kill(ctx, name)
	if err != nil {
		return 0, err
	}
	select {
	case <-dead:
	case <-time.After(patience):
		return 0, errors.New("systemd does not say that a killed unit is dead")
	}
	*seen = append(*seen, time.Since(began))
	err = u.bus.all(ctx, "StartUnit", name)
	return time.Since(began), err
}

// watchDeath gives a channel that is closed when systemd says that a unit has
// failed.
func (b *systemBus) watchDeath(ctx context.Context, path dbus.ObjectPath) (dead chan struct{}, stop func(), err error) {
	match := []dbus.MatchOption{
		dbus.WithMatchSender(systemdName), dbus.WithMatchObjectPath(path), dbus.WithMatchMember("PropertiesChanged"),
	}
	dead = make(chan struct{})
	told := false
	b.mu.Lock()
	b.moved[path] = func(values map[string]dbus.Variant) {
		if state, ok := values["ActiveState"].Value().(string); ok && state == "failed" && !told {
			told = true
			close(dead)
		}
	}
	b.mu.Unlock()
	return dead, func() {
		b.mu.Lock()
		delete(b.moved, path)
		b.mu.Unlock()
		_ = b.conn.RemoveMatchSignal(match...)
	}, b.conn.AddMatchSignalContext(ctx, match...)
}
