package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/sources"
)

// Comparison is what two revisions of one source differ in.
type Comparison struct {
	Source   string       `json:"source"`
	From     string       `json:"from"`
	To       string       `json:"to"`
	Changes  []Change     `json:"changes"`
	Problems problem.List `json:"problems,omitempty"` // of the second, that belong to no resource
}

// Failed says whether the second revision has errors.
func (c Comparison) Failed() bool {
	return c.Problems.Err() != nil || slices.ContainsFunc(c.Changes, func(ch Change) bool { return ch.Problems.Err() != nil })
}

// PlanAt gives what apply would do if a source stood at another revision. An
// empty name stands for the only source that has a history.
func (a *Agent) PlanAt(ctx context.Context, source, rev string) (Plan, error) {
	s, err := a.withHistory(source)
	if err != nil {
		return Plan{}, err
	}
	a.refresh(ctx)
	snap, d, err := a.loadAt(ctx, s, rev)
	if err != nil {
		return Plan{}, err
	}
	if err := a.observe(ctx); err != nil {
		return Plan{}, err
	}
	name := s.config.Source.Name()
	a.mu.Lock()
	undo := a.pretend(s, snap, d)
	changes, works := a.plan()
	a.upcoming(changes)
	p := Plan{Created: a.Now(), Changes: changes, Problems: slices.Clone(a.problems), Holds: a.holdList(), Ignored: slices.Clone(d.Ignored)}
	p.Sources = append(p.Sources, a.sourceStatus(name))
	undo()
	a.mu.Unlock()
	for i := range p.Changes {
		a.describe(ctx, &p.Changes[i], works[p.Changes[i].Kind+"/"+p.Changes[i].Name].Resource)
	}
	p.Devices = a.render(ctx, p.Changes, works)
	return p, nil
}

// pretend puts a snapshot in force until undo is called. The caller holds mu all
// the while.
func (a *Agent) pretend(s *sourceState, snap *sources.Snapshot, d Desired) (undo func()) {
	was, want, problems, since := *s, a.want, a.problems, maps.Clone(a.since)
	s.status.Error = ""
	a.install(s, snap, d)
	a.remerge()
	return func() {
		s.snap, s.desired, s.status = was.snap, was.desired, was.status
		a.want, a.problems, a.since = want, problems, since
	}
}

// Compare gives the resources that differ between two revisions of a source,
// sorted by kind and name, whatever is in force. An empty revision stands for
// the one that is followed.
func (a *Agent) Compare(ctx context.Context, source, from, to string) (Comparison, error) {
	s, err := a.withHistory(source)
	if err != nil {
		return Comparison{}, err
	}
	one, before, err := a.loadAt(ctx, s, from)
	if err != nil {
		return Comparison{}, err
	}
	two, after, err := a.loadAt(ctx, s, to)
	if err != nil {
		return Comparison{}, err
	}
	c := Comparison{Source: s.config.Source.Name(), From: one.Revision, To: two.Revision, Problems: after.Problems}
	c.Changes = differences(byKey(before), byKey(after), two.Revision)
	return c, nil
}

func byKey(d Desired) map[string]*Resource {
	out := make(map[string]*Resource, len(d.Resources))
	for _, r := range d.Resources {
		out[r.Key()] = r
	}
	return out
}

func differences(before, after map[string]*Resource, revision string) (out []Change) {
	all := maps.Clone(before)
	maps.Copy(all, after)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		one, two, r := before[key], after[key], all[key]
		c := Change{Kind: r.Kind, Name: r.Name, Source: r.Source, File: r.File, Revision: revision, Digest: r.Digest, Problems: r.Problems}
		var old, now string
		switch {
		case one == nil:
			c.Operation, now = OpAdd, string(two.Text)
		case two == nil:
			c.Operation, c.Digest, c.Problems, old = OpRemove, "", nil, string(one.Text)
		case one.Digest == two.Digest && one.Problems.Err() == nil && two.Problems.Err() == nil:
			continue
		default:
			c.Operation, c.Observed, old, now = OpChange, one.Digest, string(one.Text), string(two.Text)
			if old == now && one.Digest != two.Digest {
				c.Reason = "what it reads besides its file differs"
			} else if old == now {
				continue
			}
		}
		c.Diff = maskXML(udiff.Unified("a/"+r.File, "b/"+r.File, old, now))
		out = append(out, c)
	}
	return out
}

// withHistory finds a source of which other revisions can be had.
func (a *Agent) withHistory(source string) (*sourceState, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if source != "" {
		s := a.sources[source]
		if s == nil {
			return nil, a.noSource(source)
		}
		return s, nil
	}
	var with []string
	for _, name := range a.order {
		if _, ok := a.sources[name].config.Source.(sources.Resolver); ok {
			with = append(with, name)
		}
	}
	switch len(with) {
	case 1:
		return a.sources[with[0]], nil
	case 0:
		return nil, fmt.Errorf("no source keeps a history: %w; a Git repository does", ErrConflict)
	}
	return nil, fmt.Errorf("the sources %s all have a history: %w; name one of them", strings.Join(with, ", "), ErrConflict)
}

// loadAt reads a source at a revision. What it remembers of files is kept apart
// from what is in force.
func (a *Agent) loadAt(ctx context.Context, s *sourceState, rev string) (*sources.Snapshot, Desired, error) {
	if rev == "" {
		rev = "HEAD"
	}
	revision, err := resolveRevision(ctx, s.config.Source, rev)
	if err != nil {
		return nil, Desired{}, err
	}
	snap, err := s.config.Source.At(ctx, revision)
	if err != nil {
		return nil, Desired{}, err
	}
	l := &loader{kinds: a.Kinds, policy: s.config.Policy, as: s.config.As}
	d, err := l.load(snap)
	return snap, d, err
}
