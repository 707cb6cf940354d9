package reconcile

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/sources"
	"github.com/abide-agent/abide/sse"
)

// watch follows one source until ctx ends: hints coalesce into looks, and a
// slow source holds up nobody else.
func (a *Agent) watch(ctx context.Context, s *sourceState) {
	var wg sync.WaitGroup
	wg.Go(func() {
		kick := func() {
			select {
			case s.kick <- struct{}{}:
			default:
			}
		}
		if err := s.config.Source.Run(ctx, kick); err != nil && ctx.Err() == nil {
			a.looked(ctx, s, nil, Desired{}, fmt.Errorf("it is no longer watched: %w; restart the agent once that is mended", err))
		}
	})
	for {
		select {
		case <-ctx.Done():
			wg.Wait()
			return
		case <-s.kick:
			began := time.Now()
			a.look(ctx, s)
			a.hint()
			rest(ctx, time.Since(began)/3) // a third of what the loop does
		}
	}
}

// look takes a snapshot and loads it, unless its content is the one in force.
func (a *Agent) look(ctx context.Context, s *sourceState) {
	select {
	case s.turn <- struct{}{}:
		began := a.Now()
		defer func() {
			a.mu.Lock()
			s.began = began
			a.mu.Unlock()
			<-s.turn
		}()
	case <-ctx.Done():
		return
	}
	snap, err := a.newest(ctx, s)
	if err != nil {
		if ctx.Err() == nil {
			a.lastGood(ctx, s)
			a.looked(ctx, s, nil, Desired{}, err)
		}
		return
	}
	a.mu.Lock()
	same := s.snap != nil && s.snap.Content == snap.Content && s.status.Error == ""
	if same {
		s.snap, s.status.Revision, s.status.Checked = snap, snap.Revision, a.Now()
	}
	a.mu.Unlock()
	if !same {
		d, err := s.load.load(snap)
		a.looked(ctx, s, snap, d, err)
	}
}

// lastGood puts in force what a source that can't be read held when an earlier
// life of the agent read it last, where it keeps its history on this machine:
// the schedules of a remote repository come due also while its server is away.
func (a *Agent) lastGood(ctx context.Context, s *sourceState) {
	a.mu.Lock()
	mark := a.marks[s.status.Name]
	known := s.snap != nil || s.config.Explicit || mark.Revision == "" || mark.Location != s.status.Location
	a.mu.Unlock()
	if known {
		return
	}
	snap, err := s.config.Source.At(ctx, mark.Revision)
	if err != nil {
		return // the error of the look itself says what is wrong
	}
	d, err := s.load.load(snap)
	if err != nil || d.Files == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.install(s, snap, d)
	a.remerge()
}

// install makes what a snapshot asks for the desired state of its source. The
// caller holds mu.
func (a *Agent) install(s *sourceState, snap *sources.Snapshot, d Desired) {
	s.snap, s.desired = snap, d
	s.status.Revision, s.status.Changed, s.status.Resources = snap.Revision, a.Now(), len(d.Resources)
	s.status.Subject = ""
	if snap.Commit != nil {
		s.status.Subject = snap.Commit.Subject
	}
}

// mark is what is durably known of a source: where it was when it was read
// last, and at which address.
type mark struct {
	Revision string `json:"revision"`
	Location string `json:"location"`           // without any secret
	Previous string `json:"previous,omitempty"` // the revision that was in force before
}

// sighted says whether an earlier look, perhaps of an earlier life, read the
// source where it is now. The caller holds mu.
func (a *Agent) sighted(source string) bool {
	s, m := a.sources[source], a.marks[source]
	return s != nil && m.Revision != "" && m.Location == s.status.Location
}

// marked records that a source was read. The caller holds mu.
func (a *Agent) marked(s *sourceState) []store.Op {
	was := a.marks[s.status.Name]
	m := mark{Revision: s.status.Revision, Location: s.status.Location, Previous: was.Previous}
	if was == m {
		return nil
	}
	if was.Location == m.Location {
		m.Previous = was.Revision
	}
	a.marks[s.status.Name] = m
	return []store.Op{store.Put(keySource+s.status.Name, encode(m))}
}

