package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/abide-agent/abide/internal/problem"
)

// pruneFloor is the number of resources from which on losing more than half of
// them at once needs a word from a human.
const pruneFloor = 5

// Plan looks at all sources and gives what apply would do now. A source that
// can't be read shows its error; its last good desired state stays in force. So
// does that of a source that does not answer a running agent in time.
func (a *Agent) Plan(ctx context.Context) (Plan, error) {
	late := a.refresh(ctx)
	if err := a.observe(ctx); err != nil {
		return Plan{}, err
	}
	a.mu.Lock()
	changes, works := a.plan()
	a.upcoming(changes)
	p := Plan{Created: a.Now(), Changes: changes, Problems: slices.Clone(a.problems), Holds: a.holdList()}
	for _, name := range a.order {
		if !a.shown(name) {
			continue
		}
		st := a.sourceStatus(name)
		if slices.Contains(late, name) && st.Error == "" {
			st.Error = fmt.Sprintf("it did not answer within %s; the plan shows its last good state", patience)
		}
		p.Sources = append(p.Sources, st)
		p.Ignored = append(append(p.Ignored, a.sources[name].desired.Ignored...), a.refusals(name)...)
	}
	a.mu.Unlock()
	for i := range p.Changes {
		a.describe(ctx, &p.Changes[i], works[p.Changes[i].Kind+"/"+p.Changes[i].Name].Resource)
	}
	p.Devices = a.render(ctx, p.Changes, works)
	return p, nil
}

// render asks the kinds whose changes go to other machines what they send there.
func (a *Agent) render(ctx context.Context, changes []Change, works map[string]Work) (out []DevicePlan) {
	for _, name := range slices.Sorted(maps.Keys(a.kinds)) {
		r, ok := a.kinds[name].(Renderer)
		if !ok {
			continue
		}
		var batch []Work
		for _, c := range changes {
			if c.Kind == name && (c.Operation == OpRun || c.Operation == OpRemove) {
				batch = append(batch, works[c.Kind+"/"+c.Name])
			}
		}
		if len(batch) > 0 {
			out = append(out, r.Render(ctx, batch)...)
		}
	}
	return out
}

// describe completes a change with its diff and details.
func (a *Agent) describe(ctx context.Context, c *Change, r *Resource) {
	kind := a.kinds[c.Kind]
	if kind == nil || c.Operation == OpNone {
		return
	}
	kind.Describe(c, r, a.applied(ctx, *c))
}

// applied gives the content of a resource that was last applied, or nil.
func (a *Agent) applied(ctx context.Context, c Change) []byte {
	e, err := a.Store.Get(ctx, keyApplied+c.Kind+"/"+c.Name)
	if err != nil {
		return nil
	}
	return e.Value
}

// plan decides on every resource that is wanted or recorded, sorted by kind
// and name. The caller holds mu.
func (a *Agent) plan() ([]Change, map[string]Work) {
	now := a.Now()
	gone := a.gone()
	keys := slices.Collect(maps.Keys(a.want))
	for key, rec := range a.records {
		if _, left := gone[key]; a.want[key] == nil && (left || a.sources[rec.Source] != nil) {
			keys = append(keys, key)
		}
	}
	changes := make([]Change, 0, len(keys))
	works := make(map[string]Work, len(keys))
	for _, key := range keys {
		w := a.decide(key, gone, now)
		changes = append(changes, w.Change)
		works[key] = w
	}
	slices.SortFunc(changes, func(x, y Change) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name))
	})
	return changes, works
}

