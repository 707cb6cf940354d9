package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"iter"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aymanbagabas/go-udiff"
	"golang.org/x/sync/semaphore"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sources"
	"github.com/abide-agent/abide/sse"
)

// PipelineKind is the name of the kind.
const PipelineKind = "pipeline"

// PipelineConfig is what the kind of pipelines is made of.
type PipelineConfig struct {
	// Executor gives the executor for a docker.host, "" for the agent's own.
	Executor func(host string) (runner.Executor, error)
	OwnHost  string // what the agent's own engine is called in a docker.host
	OnHost   bool   // jobs run as plain processes of the host
	Store    store.Store
	Publish  func(sse.Event)
	// History yields the events of one run that the log holds.
	History   func(ctx context.Context, run string) iter.Seq2[sse.Event, error]
	Forget    func(run string) // removes what the log and the disk hold of a run
	Artifacts func(run *runner.Run, job string) string
	Getenv    func(string) (string, bool)
	AgentID   string // label of this agent's containers; "" when no state is kept
	MaxJobs   int    // jobs at the same time, over all runs
	MaxQueue  int    // runs that may wait
	KeepRuns  int    // runs that are kept
	Trigger   TriggerPolicy
	Host      string            // this machine's name, for `hosts:`
	Labels    map[string]string // of this agent, for `hosts:`
	Rand      func() uint64
	Now       func() time.Time
}

// Pipelines is the [Kind] of pipelines: a wish is a digest, and fulfilling it
// is a run that ended. Nothing that can drift is left behind.
type Pipelines struct {
	PipelineConfig
	agent  *Agent
	book   *Book
	engine *runner.Engine
	queue  *semaphore.Weighted // runs that were asked for and may begin
	places *semaphore.Weighted // runs that may wait for that before a request has to
	ids    idMaker
	active []runner.Run // what an earlier life left, until Recover
	// digests remembers what trees hold, so that many pipelines that copy the
	// same files cost one walk.
	digests runner.Digests

	engineMissed atomic.Bool // it was told that there is none

	mu    sync.Mutex
	alive map[string]time.Time // when an engine last answered, by docker.host
}

var _ Kind = (*Pipelines)(nil)

// NewPipelines reads the runs and makes the kind. Attach completes it.
func NewPipelines(ctx context.Context, c PipelineConfig) (*Pipelines, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	book, active, err := openBook(ctx, c.Store)
	if err != nil {
		return nil, err
	}
	k := &Pipelines{
		PipelineConfig: c, book: book, active: active, alive: map[string]time.Time{}, ids: idMaker{rand: c.Rand},
		queue: semaphore.NewWeighted(int64(c.MaxJobs)), places: semaphore.NewWeighted(int64(max(c.MaxQueue/20, 1))),
	}
	book.final = k.final
	k.engine = runner.NewEngine(runner.Options{
		Executor: c.Executor, Publish: c.Publish, Journal: book,
		Slots: semaphore.NewWeighted(int64(c.MaxJobs)), Getenv: c.Getenv, Printed: k.printed, Artifacts: c.Artifacts,
		Agent: c.AgentID, Now: c.Now,
	})
	return k, nil
}

// Attach gives the kind the agent whose records its runs complete.
func (k *Pipelines) Attach(a *Agent) {
	k.agent = a
	k.book.commit = a.commit
}

// Name implements [Kind].
func (k *Pipelines) Name() string { return PipelineKind }

// Wants implements [Kind].
func (k *Pipelines) Wants(name string) bool {
	switch path.Ext(name) {
	case ".yaml", ".yml":
		dir, _, nested := strings.Cut(name, "/")
		return !nested || dir == "pipelines"
	}
	return false
}

// Claims implements [Kind].
func (k *Pipelines) Claims(file File) (bool, string) {
	if runner.IsPipeline(file.Data) {
		return true, ""
	}
	return false, "it has no workflow key"
}

// parsedPipeline is what Parse keeps of one file.
type parsedPipeline struct {
	pipeline *runner.Pipeline
	problems problem.List
}

// Parse implements [Kind].
func (k *Pipelines) Parse(file File) any {
	p, problems := runner.Parse(pipelineName(file), file.Path, file.Data)
	return parsedPipeline{p, problems}
}

// pipelineName is the path below pipelines/ less its extension.
func pipelineName(file File) string {
	if file.As != "" {
		return file.As
	}
	return strings.TrimSuffix(strings.TrimPrefix(file.Path, "pipelines/"), path.Ext(file.Path))
}

// Load implements [Kind].
func (k *Pipelines) Load(snap *sources.Snapshot, file File, parsed any, policy Policy) Resource {
	pp := parsed.(parsedPipeline)
	r := Resource{Kind: PipelineKind, Name: pipelineName(file), Text: file.Data, Problems: pp.problems, Digest: textDigest(file.Data)}
	p := pp.pipeline
	if p == nil || r.Broken() {
		return r
	}
	r.Spec, r.After, r.Hosts, r.Manual = p, p.After, p.Hosts, p.Trigger.Manual
	if p.Schedule != nil {
		r.Schedule = p.Schedule.Spread(p.Turns.Jitter, k.Host+"/"+p.Name)
		r.Turns = Turns{
			CatchUp: p.Turns.Missed == runner.MissedRunOnce, Queue: p.Turns.Overlap == runner.OverlapQueue, Replace: p.Turns.Overlap == runner.OverlapReplace,
		}
	}
	for _, check := range []func() (problem.Problem, bool){
		func() (problem.Problem, bool) { return policy.DockerHost(p.DockerHost, k.OwnHost) },
		func() (problem.Problem, bool) { return policy.Host(k.OnHost) },
	} {
		if v, violated := check(); violated {
			v.File = file.Path
			r.Problems = append(r.Problems[:len(r.Problems):len(r.Problems)], v)
		}
	}
	digest, err := k.digests.Of(p, snap.Tree)
	if err != nil {
		r.Problems = append(r.Problems[:len(r.Problems):len(r.Problems)], inputProblem(file.Path, err)...)
		return r
	}
	r.Digest = digest
	return r
}

