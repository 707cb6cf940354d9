package docker

import (
	"context"
	"sync"
)

// locks lets one goroutine at a time work on a name. Waiting ends with ctx.
type locks struct {
	mu   sync.Mutex
	held map[string]*held
}

type held struct {
	token chan struct{}
	users int
}

// lock takes the lock of a name; waited says that somebody else had it.
func (l *locks) lock(ctx context.Context, name string) (unlock func(), waited bool, err error) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]*held{}
	}
	h := l.held[name]
	if h == nil {
		h = &held{token: make(chan struct{}, 1)}
		l.held[name] = h
	}
	h.users++
	waited = h.users > 1
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if h.users--; h.users == 0 {
			delete(l.held, name)
		}
	}
	select {
	case h.token <- struct{}{}:
		return func() { <-h.token; leave() }, waited, nil
	case <-ctx.Done():
		leave()
		return nil, waited, ctx.Err()
	}
}
