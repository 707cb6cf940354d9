package sse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// ErrClosed is what a reader gets once the log, or the reader, was closed.
var ErrClosed = errors.New("the event log is closed")

// errTick ends a wait so that a stream can send its heartbeat.
var errTick = errors.New("tick")

const (
	batchBytes = 64 << 10 // about how much one batch holds
	batchLooks = 512      // how often one batch looks for an event on the disk
)

// Reader follows the log from one id on: first what exists, from memory or
// disk, then what comes. It never slows a publisher down, however slow it is
// itself. It is for one goroutine; only Close and Finish may be called from
// others.
type Reader struct {
	log    *Log
	filter Filter
	output bool // a run's output and its end, nothing else

	next     uint64 // the lowest id not yet looked at
	mainFrom uint64 // from here on transitions are wanted
	quiet    bool   // the caller asked for what there is: nothing is missing
	notices  []Frame
	replay   *replay
	scratch  []Frame
	ended    bool // the terminal event went by

	quit   <-chan struct{} // when it is closed, the reader finishes
	closed chan struct{}
	close  sync.Once

	mu   sync.Mutex
	stop uint64        // the last id to deliver, where finish is closed
	fin  chan struct{} // closed by Finish
}

// Read starts a reader at the event after `since`: 0 means from the beginning
// of what is kept, [Log.LastID] means what comes from now on. Where events
// after `since` are gone, a `stale` frame comes first; likewise where there
// never was an event `since`, and then the reader goes on live.
func (l *Log) Read(since uint64, f Filter) *Reader {
	r := l.newReader(f)
	last := l.ring.lastID()
	if since > last {
		r.next = last + 1
		r.notices = append(r.notices, r.stale(since, l.oldest(), fmt.Sprintf(
			"Event %d is not in this log, whose last one is %d: it may have been begun anew; going on live", since, last)))
		return r
	}
	r.next, r.quiet = since+1, since == 0 && last > 0
	return r
}

// ReadRun starts a reader of one run's output and of its terminal event, from
// the beginning. After the terminal event [Reader.Next] gives io.EOF, at once
// where that is known to have passed. The log does not know of runs that ended
// without output: a caller that follows a run first calls ReadRun, then looks
// whether the run is over, and if so calls [Reader.Finish].
func (l *Log) ReadRun(run string) *Reader {
	r := l.newReader(Filter{Run: run})
	r.output, r.quiet, r.next = true, true, 1
	r.mainFrom = l.ring.lastID() + 1
	if l.disk == nil || l.disk.runs == nil {
		r.mainFrom = 1
	} else if end := l.disk.runs.ended(run); end != 0 {
		r.mainFrom = end
		r.Finish()
	}
	return r
}

func (l *Log) newReader(f Filter) *Reader {
	return &Reader{log: l, filter: f, closed: make(chan struct{}), fin: make(chan struct{})}
}

// Close ends the reader; a Next that waits returns ErrClosed.
func (r *Reader) Close() { r.close.Do(func() { close(r.closed) }) }

// Finish makes the reader end with io.EOF after what exists now.
func (r *Reader) Finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.fin:
	default:
		r.stop = r.log.ring.lastID()
		close(r.fin)
	}
}

// Next waits for events and gives as many as there are, up to about 64 KiB of
// them and at least one. Its errors are ctx's, ErrClosed, io.EOF at the end,
// and those of reading the disk. The slice is good until the next call; the
// frames stay good.
func (r *Reader) Next(ctx context.Context) ([]Frame, error) {
	b, err := r.batch(ctx, nil)
	return b.frames, err
}

// batch is a run of frames; wire are their bytes as an unfiltered client reads
// them, where those exist already.
type batch struct {
	frames []Frame
	wire   []byte
}

// batch waits for frames, or for the tick.
func (r *Reader) batch(ctx context.Context, tick <-chan time.Time) (batch, error) {
	for {
		if len(r.notices) > 0 {
			b := batch{frames: r.notices}
			r.notices = nil
			return b, nil
		}
		if r.done() {
			return batch{}, io.EOF
		}
		if err := ctx.Err(); err != nil {
			return batch{}, err
		}
		select {
		case <-r.closed:
			return batch{}, ErrClosed
		case <-r.quit:
			r.quit = nil
			r.Finish()
			continue
		default:
		}
		b, wake, err := r.collect()
		if err != nil || len(b.frames) > 0 {
			return b, err
		}
		if wake == nil {
			continue
		}
		if err := r.wait(ctx, wake, tick); err != nil {
			return batch{}, err
		}
	}
}

// wait returns nil when it is worth to look again.
func (r *Reader) wait(ctx context.Context, wake <-chan struct{}, tick <-chan time.Time) error {
	r.log.waiting.Add(1)
	defer r.log.waiting.Add(-1)
	select {
	case <-wake:
	case <-r.fin:
	case <-r.quit: // dealt with at the next look
	case <-tick:
		return errTick
	case <-ctx.Done():
		return ctx.Err()
	case <-r.closed:
		return ErrClosed
	case <-r.log.closed:
		return ErrClosed
	}
	return nil
}

// done says that all was delivered that was to be.
func (r *Reader) done() bool {
	if r.ended {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.fin:
		return r.next > r.stop
	default:
		return false
	}
}
