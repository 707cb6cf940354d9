package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/abide-agent/abide/internal/api"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sse"
)

// ask gives what a command prints, without showing it.
func (s *show) ask(ctx context.Context, into any, args ...string) error {
	out, err := s.command(ctx, args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() == 1 && len(out) == 0) {
		return fmt.Errorf("abide %s: %w", args[0], err)
	}
	return json.Unmarshal(out, into)
}

// until asks again and again, until done says so or ctx ends.
func (s *show) until(ctx context.Context, what string, done func() (bool, error)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
}

// runs gives the agent's runs of a commit.
func (s *show) runs(ctx context.Context, revision string) (of []runner.Run, err error) {
	var page api.Runs
	if err := s.ask(ctx, &page, "runs", "--json"); err != nil {
		return nil, err
	}
	for _, r := range page.Runs {
		if r.Revision == revision {
			of = append(of, r)
		}
	}
	return of, nil
}

// settled waits until the first commit's two runs have ended.
func (s *show) settled(ctx context.Context, revision string) error {
	return s.until(ctx, "the first runs have ended", func() (bool, error) {
		runs, err := s.runs(ctx, revision)
		ended := len(runs) == 2
		for _, r := range runs {
			if r.State.Final() && r.State != runner.Succeeded {
				return false, fmt.Errorf("the run %s of %s is %s: %s", r.ID, r.Pipeline, r.State, r.Reason)
			}
			ended = ended && r.State.Final()
		}
		return ended, err
	})
}

// planned waits until the agent has seen a commit.
func (s *show) planned(ctx context.Context, revision string) error {
	return s.until(ctx, "the agent has seen the commit", func() (bool, error) {
		var p reconcile.Plan
		err := s.ask(ctx, &p, "plan", "--json")
		return len(p.Sources) > 0 && p.Sources[0].Revision == revision, err
	})
}

// runOf waits for the run that a commit causes.
func (s *show) runOf(ctx context.Context, revision string) (id string, err error) {
	err = s.until(ctx, "the change runs", func() (bool, error) {
		runs, err := s.runs(ctx, revision)
		if len(runs) > 0 {
			id = runs[0].ID
		}
		return id != "", err
	})
	return id, err
}

// lastEvent gives the id of the newest event, which is that of the hold.
func (s *show) lastEvent(ctx context.Context) (id string, err error) {
	err = s.read(ctx, []string{"events", "--json", "--since", "0"}, func(line string) (bool, error) {
		var e struct {
			ID   json.Number `json:"id"`
			Type string      `json:"type"`
		}
		err := json.Unmarshal([]byte(line), &e)
		id = e.ID.String()
		return e.Type == sse.TypeHold, err
	})
	return id, err
}

// steps are the events that a reader follows a run by, without what it prints.
var steps = []string{
	sse.TypeSourceUpdated, sse.TypeHold, sse.TypePipelineStart, sse.TypeJobContainerStart, sse.TypeJobCompleted,
	sse.TypeJobFailed, sse.TypeJobSkipped, sse.TypePipelineComplete, sse.TypePipelineError,
}

// events shows what happened after an event, up to the end of the run.
func (s *show) events(ctx context.Context, since string) error {
	args := []string{"events", "--since", since, "--types", strings.Join(steps, ",")}
	fmt.Fprintln(s.out, "$ abide "+strings.Join(args, " "))
	return s.read(ctx, args, func(line string) (bool, error) {
		fmt.Fprintln(s.out, line)
		return strings.Contains(line, sse.TypePipelineComplete) || strings.Contains(line, sse.TypePipelineError), nil
	})
}

// read gives each line that a command prints, until enough of them were seen.
func (s *show) read(ctx context.Context, args []string, enough func(line string) (bool, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := s.command(ctx, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		done, err := enough(lines.Text())
		if done || err != nil {
			cancel()
			_ = cmd.Wait() // it was killed: there is nothing more to learn from it
			return err
		}
	}
	return errors.Join(fmt.Errorf("abide %s ended too early", args[0]), cmd.Wait())
}
