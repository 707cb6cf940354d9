package process

import (
	"context"
	"errors"
	"sync"
)

// locks lets one at a time work on a unit, and lets a newer wish cut short the
// waiting for an older one. The zero value is ready.
type locks struct {
	mu    sync.Mutex
	units map[string]*lock
}

type lock struct {
	held   chan struct{}
	users  int
	cancel context.CancelCauseFunc // of the holder, while he waits for a start
	digest string                  // of what he starts
}

// errReplaced is why a wait was cut short.
var errReplaced = errors.New("something else was wanted of it meanwhile")

func (l *locks) get(name string) *lock {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.units == nil {
		l.units = map[string]*lock{}
	}
	one := l.units[name]
	if one == nil {
		one = &lock{held: make(chan struct{}, 1)}
		l.units[name] = one
	}
	one.users++
	return one
}

func (l *locks) put(name string, one *lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(l.units, name)
	}
}

// take waits for a unit; unlock must be called.
func (l *locks) take(ctx context.Context, name string) (unlock func(), err error) {
	one := l.get(name)
	select {
	case one.held <- struct{}{}:
		return func() { <-one.held; l.put(name, one) }, nil
	case <-ctx.Done():
		l.put(name, one)
		return nil, ctx.Err()
	}
}

// try takes a unit if nobody has it.
func (l *locks) try(name string) (unlock func(), ok bool) {
	one := l.get(name)
	select {
	case one.held <- struct{}{}:
		return func() { <-one.held; l.put(name, one) }, true
	default:
		l.put(name, one)
		return nil, false
	}
}

// interruptible is how the holder of a unit waits for its start: until done,
// a newer wish may end the context.
func (l *locks) interruptible(ctx context.Context, name, digest string) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	one := l.get(name)
	l.mu.Lock()
	one.cancel, one.digest = cancel, digest
	l.mu.Unlock()
	return ctx, func() {
		l.mu.Lock()
		one.cancel = nil
		l.mu.Unlock()
		l.put(name, one)
		cancel(nil)
	}
}

// interrupt ends the holder's wait for a start, unless he starts just the
// content that is wanted.
func (l *locks) interrupt(name, digest string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one := l.units[name]; one != nil && one.cancel != nil && one.digest != digest {
		one.cancel(errReplaced)
	}
}