// looked takes the result of a look into the agent's state and tells about it.
func (a *Agent) looked(ctx context.Context, s *sourceState, snap *sources.Snapshot, d Desired, err error) {
	if err == nil && d.Files == 0 && !snap.Exact {
		err = sources.ErrEmpty
	}
	a.mu.Lock()
	name, was := s.status.Name, s.status.Error
	s.looked, s.status.Checked = true, a.Now()
	if err != nil {
		s.status.Error = reason(err)
		a.failed = a.failed || a.once
		a.mu.Unlock()
		if was != s.status.Error {
			a.Publish(sse.Event{
				Type: sse.TypeSourceError, Level: sse.Error, Source: name,
				Message: fmt.Sprintf("Source %s can't be read: %s", name, reason(err)), Fields: map[string]any{"error": reason(err)},
			})
		}
		return
	}
	first := s.snap == nil
	a.install(s, snap, d)
	s.status.Error = ""
	if first && s.config.Explicit {
		for _, r := range d.Resources {
			a.explicit[r.Key()] = true
		}
	}
	a.remerge()
	ops := append(a.adoptRecords(), a.marked(s)...)
	subject, problems := s.status.Subject, a.untold()
	others := a.leave()
	changes, works := a.plan()
	a.mu.Unlock()
	for _, other := range others {
		a.kick(other)
	}
	_ = a.commit(ctx, ops...)
	a.tellLook(name, snap, d, subject, was)
	a.tellProblems(problems)
	a.tellPlan(name, snap, changes)
	a.tellGuard(name, snap, changes, works)
}

func (a *Agent) tellLook(name string, snap *sources.Snapshot, d Desired, subject, was string) {
	if was != "" {
		a.Publish(sse.Event{Type: sse.TypeSourceRecovered, Level: sse.Success, Source: name, Message: "Source " + name + " can be read again"})
	}
	if snap.Exact && len(d.Resources) == 0 {
		return // a registry in which nobody has put anything is no news
	}
	message := fmt.Sprintf("Source %s is at %s", name, short(snap.Revision))
	if subject != "" {
		message += ": " + subject
	}
	a.Publish(sse.Event{
		Type: sse.TypeSourceUpdated, Source: name, Revision: snap.Revision, Message: message,
		Fields: map[string]any{"resources": len(d.Resources)},
	})
}

// adoptRecords makes the durable claim on every name that is new, and records
// what is wanted. The caller holds mu.
func (a *Agent) adoptRecords() (ops []store.Op) {
	for key, r := range a.want {
		if a.claims[key] != r.Source {
			a.claims[key] = r.Source
			ops = append(ops, store.Put(keyClaim+key, encode(r.Source)))
		}
		was, known := a.records[key]
		rec, timed := a.scheduled(key, r, was)
		if known && !timed && rec.Want == r.Digest && rec.Source == r.Source && rec.File == r.File || r.Broken() {
			continue
		}
		rec.Baseline = rec.Baseline || !known && a.Baseline && !a.sighted(r.Source)
		rec.Kind, rec.Name, rec.Source, rec.File, rec.Want, rec.Owner = r.Kind, r.Name, r.Source, r.File, r.Digest, r.Source
		a.records[key] = rec
		ops = append(ops, store.Put(keyRecord+key, encode(rec)))
	}
	return ops
}

// patience is how long sources that don't answer are waited for where others
// are there to go on with: a dead server may take minutes to be given up.
const patience = 10 * time.Second

// lookAll begins to look at every source once, side by side, and gives a
// channel that is closed when all looks are over. Each wakes the loop.
func (a *Agent) lookAll(ctx context.Context) <-chan struct{} {
	var wg sync.WaitGroup
	for _, s := range a.sources {
		wg.Go(func() {
			a.look(ctx, s)
			a.hint()
		})
	}
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
		a.hint()
	}()
	return done
}

// refresh looks at every source. While the loop follows them, what is in force
// is good enough for those that don't answer; it gives their names.
func (a *Agent) refresh(ctx context.Context) (late []string) {
	a.mu.Lock()
	following := a.following
	a.mu.Unlock()
	if !following {
		<-a.lookAll(ctx)
		return nil
	}
	begin := a.Now()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	<-a.lookAll(ctx)
	if ctx.Err() == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range a.order {
		if a.sources[name].status.Checked.Before(begin) {
			late = append(late, name)
		}
	}
	return late
}

// reason puts an error of a source into words for people.
func reason(err error) string {
	if errors.Is(err, sources.ErrEmpty) {
		return "it holds no file at all; the last good state stays in force"
	}
	return err.Error()
}
