package reconcile

import (
	"context"
	"errors"
	"fmt"

	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/sources"
	"github.com/abide-agent/abide/sse"
)

// Rollback pins a source to a revision: what it holds there is what is wanted,
// and what comes after it is not looked at until Resume. Without a revision it is
// the one that was in force before the present one. A pin outlives restarts, and
// gives the whole name of the revision.
func (a *Agent) Rollback(ctx context.Context, source, rev, reason, by string) (string, error) {
	a.mu.Lock()
	s := a.sources[source]
	if s == nil {
		a.mu.Unlock()
		return "", a.noSource(source)
	}
	if rev == "" {
		rev = a.marks[source].Previous
	}
	present, before := s.status.Revision, a.pins
	a.mu.Unlock()
	if rev == "" {
		return "", fmt.Errorf("nothing is known of a revision of source %s before %s: %w; name one", source, short(present), ErrConflict)
	}
	revision, err := resolveRevision(ctx, s.config.Source, rev)
	if err != nil {
		return "", err
	}
	pin := Hold{Source: source, By: by, Reason: reason, Since: a.Now(), Revision: revision}
	if pin.Reason == "" {
		pin.Reason = "rolled back"
	}
	a.mu.Lock()
	before = clonePins(before)
	a.pins[source] = pin
	a.mu.Unlock()
	if err := a.request(ctx, store.Put(keyPin+source, encode(pin))); err != nil {
		a.restorePin(source, before)
		return "", err
	}
	a.Publish(sse.Event{
		Type: sse.TypeHold, Level: sse.Warning, Source: source, Revision: revision,
		Message: fmt.Sprintf("Source %s is pinned to %s by %s: %s; `abide resume %s` lets it follow again", source, short(revision), by, pin.Reason, source),
	})
	a.kick(source)
	return revision, nil
}

func clonePins(pins map[string]Hold) map[string]Hold {
	out := make(map[string]Hold, len(pins))
	for k, v := range pins {
		out[k] = v
	}
	return out
}

// restorePin takes back what could not be recorded.
func (a *Agent) restorePin(source string, before map[string]Hold) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.pins, source)
	if pin, ok := before[source]; ok {
		a.pins[source] = pin
	}
}

// kick has a source looked at again, by the loop where it runs.
func (a *Agent) kick(source string) {
	a.mu.Lock()
	s := a.sources[source]
	a.mu.Unlock()
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// resolveRevision gives the whole name of a revision, and makes sure that its
// content can be had.
func resolveRevision(ctx context.Context, s sources.Source, rev string) (string, error) {
	r, ok := s.(sources.Resolver)
	if !ok {
		return "", fmt.Errorf("source %s keeps no history, so there is nothing to go back to: %w; put the directory under Git", s.Name(), ErrConflict)
	}
	revision, err := r.Resolve(ctx, rev)
	if err == nil {
		_, err = s.At(ctx, revision)
	}
	if errors.Is(err, sources.ErrGone) {
		err = fmt.Errorf("%w: %w", err, ErrNotFound)
	}
	return revision, err
}

// newest gives the snapshot that counts as a source's newest: that of its pin,
// where it has one.
func (a *Agent) newest(ctx context.Context, s *sourceState) (*sources.Snapshot, error) {
	a.mu.Lock()
	pin, pinned := a.pins[s.config.Source.Name()]
	a.mu.Unlock()
	if !pinned {
		return s.config.Source.Snapshot(ctx)
	}
	snap, err := s.config.Source.At(ctx, pin.Revision)
	if r, ok := s.config.Source.(sources.Resolver); ok && errors.Is(err, sources.ErrGone) {
		if _, err = r.Resolve(ctx, pin.Revision); err == nil { // the clone was made anew without it
			snap, err = s.config.Source.At(ctx, pin.Revision)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("it is pinned to %s, which can't be had: %w; `abide resume %s` lets it follow again", short(pin.Revision), err, s.config.Source.Name())
	}
	return snap, nil
}
