package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// measureServices measures service instances on real devices, beside a client
// that sends the same requests and does nothing else.
func measureServices(ctx context.Context, r *rig) (rows []row, err error) {
	rows, err = netconfOnly(ctx, r)
	if err != nil {
		return rows, err
	}
	l, err := r.newLab(ctx, groupSizes[len(groupSizes)-1])
	if err != nil {
		return rows, err
	}
	defer l.close()
	more, err := l.connecting(ctx)
	if rows = append(rows, more...); err != nil {
		return rows, err
	}
	n, _, err := l.agent(ctx)
	if err != nil {
		return rows, err
	}
	defer func() { err = errors.Join(err, n.stop()) }()
	for _, part := range []func(context.Context) ([]row, error){n.held, n.plainChanges, n.confirmedChanges, n.largeChanges, n.manyInstances} {
		more, err := part(ctx)
		if rows = append(rows, more...); err != nil {
			return rows, n.explain(err)
		}
	}
	return rows, nil
}

// connecting measures from the start of an agent that knows no device until it
// has a session with each, and has read their models.
func (l *lab) connecting(ctx context.Context) ([]row, error) {
	ours := func(ctx context.Context) (time.Duration, error) {
		n, took, err := l.agent(ctx)
		if err != nil {
			return 0, err
		}
		return took, n.stop()
	}
	floor := func(ctx context.Context) (time.Duration, error) {
		l.bare.close()
		return stopwatch(l.bare.connect)(ctx)
	}
	s, err := interleave(ctx, l.rounds(5, 1), ours, floor)
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("start of the process → sessions with %d devices, their models known", len(l.mine()))
	return []row{absolute(what, s[0].median(), 2500*time.Millisecond, "bare, login, hello and get-config", s[1].median())}, nil
}

// held is what the sessions cost when nothing happens.
func (n *network) held(ctx context.Context) ([]row, error) {
	select {
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	rss, err := resident(n.pid())
	if err != nil {
		return nil, err
	}
	most, err := peak(n.pid())
	return []row{below(fmt.Sprintf("memory with %d sessions", len(n.mine())), megabytes(rss), 60, " MB",
		fmt.Sprintf("at most until then: %s MB", number(megabytes(most))))}, err
}

func (n *network) plainChanges(ctx context.Context) ([]row, error) {
	if err := n.reconnect(false); err != nil {
		return nil, err
	}
	return n.smallChanges(ctx, "a plain commit", 2)
}

func (n *network) confirmedChanges(ctx context.Context) ([]row, error) {
	if err := n.reconnect(true); err != nil {
		return nil, err
	}
	return n.smallChanges(ctx, "confirmed commit, read back, confirm", 3)
}

// reconnect has all devices used in another way.
func (n *network) reconnect(confirmed bool) error {
	if err := errors.Join(n.inventory(confirmed), n.commitOnly("the way to commit")); err != nil {
		return err
	}
	_, err := n.connected()
	return err
}

// smallChanges has an instance of one user come to some devices, and go.
func (n *network) smallChanges(ctx context.Context, how string, goal float64) (rows []row, err error) {
	for _, size := range groupSizes {
		var all, seen samples
		ours := func(ctx context.Context) (time.Duration, error) {
			name := n.name("small")
			if err := n.instance(name, size, accounts("small", 1, 0)); err != nil {
				return 0, err
			}
			c, err := n.commit(ctx, name)
			if err != nil {
				return 0, err
			}
			all, seen = append(all, c.all), append(seen, c.seen)
			n.withdraw(name)
			_, err = n.commit(ctx, name)
			return c.made, err
		}
		floor := func(ctx context.Context) (time.Duration, error) { return n.bareAdd(ctx, size, 1, false) }
		s, err := interleave(ctx, n.rounds(15, 3), ours, floor)
		if err != nil {
			return rows, err
		}
		rows = append(rows, ratio(fmt.Sprintf("instance of 1 user to %s, %s", devices(size), how), s[0],
			"bare lock, get, edit, commit, unlock", s[1], goal), row{
			What: "the same: branch moved → a client of /events knows", Got: span(all.median()),
			Beside: "of it until the agent knows the commit: " + span(seen.median()), Open: true,
		})
	}
	return rows, nil
}

// bareAdd times the creation of users by the bare client, and removes them.
func (n *network) bareAdd(ctx context.Context, size, users int, confirmed bool) (time.Duration, error) {
	list := accounts("small", users, 0)
	took, err := stopwatch(func(ctx context.Context) error {
		return n.bare.change(ctx, size, filterOf(list...), editOf(list), confirmed)
	})(ctx)
	if err != nil {
		return 0, err
	}
	return took, n.bare.change(ctx, size, filterOf(list...), goneOf(list), false)
}

func devices(n int) string {
	if n == 1 {
		return "1 device"
	}
	return fmt.Sprintf("%d devices", n)
}

// absolute is a row about a time that may be at most goal, beside what the
// devices alone take.
func absolute(what string, got, goal time.Duration, peer string, floor time.Duration) row {
	beside := fmt.Sprintf("%s: %s; ratio %.2f", peer, span(floor), float64(got)/float64(floor))
	if floor > goal {
		beside += "; the devices alone take longer than the goal"
	}
	return within(what, got, goal, beside)
}
