package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sse"
)

// measureTriggers sends many distinct pipelines at once and sees that each run
// is the one that was sent: first without containers, so that there can be
// many, then with, to see how many the agent runs at a time.
func measureTriggers(ctx context.Context, r *rig) (rows []row, err error) {
	d, err := r.start(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	n := r.rounds(1500, 300)
	wrong, took, err := r.distinct(ctx, d, n, 48, true)
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%d distinct pipelines sent by 48 callers: wrong, lost or doubled", n)
	result := none(what, wrong, n, "runs")
	result.Beside = span(took) + " in all"
	rows = append(rows, result)

	n = r.rounds(60, 20)
	stop, err := r.countParallel(ctx)
	if err != nil {
		return rows, err
	}
	wrong, took, err = r.distinct(ctx, d, n, 48, false)
	most, stopErr := stop()
	if err = errors.Join(err, stopErr); err != nil {
		return rows, err
	}
	result = none(fmt.Sprintf("%d of the same that run a container: wrong, lost or doubled", n), wrong, n, "runs")
	result.Beside = span(took) + " in all"
	limit := max(10, 2*runtime.NumCPU())
	left, err := r.containers(ctx)
	return append(rows, result,
		below("the same: containers at one time", float64(most), float64(limit), "", "`max_jobs` as it is by default"),
		none("the same: containers left behind", left, n, "containers")), err
}

// distinct triggers n pipelines that differ in name, job and output, and counts
// the runs that are not what was sent.
func (r *rig) distinct(ctx context.Context, d *daemon, n, callers int, skipped bool) (wrong int, took time.Duration, err error) {
	more := ""
	want := runner.Succeeded
	if skipped {
		more, want = never, runner.Skipped
	}
	ids, jobs := make([]string, n), make([]string, n)
	for i := range jobs {
		jobs[i] = r.name("j")
	}
	began := time.Now()
	err = side(callers, n, func(i int) (err error) {
		text := pipeline(job{jobs[i], r.images.Cmd, []string{"echo says " + jobs[i]}, more})
		ids[i], err = d.trigger(ctx, text)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	seen := map[string]bool{}
	for i, id := range ids {
		run, err := d.wait(ctx, id, want)
		if err != nil {
			return 0, 0, err
		}
		if i == n-1 {
			took = time.Since(began)
		}
		right := !seen[id] && len(run.Jobs) == 1 && run.Jobs[0].Name == jobs[i]
		seen[id] = true
		if right && !skipped {
			said, err := d.said(ctx, id)
			if err != nil {
				return 0, 0, err
			}
			right = said == "says "+jobs[i]
		}
		if !right {
			wrong++
		}
	}
	return wrong, took, nil
}

// said gives all that the jobs of a run printed.
func (d *daemon) said(ctx context.Context, run string) (string, error) {
	s, err := d.follow(ctx, "since=0&run="+run)
	if err != nil {
		return "", err
	}
	defer s.close()
	var lines []string
	_, err = s.await(func(e sse.Event) bool {
		if e.Stream != "" {
			lines = append(lines, e.Message)
		}
		return sse.TerminalRun(e.Type)
	})
	return strings.Join(lines, "\n"), err
}

// countParallel watches the engine's own events and gives the largest number of
// this run's containers that ran at one time.
func (r *rig) countParallel(ctx context.Context) (stop func() (int, error), err error) {
	ctx, cancel := context.WithCancel(ctx)
	messages, failures := r.engine.Events(ctx, events.ListOptions{Filters: filters.NewArgs(
		filters.Arg("type", "container"), filters.Arg("event", "start"), filters.Arg("event", "die"), filters.Arg("label", labelJob))})
	var wg sync.WaitGroup
	now, most := 0, 0
	var failed error
	wg.Go(func() {
		for {
			select {
			case m := <-messages:
				if !strings.HasPrefix(m.Actor.Attributes[labelJob], r.mark) {
					continue
				}
				if m.Action == events.ActionStart {
					now++
				} else {
					now--
				}
				most = max(most, now)
			case err := <-failures:
				if !errors.Is(err, context.Canceled) {
					failed = err
				}
				return
			}
		}
	})
	return func() (int, error) {
		cancel()
		wg.Wait()
		return most, failed
	}, nil
}
