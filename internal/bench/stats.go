package main

import (
	"context"
	"slices"
	"time"
)

// samples are repeated measurements of one thing.
type samples []time.Duration

// quantile gives the sample below which the share q of all lie.
func (s samples) quantile(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func (s samples) median() time.Duration { return s.quantile(0.5) }

// timed is a thing to measure: it gives its own duration, so that preparation
// does not count.
type timed func(context.Context) (time.Duration, error)

// interleave measures several things in turns, A B C, C B A, and so on: what
// disturbs the machine disturbs all of them, and none is always the first.
func interleave(ctx context.Context, rounds int, things ...timed) ([]samples, error) {
	out := make([]samples, len(things))
	order := make([]int, len(things))
	for i := range order {
		order[i] = i
	}
	for range rounds {
		for _, i := range order {
			d, err := things[i](ctx)
			if err != nil {
				return nil, err
			}
			out[i] = append(out[i], d)
		}
		slices.Reverse(order)
	}
	return out, nil
}

// stopwatch makes a timed of something that counts from its call to its return.
func stopwatch(f func(context.Context) error) timed {
	return func(ctx context.Context) (time.Duration, error) {
		began := time.Now()
		err := f(ctx)
		return time.Since(began), err
	}
}

// until asks again and again, every so often, until ok says yes or ctx ends.
func until(ctx context.Context, every time.Duration, ok func() (bool, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if done, err := ok(); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