func inputProblem(file string, err error) problem.List {
	if list, ok := err.(problem.List); ok {
		return list
	}
	return problem.List{{Severity: problem.Error, File: file, Message: err.Error(), Hint: "correct the path, or add the file to the repository"}}
}

func textDigest(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Selects implements [Selector].
func (k *Pipelines) Selects(r *Resource) (bool, string) {
	return meantFor(r.Hosts, k.Host, k.Labels)
}

// Observe implements [Kind].
func (k *Pipelines) Observe(context.Context) (Observed, error) { return nil, nil }

// Lane implements [Kind]: one run of a pipeline at a time.
func (k *Pipelines) Lane(c Change) string { return c.Name }

// JobPlan is what a plan says of one job; the payload of a pipeline's change.
type JobPlan struct {
	Name  string `json:"name"`
	Image string `json:"image,omitempty"`
	Skip  string `json:"skip,omitempty"` // why it would be skipped now
}

// Describe implements [Kind].
func (k *Pipelines) Describe(c *Change, want *Resource, applied []byte) {
	if want == nil || c.Operation == OpRemove {
		return
	}
	p, ok := want.Spec.(*runner.Pipeline)
	if !ok {
		return
	}
	if len(applied) > 0 && string(applied) != string(want.Text) {
		c.Diff = udiff.Unified("a/"+want.File, "b/"+want.File, string(applied), string(want.Text))
	}
	var jobs []JobPlan
	for i := range p.Jobs {
		j := JobPlan{Name: p.Jobs[i].Name, Image: p.Jobs[i].Image}
		if !p.Jobs[i].Admitted(k.Getenv) {
			j.Skip = "its condition is false now: " + p.Jobs[i].Condition.String()
			c.Details = append(c.Details, "job "+j.Name+" would be skipped: "+j.Skip)
		}
		jobs = append(jobs, j)
	}
	c.Payload = jobs
}

// Apply implements [Kind].
func (k *Pipelines) Apply(ctx context.Context, batch []Work, report func(Work, Outcome)) {
	for _, w := range batch {
		if w.Change.Operation != OpRun {
			report(w, Outcome{}) // nothing was placed, so nothing is to be removed
			continue
		}
		report(w, k.fulfil(ctx, w))
	}
}

// fulfil runs a pipeline for a change of the plan.
func (k *Pipelines) fulfil(ctx context.Context, w Work) Outcome {
	p := w.Resource.Spec.(*runner.Pipeline)
	if err := k.ready(ctx, p.DockerHost); err != nil {
		return Outcome{Err: err}
	}
	run := runner.NewRun(k.ids.next(k.Now()), p, runner.Cause(w.Cause), k.Now())
	run.Source, run.Revision, run.Digest, run.By = w.Change.Source, w.Change.Revision, w.Change.Digest, w.By
	k.agent.Running(PipelineKind, p.Name, run.ID)
	tree := w.Resource.Tree
	k.execute(ctx, run, p, func(context.Context) (fs.FS, error) { return tree, nil }, nil, nil)
	return Outcome{Last: lastOf(run)}
}

// execute takes a run to its end under a context that Cancel can end.
func (k *Pipelines) execute(ctx context.Context, run *runner.Run, p *runner.Pipeline, tree runner.Tree, left []runner.Workload, said runner.Announced) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	k.book.open(run, cancel)
	k.engine.Execute(ctx, run, p, tree, left, said)
	if k.KeepRuns > 0 {
		for _, id := range k.book.expire(context.WithoutCancel(ctx), k.KeepRuns, k.agent.inForce) {
			k.Forget(id)
		}
	}
}

func lastOf(run *runner.Run) Last {
	return Last{Digest: run.Digest, Revision: run.Revision, Run: run.ID, When: run.Ended, Result: Result(run.State), Reason: run.Reason}
}

// final gives the writes that record a run's end in its resource.
func (k *Pipelines) final(run *runner.Run) []store.Op {
	if run.Digest == "" {
		return nil // a trigger fulfils nobody's wish
	}
	return k.agent.Recorded(PipelineKind, run.Pipeline, lastOf(run), nil)
}

// part names an engine in the agent's health.
func part(exec runner.Executor, host string) string {
	if host == "" {
		return exec.Name()
	}
	return exec.Name() + " at " + host
}

// aliveFor is how long an engine that answered is believed to be there.
const aliveFor = time.Second

// ready says whether the engine can be reached, so that nothing is recorded
// or started on an engine that is down.
func (k *Pipelines) ready(ctx context.Context, host string) error {
	k.mu.Lock()
	fresh := k.Now().Sub(k.alive[host]) < aliveFor
	k.mu.Unlock()
	if fresh {
		return nil
	}
	exec, err := k.Executor(host)
	if err != nil {
		return &Terminal{Err: err}
	}
	err = exec.Ping(ctx)
	k.agent.degrade(part(exec, host), err)
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.alive[host] = k.Now()
	k.mu.Unlock()
	return nil
}