func (a *Agent) decide(key string, gone map[string]bool, now time.Time) Work {
	r, rec := a.want[key], a.records[key]
	s := Situation{Record: rec, Baseline: rec.Baseline, Once: a.once}
	var turn, missed time.Time
	var replaces string
	c := Change{Kind: rec.Kind, Name: rec.Name, Source: rec.Source, File: rec.File}
	if r != nil {
		c = Change{Kind: r.Kind, Name: r.Name, Source: r.Source, File: r.File, Revision: r.Revision, Digest: r.Digest, Problems: r.Problems}
		s.Want, s.Broken, s.Manual = r.Digest, r.Broken(), r.Manual
		s.Explicit, s.Observed = a.explicit[key], a.observed[r.Kind][r.Name]
		c.Found = s.Observed
		if r.Schedule != nil && a.following { // turns are the loop's to take
			turn, missed = a.turnOf(key, r, now)
			s.Due, s.Turns = !turn.IsZero(), r.Turns
		}
	} else if s.Guarded, s.Gone = gone[key]; s.Gone {
		c.Revision = a.sources[rec.Source].snap.Revision // the one without it
		s.Blocked = a.elsewhere(key, now)
	} else {
		s.Unread, c.Problems = a.unread(rec)
	}
	s.Refused = a.refused[key].why
	s.Hold = a.holdOf(c.Source)
	if act := a.before(c); act != nil {
		s.Busy = act.run
		if s.Busy == "" {
			s.Busy = "of an earlier change"
		}
		replaces = act.run
	}
	if rec.Last != nil {
		c.Observed = rec.Last.Digest
	}
	if _, ok := a.kinds[c.Kind].(Restorer); ok && r != nil && rec.Last != nil && s.Observed != "" && s.Observed != rec.Last.Digest {
		s.Restores = a.stopped(key, false, map[string]bool{key: true}) == "" // else it would be in vain
	}
	if op, _ := due(s); op != OpNone && r != nil {
		s.Blocked = a.blocked(r)
	}
	if s.restoring() {
		c.Digest, c.Revision = rec.Last.Digest, rec.Last.Revision
	}
	if t := a.backoff[key]; t != nil && t.digest == c.Digest && (a.once || t.until.After(now)) {
		s.Backoff, s.Trouble = t.until, t.reason
	}
	c.Operation, c.Reason = Decide(s)
	if n, ok := a.kinds[c.Kind].(Noter); ok && c.Operation == OpNone && !s.Broken {
		if note := n.Note(c.Name); note != "" {
			c.Reason += "; " + note
		}
	}
	if !s.replaces() {
		replaces = ""
	}
	return Work{
		Change: c, Guarded: s.Guarded, Resource: r, Record: rec, Cause: cause(s), By: requester(rec),
		Due: turn, Missed: missed, Replaces: replaces,
	}
}

// cause is a runner.Cause, which the core knows as a word only.
func cause(s Situation) string {
	switch {
	case s.Record.Retry != nil:
		return "retry"
	case s.Explicit:
		return "request"
	case s.Due:
		return "schedule"
	case s.Record.Last != nil && s.Record.Last.Digest == s.Want && s.Record.Last.Result == Interrupted:
		return "retry"
	}
	return "change"
}

func requester(r Record) string {
	if r.Retry != nil {
		return r.Retry.By
	}
	return ""
}

// laneOf is lane for a resource that is known by its key.
func (a *Agent) laneOf(key string) string {
	kind, name, _ := strings.Cut(key, "/")
	return a.lane(Change{Kind: kind, Name: name})
}

// gone lists the recorded resources that left their source's readable,
// non-empty tree; the value says whether the prune guard holds them.
func (a *Agent) gone() map[string]bool {
	left, total := map[string][]string{}, map[string]int{}
	for key, rec := range a.records {
		total[rec.Source]++
		src := a.sources[rec.Source]
		read := src != nil && src.snap != nil && src.status.Error == ""
		if a.want[key] == nil && read && (src.desired.Files > 0 || src.snap.Exact) && !src.desired.hides(rec.File) {
			left[rec.Source] = append(left[rec.Source], key)
		}
	}
	out := map[string]bool{}
	for source, keys := range left {
		many := total[source] >= pruneFloor && len(keys)*2 > total[source] && len(keys) > a.MaxPrune && !a.sources[source].snap.Exact
		for _, key := range keys {
			out[key] = many
		}
	}
	return out
}

// unread says why nothing is known of a recorded resource whose source is
// there: its source or its file could not be read. The caller holds mu.
func (a *Agent) unread(rec Record) (string, problem.List) {
	src := a.sources[rec.Source]
	switch {
	case src.status.Error != "":
		return "its source can't be read", nil
	case src.snap == nil:
		return "its source was not read yet", nil
	}
	var faults problem.List
	for _, p := range src.desired.Problems {
		if p.File == rec.File {
			faults = append(faults, p)
		}
	}
	return "its file can't be read", faults
}

func (a *Agent) observe(ctx context.Context) error {
	for name, k := range a.kinds {
		have, err := k.Observe(ctx)
		if err != nil {
			a.degrade(name, err)
			continue
		}
		a.mu.Lock()
		a.observed[name] = have
		a.mu.Unlock()
	}
	return ctx.Err()
}

// remerge rebuilds what is wanted after a source changed. The caller holds mu.
func (a *Agent) remerge() {
	by, unknown := make(map[string]Desired, len(a.sources)), map[string]bool{}
	for name, s := range a.sources {
		by[name], unknown[name] = s.desired, s.snap == nil
	}
	var problems problem.List
	a.want, problems = merge(a.order, by, a.claims, unknown)
	a.problems = problems
	a.arrange()
	a.needs = waves(a.want, func(key string) bool { _, refused := a.refused[key]; return refused || a.want[key] != nil })
	a.see(a.Now().Round(0))
}
