package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sse"
)

// Recover goes on with what an earlier life of the agent left: runs that were
// under way, runs that wait, runs whose end was recorded and not yet announced
// or cleaned up, and containers that belong to no run any more. It claims the
// lanes at once, so that the loop does not start the same work beside it, and
// does the rest as part of the agent's work. Call it once, before Run or Once.
func (k *Pipelines) Recover() {
	runs := k.active
	k.active = nil
	free := make([]func(), len(runs))
	for i, run := range runs {
		free[i] = func() {}
		if run.Digest != "" && !run.State.Final() {
			free[i] = k.agent.Claim(PipelineKind, run.Pipeline, run.ID)
		}
		if run.State.Final() && run.Digest != "" {
			_ = k.book.commit(context.Background(), k.final(&run)...)
		}
	}
	if !k.agent.Go(func(ctx context.Context) { k.recover(ctx, runs, free) }) {
		for _, f := range free {
			f()
		}
	}
}

func (k *Pipelines) recover(ctx context.Context, runs []runner.Run, free []func()) {
	hosts := hostsOf(runs) // now: from when they go on, the runs are not ours to read
	left, ok := k.leftovers(ctx, hosts, len(runs) > 0)
	if !ok {
		for _, f := range free {
			f()
		}
		return
	}
	for i := range runs {
		mine := left[runs[i].ID]
		delete(left, runs[i].ID)
		if !k.agent.Go(func(ctx context.Context) {
			defer free[i]()
			k.resume(ctx, &runs[i], mine)
		}) {
			free[i]()
		}
	}
	for run, list := range left {
		// A run that began in this life while the engine was asked is no
		// orphan: it was taken into the book before its container was made.
		if !k.book.isLive(run) {
			k.reap(list)
		}
	}
	if len(runs) > 0 {
		k.reapStranded(hosts)
	}
}

// leftovers lists this agent's containers by run, on its own engine and on
// the others of hosts. An engine that is down is waited for: its
// containers are still there when it comes back. That is nobody's trouble where
// neither a run nor a pipeline asks for it.
func (k *Pipelines) leftovers(ctx context.Context, hosts map[string]bool, runs bool) (map[string][]runner.Workload, bool) {
	out := map[string][]runner.Workload{}
	for host := range hosts {
		for wait := time.Second; ; wait = min(2*wait, time.Minute) {
			list, err := k.list(ctx, host, runs || len(k.agent.wanted(PipelineKind)) > 0)
			if err == nil {
				for _, w := range list {
					out[w.Labels.Run] = append(out[w.Labels.Run], w)
				}
				break
			}
			if !errors.Is(err, runner.ErrUnavailable) {
				break // an engine that can't even be named holds nothing of ours
			}
			select {
			case <-ctx.Done():
				return nil, false
			case <-k.agent.halted.Done():
				return nil, false
			case <-time.After(wait):
			}
		}
	}
	return out, true
}

// hostsOf gives the agent's own engine and those that runs used.
func hostsOf(runs []runner.Run) map[string]bool {
	hosts := map[string]bool{"": true}
	for _, r := range runs {
		hosts[r.DockerHost] = true
	}
	return hosts
}

func (k *Pipelines) list(ctx context.Context, host string, needed bool) ([]runner.Workload, error) {
	exec, err := k.Executor(host)
	if err != nil {
		return nil, err
	}
	list, err := exec.List(ctx, k.AgentID)
	if err == nil || needed {
		k.agent.degrade(part(exec, host), err)
	} else if !k.engineMissed.Swap(true) { // only units or devices may be wanted: no fault, but worth a word
		k.Publish(sse.Event{Type: sse.TypeLog, Level: sse.Warning, Message: "No pipeline can run for now: " + err.Error()})
	}
	return list, err
}

func (k *Pipelines) reap(list []runner.Workload) {
	exec, err := k.Executor("")
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, w := range list {
		k.reapOne(ctx, exec, w)
	}
}

