package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/sse"
)

// bareRequests is what the floor sends for the figures about large instances.
const bareRequests = "the bare requests"

// largeChanges has instances of many users come, change by one user, and go.
func (n *network) largeChanges(ctx context.Context) (rows []row, err error) {
	one, err := n.large(ctx, 1, 1000, n.rounds(3, 1), n.rounds(9, 3))
	if err != nil {
		return rows, err
	}
	ten, err := n.large(ctx, 10, 1000, n.rounds(2, 1), n.rounds(5, 2))
	if err != nil {
		return rows, err
	}
	rows = []row{
		one.row("1000 users on 1 device: create", one.create, one.bareCreate, one.sureCreate, 400*time.Millisecond),
		one.row("1000 users on 1 device: change one", one.one, one.bareOne, one.sureOne, 30*time.Millisecond),
		ten.row("1000 users on 10 devices: create", ten.create, ten.bareCreate, ten.sureCreate, 3*time.Second),
		ten.row("1000 users on 10 devices: change one", ten.one, ten.bareOne, ten.sureOne, 150*time.Millisecond),
	}
	few, err := n.large(ctx, 1, 250, 1, n.rounds(9, 3))
	if err != nil {
		return rows, err
	}
	many, err := n.large(ctx, 1, 4000, 1, n.rounds(3, 1))
	if err != nil {
		return rows, err
	}
	return append(rows, growth("change one of 250 → one of 4000 users on 1 device", few, many)...), nil
}

// largeFigures are those of one size: the agent's, the bare requests', and the
// bare ones with a confirmed commit, which the agent sends too.
type largeFigures struct {
	create, bareCreate, sureCreate samples
	one, bareOne, sureOne          samples
	own                            samples // the agent's processor time for one
}

func (largeFigures) row(what string, ours, bare, sure samples, goal time.Duration) row {
	r := absolute(what, ours.median(), goal, bareRequests, bare.median())
	r.Beside += fmt.Sprintf("; with confirmed commit and read-back: %s, ratio %.2f", span(sure.median()), float64(ours.median())/float64(sure.median()))
	return r
}

// growth is how much longer the same change takes in a larger instance. What the
// devices grow by is shown beside it, and what of it is the agent's.
func growth(what string, few, many largeFigures) []row {
	of := func(a, b samples) float64 { return float64(b.median()) / float64(a.median()) }
	arrow := func(a, b samples) string { return span(a.median()) + " → " + span(b.median()) }
	all := below(what, of(few.one, many.one), 1.5, " ×", fmt.Sprintf("%s with confirmed commit and read-back: %s, %.3g ×",
		bareRequests, arrow(few.sureOne, many.sureOne), of(few.sureOne, many.sureOne)))
	all.Got = arrow(few.one, many.one)
	own := below("the same: the agent's own processor time", of(few.own, many.own), 1.5, " ×", "")
	own.Got = arrow(few.own, many.own)
	return []row{all, own}
}

// large has an instance come and go a number of times, with changes in between.
func (n *network) large(ctx context.Context, size, users, rounds, changes int) (f largeFigures, err error) {
	name := n.name("large")
	for range rounds {
		variant := 0
		list := accounts("large", users, variant)
		if err := n.instance(name, size, list); err != nil {
			return f, err
		}
		c, err := n.commit(ctx, name)
		if err != nil {
			return f, err
		}
		f.create = append(f.create, c.made)
		// The floor: first with a plain commit, then again with a confirmed one,
		// which stays for the changes.
		for _, confirmed := range []bool{false, true} {
			took, err := stopwatch(func(ctx context.Context) error {
				return n.bare.change(ctx, size, filterOf(), editOf(list), confirmed)
			})(ctx)
			if err != nil {
				return f, err
			}
			if confirmed {
				f.sureCreate = append(f.sureCreate, took)
				continue
			}
			f.bareCreate = append(f.bareCreate, took)
			if err := n.bare.change(ctx, size, filterOf(), goneOf(list), false); err != nil {
				return f, err
			}
		}
		ours := func(ctx context.Context) (time.Duration, error) {
			variant++
			if err := n.instance(name, size, accounts("large", users, variant)); err != nil {
				return 0, err
			}
			before, err := cpuTime(n.pid())
			if err != nil {
				return 0, err
			}
			c, err := n.commit(ctx, name)
			if err != nil {
				return 0, err
			}
			after, err := cpuTime(n.pid())
			f.own = append(f.own, after-before)
			return c.made, err
		}
		floor := func(confirmed bool) timed {
			return stopwatch(func(ctx context.Context) error {
				variant++
				one := accounts("large", users, variant)[users/2]
				return n.bare.change(ctx, size, filterOf(one), keyOf(one), confirmed)
			})
		}
		s, err := interleave(ctx, changes, ours, floor(false), floor(true))
		if err != nil {
			return f, err
		}
		f.one, f.bareOne, f.sureOne = append(f.one, s[0]...), append(f.bareOne, s[1]...), append(f.sureOne, s[2]...)
		n.withdraw(name)
		if _, err := n.commit(ctx, name); err != nil {
			return f, err
		}
		if err := n.bare.change(ctx, size, filterOf(), goneOf(list), false); err != nil {
			return f, err
		}
	}
	return f, nil
}

// manyInstances has very many instances that are all where they are wanted, and
// measures looks that find nothing to do.
func (n *network) manyInstances(ctx context.Context) ([]row, error) {
	const many = 1000
	var names []string
	for i := range many {
		name := fmt.Sprintf("of%04d", i)
		if err := n.instance(name, 10, accounts(name, 1, 0)); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	c, err := n.commit(ctx, names...)
	if err != nil {
		return nil, err
	}
	asked := func(ctx context.Context) (time.Duration, error) {
		var plan reconcile.Plan
		began := time.Now()
		err := n.get(ctx, "/v1/plan", &plan)
		took := time.Since(began)
		if err == nil && len(plan.Changes) < many {
			err = fmt.Errorf("the plan is about %d resources only", len(plan.Changes))
		}
		for _, c := range plan.Changes {
			if c.Pending() {
				err = errors.Join(err, fmt.Errorf("%s %s is not where it is wanted: %s", c.Kind, c.Name, c.Reason))
			}
		}
		return took, err
	}
	if err := until(ctx, 100*time.Millisecond, func() (bool, error) { _, err := asked(ctx); return err == nil, nil }); err != nil {
		return nil, err
	}
	committed := func(ctx context.Context) (time.Duration, error) {
		if err := n.repo.put("README", n.name("nothing")); err != nil {
			return 0, err
		}
		if err := pause(ctx, restTime); err != nil {
			return 0, err
		}
		moved, err := n.repo.commit("nothing")
		if err != nil {
			return 0, err
		}
		_, err = n.events.await(func(e sse.Event) bool { return e.Type == sse.TypeSourceUpdated })
		return time.Since(moved), err
	}
	t, err := interleave(ctx, n.rounds(15, 5), asked, committed)
	if err != nil {
		return nil, err
	}
	return []row{
		within("reconcile of 1000 instances that are where they are wanted, GET /v1/plan", t[0].median(), 100*time.Millisecond, "slowest: "+span(t[0].quantile(1))),
		within("the same by a commit that changes no instance → source_updated", t[1].median(), 100*time.Millisecond, "slowest: "+span(t[1].quantile(1))),
		{What: "the first of these: 1000 instances of 1 user come to 10 devices in one commit", Got: span(c.made), Open: true},
	}, nil
}
