package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/sse"
)

// Retry forgets how the last attempt at a resource ended, so that the loop acts
// upon it again. The name is kind/name, or a bare name that one kind has.
func (a *Agent) Retry(ctx context.Context, name, by string) error {
	a.mu.Lock()
	key, err := a.find(name)
	if err != nil {
		a.mu.Unlock()
		return err
	}
	if act := a.busy[a.laneOf(key)]; act != nil && act.run != "" {
		a.mu.Unlock()
		return fmt.Errorf("run %s of %s is under way: %w; wait for its end, or `abide cancel %s` first", act.run, key, ErrConflict, act.run)
	}
	before, known := a.records[key]
	rec := before
	if !known {
		r := a.want[key]
		rec = Record{Kind: r.Kind, Name: r.Name, Source: r.Source, File: r.File, Want: r.Digest}
	}
	rec = rec.Retried(by, a.Now())
	a.records[key] = rec
	delete(a.backoff, key)
	a.mu.Unlock()
	if err := a.request(ctx, store.Put(keyRecord+key, nil)); err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		if now := a.records[key]; now.Retry == rec.Retry { // nothing came of it yet
			now.Last, now.Rejected, now.Retry = before.Last, before.Rejected, before.Retry
			a.records[key] = now
		}
		return err
	}
	a.hint()
	return nil
}

// find resolves a name to the key of a known resource. The caller holds mu.
func (a *Agent) find(name string) (string, error) {
	known := map[string]bool{}
	for key := range a.want {
		known[key] = true
	}
	for key := range a.records {
		known[key] = true
	}
	if known[name] {
		return name, nil
	}
	var hits []string
	for key := range known {
		if kind, rest, _ := strings.Cut(key, "/"); rest == name || kind+"s/"+rest == name {
			hits = append(hits, key)
		}
	}
	slices.Sort(hits)
	switch len(hits) {
	case 1:
		return hits[0], nil
	case 0:
		return "", fmt.Errorf("no resource is called %q: %w; `abide status` lists them", name, ErrNotFound)
	}
	return "", fmt.Errorf("%q can mean %s: %w; name one of them", name, strings.Join(hits, " or "), ErrConflict)
}

// Suspend holds a source, or the whole agent with an empty name: nothing of it
// is run or pruned until Resume. Holds are durable.
func (a *Agent) Suspend(ctx context.Context, source, reason, by string) error {
	a.mu.Lock()
	if source != "" && a.sources[source] == nil {
		a.mu.Unlock()
		return a.noSource(source)
	}
	h := Hold{Source: source, By: by, Reason: reason, Since: a.Now()}
	if h.Reason == "" {
		h.Reason = "no reason given"
	}
	before := maps.Clone(a.holds)
	a.holds[source] = h
	a.mu.Unlock()
	if err := a.request(ctx, store.Put(keyHold+source, nil)); err != nil {
		a.restoreHold(source, before)
		return err
	}
	a.Publish(sse.Event{Type: sse.TypeHold, Level: sse.Warning, Source: source, Message: fmt.Sprintf("%s held by %s: %s", subject(source), by, h.Reason)})
	a.hint()
	return nil
}

// Resume ends a hold; it is no error when there is none.
func (a *Agent) Resume(ctx context.Context, source, by string) error {
	a.mu.Lock()
	if source != "" && a.sources[source] == nil {
		a.mu.Unlock()
		return a.noSource(source)
	}
	before, pins := maps.Clone(a.holds), maps.Clone(a.pins)
	_, held := before[source]
	_, pinned := pins[source]
	delete(a.holds, source)
	delete(a.pins, source)
	a.mu.Unlock()
	if !held && !pinned {
		return nil
	}
	if err := a.request(ctx, store.Delete(keyHold+source), store.Delete(keyPin+source)); err != nil {
		a.restoreHold(source, before)
		a.restorePin(source, pins)
		return err
	}
	if pinned {
		a.kick(source)
	}
	a.Publish(sse.Event{Type: sse.TypeHold, Source: source, Message: fmt.Sprintf("%s resumed by %s", subject(source), by)})
	a.hint()
	return nil
}

// restoreHold takes back what could not be recorded.
func (a *Agent) restoreHold(source string, before map[string]Hold) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if delete(a.holds, source); before[source] != (Hold{}) {
		a.holds[source] = before[source]
	}
}

