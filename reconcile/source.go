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
			a.look(ctx, s)
			a.hint()
		}
	}
}

// look takes a snapshot and loads it, unless its content is the one in force.
func (a *Agent) look(ctx context.Context, s *sourceState) {
	s.load.looking.Lock()
	defer s.load.looking.Unlock()
	snap, err := s.config.Source.Snapshot(ctx)
	if err != nil {
		if ctx.Err() == nil {
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
		a.looked(ctx, s, snap, s.load.load(snap), nil)
	}
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
	s.snap, s.desired, s.status.Error = snap, d, ""
	s.status.Revision, s.status.Changed, s.status.Resources = snap.Revision, a.Now(), len(d.Resources)
	s.status.Subject = ""
	if snap.Commit != nil {
		s.status.Subject = snap.Commit.Subject
	}
	if first && s.config.Explicit {
		for _, r := range d.Resources {
			a.explicit[r.Key()] = true
		}
	}
	a.remerge()
	ops := a.adoptRecords()
	subject, problems := s.status.Subject, a.untold()
	changes, _ := a.plan()
	a.mu.Unlock()
	_ = a.commit(ctx, ops...)
	a.tellLook(name, snap, d, subject, was)
	a.tellProblems(problems)
	a.tellPlan(name, snap, changes)
}

func (a *Agent) tellLook(name string, snap *sources.Snapshot, d Desired, subject, was string) {
	if was != "" {
		a.Publish(sse.Event{Type: sse.TypeSourceRecovered, Level: sse.Success, Source: name, Message: "Source " + name + " can be read again"})
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
		rec, known := a.records[key]
		if known && rec.Want == r.Digest && rec.Source == r.Source && rec.File == r.File || r.Broken() {
			continue
		}
		rec.Kind, rec.Name, rec.Source, rec.File, rec.Want, rec.Owner = r.Kind, r.Name, r.Source, r.File, r.Digest, r.Source
		a.records[key] = rec
		ops = append(ops, store.Put(keyRecord+key, encode(rec)))
	}
	return ops
}

// refreshAll looks at every source once, side by side.
func (a *Agent) refreshAll(ctx context.Context) {
	var wg sync.WaitGroup
	for _, s := range a.sources {
		wg.Go(func() { a.look(ctx, s) })
	}
	wg.Wait()
}

// reason puts an error of a source into words for people.
func reason(err error) string {
	if errors.Is(err, sources.ErrEmpty) {
		return "it holds no file at all; the last good state stays in force"
	}
	return err.Error()
}

// commit writes to the store and goes on trying while it refuses: what the
// agent decided must not be lost to a full disk, and a full disk must not end
// the agent. It gives up only with ctx.
func (a *Agent) commit(ctx context.Context, ops ...store.Op) error {
	if len(ops) == 0 {
		return nil
	}
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		_, err := a.Store.Commit(ctx, ops...)
		a.degrade("store", err)
		if err == nil || errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrConflict) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the state could not be written: %w", err)
		case <-time.After(wait):
		}
	}
}
