package main

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/abide-agent/abide/internal/api"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sse"
)

// served shows the agent to the API.
type served struct{ *parts }

var _ api.Agent = served{}

func (s served) Trigger(ctx context.Context, r api.TriggerRequest) (runner.Run, error) {
	return s.pipelines.Trigger(ctx, r.Body, r.Name, r.By)
}

func (s served) Runs(ctx context.Context, q api.RunQuery) ([]runner.Run, string, error) {
	return s.pipelines.Runs(ctx, q.After, q.Limit, q.Pipeline, q.State)
}

func (s served) Run(ctx context.Context, id string) (runner.Run, error) {
	return s.pipelines.Run(ctx, id)
}

// Logs reads a run's events from the log. A run that has ended is read to what
// exists now; one that is followed, until its last event.
func (s served) Logs(ctx context.Context, q api.LogQuery) iter.Seq2[api.LogLine, error] {
	return func(yield func(api.LogLine, error) bool) {
		r := s.log.Read(q.After, sse.Filter{Run: q.Run})
		defer r.Close()
		run, err := s.pipelines.Run(ctx, q.Run)
		if err != nil {
			yield(api.LogLine{}, err)
			return
		}
		if !q.Follow || run.State.Final() {
			r.Finish()
		}
		for {
			frames, err := r.Next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(api.LogLine{}, err)
				return
			}
			for _, f := range frames {
				if !yield(api.LogLine{ID: f.ID, Job: f.Job, Output: f.Output(), Data: f.Data()}, nil) || q.Follow && sse.TerminalRun(f.Type) {
					return
				}
			}
		}
	}
}

func (s served) Cancel(ctx context.Context, id, by string) error {
	return s.pipelines.Cancel(ctx, id, by)
}

func (s served) Sources(ctx context.Context) ([]reconcile.SourceStatus, error) {
	return s.agent.Sources(ctx)
}

func (s served) Plan(ctx context.Context) (reconcile.Plan, error) { return s.agent.Plan(ctx) }

func (s served) Resources(ctx context.Context, q api.ResourceQuery) ([]reconcile.ResourceStatus, error) {
	all, err := s.agent.Resources(ctx)
	if err != nil {
		return nil, err
	}
	kept := all[:0]
	for _, r := range all {
		if match(q.Kind, r.Kind) && match(q.Source, r.Source) && match(q.State, r.State) && match(q.Name, r.Name) {
			kept = append(kept, r)
		}
	}
	return kept, nil
}

func match(want, have string) bool { return want == "" || want == have }

func (s served) Retry(ctx context.Context, name, by string) error {
	return s.agent.Retry(ctx, name, by)
}

func (s served) Suspend(ctx context.Context, source, reason, by string) error {
	return s.agent.Suspend(ctx, source, reason, by)
}

func (s served) Resume(ctx context.Context, source, by string) error {
	return s.agent.Resume(ctx, source, by)
}

func (s served) Rollback(ctx context.Context, source, rev, reason, by string) (string, error) {
	return s.agent.Rollback(ctx, source, rev, reason, by)
}

func (s served) PlanAt(ctx context.Context, source, rev string) (reconcile.Plan, error) {
	return s.agent.PlanAt(ctx, source, rev)
}

func (s served) Compare(ctx context.Context, source, from, to string) (reconcile.Comparison, error) {
	return s.agent.Compare(ctx, source, from, to)
}

func (s served) Health(context.Context) reconcile.Health {
	h := s.pipelines.Count()
	h.Started, h.Reasons, h.Status = s.agent.Started(), s.agent.Degraded(), "healthy"
	if err := s.log.Err(); err != nil {
		h.Reasons = append(h.Reasons, "event log: "+err.Error())
	}
	if len(h.Reasons) > 0 {
		h.Status = "degraded"
	}
	return h
}
