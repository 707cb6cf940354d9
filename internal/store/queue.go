package store

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// request is one commit on its way.
type request struct {
	ops   []Op
	above Revision     // the commit's revision becomes greater than this too
	done  chan outcome // holds one, so that the writer never waits
}

type outcome struct {
	rev Revision
	err error
}

// The bounds of one group: a transaction must fit into memory, and the first
// commit of a group should not wait long for the last.
const (
	maxGroup      = 1024
	maxGroupBytes = 16 << 20
)

// queue holds the commits that wait for the writer. It is bounded by the
// callers: each has one in it at most, and takes it out when it stops waiting.
type queue struct {
	mu      sync.Mutex
	arrived *sync.Cond
	waiting []*request
	closed  bool
}

func (q *queue) init() { q.arrived = sync.NewCond(&q.mu) }

func (q *queue) push(r *request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	q.waiting = append(q.waiting, r)
	q.arrived.Signal()
	return nil
}

// withdraw takes r out again and says whether it was still there.
func (q *queue) withdraw(r *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, r)
	if i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	return i >= 0
}

// next waits for commits and takes as many as make up one group. It gives none
// when the queue is closed and empty.
func (q *queue) next() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 {
		if q.closed {
			return nil
		}
		q.arrived.Wait()
	}
	n, bytes := 0, 0
	for n < min(len(q.waiting), maxGroup) && (n == 0 || bytes < maxGroupBytes) {
		bytes += size(q.waiting[n].ops)
		n++
	}
	group := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	return group
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.arrived.Broadcast()
}

// commit hands one commit to the writer and waits for its outcome.
func (b *Bolt) commit(ctx context.Context, above Revision, ops []Op) (Revision, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := checkOps(ops); err != nil {
		return 0, err
	}
	r := &request{ops: ops, above: above, done: make(chan outcome, 1)}
	if err := b.queue.push(r); err != nil {
		return 0, err
	}
	select {
	case out := <-r.done:
		return out.rev, out.err
	case <-ctx.Done():
	}
	if b.queue.withdraw(r) {
		return 0, fmt.Errorf("the commit was given up before it began: %w", ctx.Err())
	}
	select {
	case out := <-r.done: // it ended at the same time
		return out.rev, out.err
	default:
	}
	return 0, fmt.Errorf("the commit was not waited for and may still happen: %w", ctx.Err())
}
