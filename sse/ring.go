package sse

import (
	"sort"
	"strconv"
	"sync"
)

const (
	// slabSize holds one frame of any size, and is what a client gets in one
	// write at most. A small ring has smaller slabs, which grow for a frame.
	slabSize = 64 << 10
	// frameCost is what a frame takes beside its bytes, for the ring's budget.
	frameCost = 128
)

// slab holds frames one after another as an unfiltered client reads them, so
// that a batch for such a client is a piece of the slab and no copy.
type slab struct {
	buf    []byte // grows within its capacity, never moves
	frames []Frame
	ends   []int // where each frame's bytes end in buf
}

// ring holds the newest events, each encoded once, for all readers. Its ids
// have no holes. Only a publisher that holds the log's lock may stage and
// commit; anybody may read.
type ring struct {
	maxBytes, maxEvents int

	mu    sync.RWMutex
	slabs []*slab
	count int
	bytes int
	last  uint64        // the newest event that readers see
	wake  chan struct{} // closed when last has grown

	// tail is the slab being filled, and staged its bytes with a frame that
	// readers do not see yet. Both are the publisher's alone.
	tail   *slab
	staged []byte
}

func newRing(last uint64, maxBytes, maxEvents int) *ring {
	return &ring{maxBytes: maxBytes, maxEvents: maxEvents, last: last, wake: make(chan struct{})}
}

// stage encodes the frame of one event into the slab, where nobody sees it
// before commit. body is the event's JSON less brace and id. The second result
// is the line for the disk, the JSON with its newline.
func (r *ring) stage(f Frame, body []byte) (Frame, []byte) {
	need := len(body) + len(wireID+wireData+`{"id":,`) + 2*20 + 2
	if r.tail == nil || cap(r.tail.buf)-len(r.tail.buf) < need {
		r.tail = &slab{buf: make([]byte, 0, max(min(slabSize, r.maxBytes/8), need))}
	}
	buf := r.tail.buf
	buf = strconv.AppendUint(append(buf, wireID...), f.ID, 10)
	buf = append(buf, wireData...)
	start := len(buf)
	buf = strconv.AppendUint(append(buf, `{"id":`...), f.ID, 10)
	buf = append(append(buf, ','), body...)
	end := len(buf)
	buf = append(buf, '\n', '\n')
	f.data = buf[start:end:end]
	r.staged = buf
	return f, buf[start : end+1 : end+1]
}

// commit shows a staged frame to readers. The caller wakes them.
func (r *ring) commit(f Frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.tail
	s.buf = r.staged
	if len(s.frames) == 0 {
		r.slabs = append(r.slabs, s)
		r.bytes += cap(s.buf)
	}
	s.frames = append(s.frames, f)
	s.ends = append(s.ends, len(s.buf))
	r.count++
	r.last = f.ID
	for len(r.slabs) > 1 && (r.bytes+r.count*frameCost > r.maxBytes || r.count > r.maxEvents) {
		r.count -= len(r.slabs[0].frames)
		r.bytes -= cap(r.slabs[0].buf)
		r.slabs[0] = nil
		r.slabs = r.slabs[1:]
	}
}

// broadcast wakes all who wait.
func (r *ring) broadcast() {
	r.mu.Lock()
	wake := r.wake
	r.wake = make(chan struct{})
	r.mu.Unlock()
	close(wake)
}

func (r *ring) lastID() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.last
}

// first is the oldest id held, or the next one to come where none is.
func (r *ring) first() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.firstLocked()
}

func (r *ring) firstLocked() uint64 { return r.last + 1 - uint64(r.count) }

// view is what the ring holds for a reader that wants id `next` and on.
type view struct {
	frames []Frame       // from one slab; empty when there is nothing new
	wire   []byte        // their bytes, as an unfiltered client reads them
	first  uint64        // the oldest id held; more than next: fell off
	wake   chan struct{} // closed once there is more
}

func (r *ring) view(next uint64) view {
	r.mu.RLock()
	defer r.mu.RUnlock()
	v := view{first: r.firstLocked(), wake: r.wake}
	if next > r.last || next < v.first {
		return v
	}
	i := sort.Search(len(r.slabs), func(i int) bool { return r.slabs[i].frames[0].ID > next }) - 1
	s := r.slabs[i]
	at := int(next - s.frames[0].ID)
	start := 0
	if at > 0 {
		start = s.ends[at-1]
	}
	n := len(s.frames)
	v.frames, v.wire = s.frames[at:n:n], s.buf[start:s.ends[n-1]:s.ends[n-1]]
	return v
}