func subject(source string) string {
	if source == "" {
		return "Everything is"
	}
	return "Source " + source + " is"
}

func (a *Agent) noSource(name string) error {
	return fmt.Errorf("no source is called %q: %w; there are: %s", name, ErrNotFound, strings.Join(a.order, ", "))
}

// heldResource says whether somebody holds the source of a resource, or everything.
func (a *Agent) heldResource(key string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.holdOf(a.records[key].Source) != nil
}

// holdOf gives the hold that stops a source. The caller holds mu.
func (a *Agent) holdOf(source string) *Hold {
	for _, name := range []string{"", source} {
		if h, ok := a.holds[name]; ok {
			return &h
		}
	}
	return nil
}

func (a *Agent) holdList() []Hold {
	var out []Hold
	for _, name := range slices.Sorted(maps.Keys(a.holds)) {
		out = append(out, a.holds[name])
	}
	for _, name := range slices.Sorted(maps.Keys(a.pins)) {
		out = append(out, a.pins[name])
	}
	return out
}

// Sources gives the state of every source, in the order of the configuration.
func (a *Agent) Sources(context.Context) ([]SourceStatus, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]SourceStatus, 0, len(a.order))
	for _, name := range a.order {
		if a.shown(name) {
			out = append(out, a.sourceStatus(name))
		}
	}
	return out, nil
}

// shown says whether a source is worth a line: a registry in which nobody has
// put anything is not. The caller holds mu.
func (a *Agent) shown(name string) bool {
	s := a.sources[name]
	return s.snap == nil || !s.snap.Exact || len(s.desired.Resources) > 0 || s.status.Error != ""
}

func (a *Agent) sourceStatus(name string) SourceStatus {
	st := a.sources[name].status
	st.Hold = a.holdOf(name)
	if pin, ok := a.pins[name]; ok {
		st.Pin = &pin
	}
	return st
}

// Resources gives the state of everything that is wanted or recorded, sorted.
func (a *Agent) Resources(context.Context) ([]ResourceStatus, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	changes, works := a.plan()
	a.upcoming(changes)
	out := make([]ResourceStatus, 0, len(changes))
	for _, c := range changes {
		w := works[c.Kind+"/"+c.Name]
		st := ResourceStatus{Record: w.Record, Reason: c.Reason, Problems: c.Problems}
		st.Kind, st.Name, st.Source, st.File = c.Kind, c.Name, c.Source, c.File
		st.State = stateOf(c, w.Record)
		if act := a.within(c); act != nil {
			st.State, st.Run = "running", act.run
		}
		if len(c.Next) > 0 {
			st.Next, st.Turns = c.Next[0], c.Next
		}
		out = append(out, st)
	}
	return out, nil
}

// wanted gives what is wanted of one kind, by name.
func (a *Agent) wanted(kind string) map[string]*Resource {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]*Resource{}
	for _, r := range a.want {
		if r.Kind == kind {
			out[r.Name] = r
		}
	}
	return out
}

// failed says whether the attempt failed at that digest.
func (l *Last) failed(digest string) bool {
	return l != nil && l.Digest == digest && l.Result == Failed
}

// succeeded says whether the attempt made that digest true, or found it so.
func (l *Last) succeeded(digest string) bool {
	return l != nil && l.Digest == digest && (l.Result == Succeeded || l.Result == Baselined)
}

func stateOf(c Change, rec Record) string {
	switch {
	case c.Problems.Err() != nil:
		return "broken"
	case c.Operation == OpWait:
		return "waiting"
	case c.Pending():
		return "pending"
	case rec.Last != nil && (rec.Last.Result == Failed || rec.Last.Result == Cancelled):
		return "failed"
	}
	return "ready"
}

// Degraded lists what is not well now, sorted; empty means healthy.
func (a *Agent) Degraded() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []string
	for part, err := range a.broken {
		out = append(out, part+": "+err.Error())
	}
	for _, name := range a.order {
		if e := a.sources[name].status.Error; e != "" {
			out = append(out, "source "+name+": "+e)
		}
	}
	if h, ok := a.holds[""]; ok {
		out = append(out, "held: "+h.Reason)
	}
	slices.Sort(out)
	return out
}

// Started is when this life of the agent began.
func (a *Agent) Started() time.Time { return a.started }