func (k *Pipelines) reapOne(ctx context.Context, exec runner.Executor, w runner.Workload) {
	level, message := sse.Info, fmt.Sprintf("Removed container %.12s, which an earlier life of the agent left", w.ID)
	if err := exec.Remove(ctx, w.ID); err != nil {
		level, message = sse.Warning, fmt.Sprintf("container %.12s of an earlier life of the agent can't be removed: %v", w.ID, err)
	}
	k.Publish(sse.Event{Type: sse.TypeLog, Level: level, Message: message, Run: w.Labels.Run, Job: w.Labels.Job})
}

// resume goes on with one run where its record stands.
func (k *Pipelines) resume(ctx context.Context, run *runner.Run, left []runner.Workload) {
	p := &runner.Pipeline{Name: run.Pipeline, DockerHost: run.DockerHost}
	if !run.State.Final() {
		parsed, problems := runner.Parse(run.Pipeline, run.File, run.Text)
		if err := problems.Err(); err != nil || len(parsed.Jobs) != len(run.Jobs) {
			k.abandon(run, "its pipeline can't be read any more")
		} else {
			p = parsed
		}
	}
	if run.State == runner.Pending && run.Digest == "" {
		k.triggered(ctx, run, p, func() {})
		return
	}
	k.execute(ctx, run, p, k.treeOf(run), left, k.announced(ctx, run.ID))
}

// abandon ends a run that can't be gone on with.
func (k *Pipelines) abandon(run *runner.Run, why string) {
	run.State, run.Reason, run.Ended, run.ExitCode = runner.Interrupted, why, k.Now(), runner.CodeCancelled
	for i := range run.Jobs {
		if !run.Jobs[i].State.Final() {
			run.Jobs[i].State, run.Jobs[i].Reason = runner.Interrupted, why
		}
	}
	_ = k.book.Save(context.Background(), run)
}

// treeOf gives the files that a run's remaining jobs copy: those of its own
// revision, not of the newest one.
func (k *Pipelines) treeOf(run *runner.Run) runner.Tree {
	if run.Source == TriggerSource {
		return k.triggerTree()
	}
	return func(ctx context.Context) (fs.FS, error) {
		return k.agent.treeAt(ctx, run.Source, run.Revision)
	}
}

// announced collects which of a run's events the log holds.
func (k *Pipelines) announced(ctx context.Context, run string) runner.Announced {
	said := runner.Announced{}
	for ev, err := range k.History(ctx, run) {
		if err != nil {
			break
		}
		if ev.Stream == "" && ev.Type != sse.TypeLog && ev.Type != sse.TypeJobContainerStart {
			said[runner.Key(ev.Type, ev.Job)] = true
		}
	}
	return said
}

// printed counts the lines that the log holds of one attempt.
func (k *Pipelines) printed(run, job string, attempt int) map[runner.Stream]int {
	out := map[runner.Stream]int{}
	for ev, err := range k.History(context.Background(), run) {
		if err != nil {
			break
		}
		if ev.Stream == "" || ev.Job != job || ev.Fields["more"] == true || attemptOf(ev) != attempt {
			continue
		}
		out[runner.Stream(ev.Stream)]++
	}
	return out
}

// attemptOf reads the attempt that printed a line; the first one does not say.
func attemptOf(ev sse.Event) int {
	switch n := ev.Fields["attempt"].(type) {
	case float64:
		return int(n)
	case int:
		return n
	}
	return 1
}

// treeAt gives the files of a source at a revision.
func (a *Agent) treeAt(ctx context.Context, source, revision string) (fs.FS, error) {
	a.mu.Lock()
	s := a.sources[source]
	a.mu.Unlock()
	if s == nil {
		return nil, fmt.Errorf("the source %s is no longer configured, so the files of revision %s can't be had", source, short(revision))
	}
	snap, err := s.config.Source.At(ctx, revision)
	if err != nil {
		return nil, fmt.Errorf("the files of %s at %s can't be had: %w", source, short(revision), err)
	}
	return snap.Tree, nil
}

// inForce gives the runs that the resources' records rest on.
func (a *Agent) inForce() map[string]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make(map[string]bool, len(a.records))
	for _, rec := range a.records {
		if rec.Last != nil {
			out[rec.Last.Run] = true
		}
	}
	return out
}
