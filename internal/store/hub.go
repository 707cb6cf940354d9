package store

import (
	"context"
	"sort"
	"strings"
	"sync"
)

// The bounds of the history that a watch can catch up from, and that a slow
// reader may stay behind. One commit that is bigger is kept whole.
const (
	maxHistory      = 4096
	maxHistoryBytes = 4 << 20
)

// hub keeps the latest changes and hands them to the watches. A watch is a
// position in the history with a goroutine that moves it on: a slow one costs
// nothing and holds up nobody, and is closed once its position is gone.
type hub struct {
	mu      sync.Mutex
	changes []Change      // the history
	base    uint64        // the position of changes[0]
	bytes   int           // of keys and values in changes
	floor   Revision      // changes up to this revision may be gone
	arrived chan struct{} // closed at the next change
	done    chan struct{} // closed by close
	watches sync.WaitGroup
}

// reset forgets the history: the state is at rev and how it came there is not
// known. All watches end.
func (h *hub) reset(rev Revision) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.base += uint64(len(h.changes)) + 1 // one more, so that none is up to date
	h.changes, h.bytes, h.floor = nil, 0, rev
	h.wake()
	if h.done == nil {
		h.done = make(chan struct{})
	}
}

// publish adds the changes of commits that are done, in order.
func (h *hub) publish(changes []Change) {
	if len(changes) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes = append(h.changes, changes...)
	for _, c := range changes {
		h.bytes += len(c.Key) + len(c.Value)
	}
	drop := 0
	for len(h.changes)-drop > max(maxHistory, len(changes)) || h.bytes > maxHistoryBytes && len(h.changes)-drop > len(changes) {
		c := h.changes[drop]
		h.bytes -= len(c.Key) + len(c.Value)
		h.floor = c.Revision
		drop++
	}
	clear(h.changes[:drop]) // the array stays for a while, the values need not
	h.changes = h.changes[drop:]
	h.base += uint64(drop)
	h.wake()
}

func (h *hub) wake() {
	if h.arrived != nil {
		close(h.arrived)
	}
	h.arrived = make(chan struct{})
}

// watch is [Store.Watch].
func (h *hub) watch(ctx context.Context, prefix string, from Revision) (<-chan Change, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if isClosed(h.done) {
		return nil, ErrClosed
	}
	out := make(chan Change)
	if from < h.floor {
		close(out)
		return out, nil
	}
	old := sort.Search(len(h.changes), func(i int) bool { return h.changes[i].Revision > from })
	w := watch{hub: h, prefix: prefix, from: from, at: h.base + uint64(old), out: out}
	h.watches.Go(func() { w.run(ctx) })
	return out, nil
}

// close ends all watches and waits for them.
func (h *hub) close() {
	h.mu.Lock()
	if !isClosed(h.done) {
		close(h.done)
	}
	h.mu.Unlock()
	h.watches.Wait()
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// watch is one reader of the history.
type watch struct {
	hub    *hub
	prefix string
	from   Revision
	at     uint64 // the next position to read
	out    chan<- Change
}

func (w *watch) run(ctx context.Context) {
	defer close(w.out)
	batch := make([]Change, 0, 64)
	for {
		var arrived <-chan struct{}
		var ok bool
		if batch, arrived, ok = w.next(batch[:0]); !ok {
			return
		}
		for _, c := range batch {
			if c.Revision <= w.from || !strings.HasPrefix(c.Key, w.prefix) {
				continue
			}
			select {
			case w.out <- c:
			case <-ctx.Done():
				return
			case <-w.hub.done:
				return
			}
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return
		case <-w.hub.done:
			return
		}
	}
}

// next fills batch with what comes next in the history. With nothing there, the
// channel says when to ask again. It gives false when the position is gone.
func (w *watch) next(batch []Change) ([]Change, <-chan struct{}, bool) {
	h := w.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.at < h.base {
		return nil, nil, false
	}
	rest := h.changes[w.at-h.base:]
	batch = append(batch, rest[:min(len(rest), cap(batch))]...)
	w.at += uint64(len(batch))
	return batch, h.arrived, true
}
