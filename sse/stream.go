package sse

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// drainTimeout is how long CloseStreams lets clients take what was published
// before: short, because a shutdown waits for it.
const drainTimeout = 500 * time.Millisecond

// streams are the HTTP clients.
type streams struct {
	mu     sync.Mutex
	all    map[*stream]struct{}
	closed bool
	quit   chan struct{} // closed when all streams are to end
	work   sync.WaitGroup
}

func (s *streams) init() {
	s.all = map[*stream]struct{}{}
	s.quit = make(chan struct{})
}

// stream is one HTTP client.
type stream struct {
	ctx       context.Context // the request's, or shorter
	cancel    context.CancelFunc
	w         http.ResponseWriter
	rc        *http.ResponseController
	named     bool
	heartbeat time.Duration
	timeout   time.Duration

	mu  sync.Mutex
	end time.Time // when the last write must be done, once it is to end
	off bool      // the handler has returned: hands off
}

func (s *streams) add(w http.ResponseWriter, r *http.Request, timeout time.Duration) (*stream, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false
	}
	c := &stream{w: w, rc: http.NewResponseController(w), timeout: timeout}
	c.ctx, c.cancel = context.WithCancel(r.Context())
	s.all[c] = struct{}{}
	s.work.Add(1)
	// A server's limit on reading a request is none on how long a stream lasts.
	_ = c.rc.SetReadDeadline(time.Time{})
	return c, true
}

func (s *streams) remove(c *stream) {
	c.cancel()
	c.mu.Lock()
	c.off = true
	c.mu.Unlock()
	s.mu.Lock()
	delete(s.all, c)
	s.mu.Unlock()
	s.work.Done()
}

// Clients counts the HTTP streams.
func (l *Log) Clients() int {
	l.streams.mu.Lock()
	defer l.streams.mu.Unlock()
	return len(l.streams.all)
}

// CloseStreams ends all HTTP streams, after what was published so far or after
// half a second, and returns when they have ended. New ones get 503. It is
// called at a shutdown, after the last event and before http.Server.Shutdown,
// which would wait for them.
func (l *Log) CloseStreams() {
	s := &l.streams
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		end := time.Now().Add(drainTimeout)
		for c := range s.all {
			c.endBy(end)
			timer := time.AfterFunc(drainTimeout, c.cancel)
			defer timer.Stop()
		}
		close(s.quit)
	}
	s.mu.Unlock()
	s.work.Wait()
}

// endBy interrupts a write that waits for a stalled client.
func (c *stream) endBy(end time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end = end
	if !c.off {
		_ = c.rc.SetWriteDeadline(end)
	}
}

// deadline gives the client its time for the next batch. Not every writer has
// deadlines; then nothing is lost but the limit.
func (c *stream) deadline() {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := time.Now().Add(c.timeout)
	if !c.end.IsZero() {
		at = c.end
	}
	_ = c.rc.SetWriteDeadline(at)
}

// follow sends all that the reader gives, and a comment when that is nothing.
// It returns when the client is gone, the reader has ended, or its time is up.
func (c *stream) follow(r *Reader) {
	idle := time.NewTimer(c.heartbeat)
	defer idle.Stop()
	for {
		b, err := r.batch(c.ctx, idle.C)
		if errors.Is(err, errTick) {
			err = c.write([]byte(": heartbeat\n\n"))
		} else if err == nil {
			err = c.send(b)
		}
		if err != nil {
			return
		}
		idle.Reset(c.heartbeat)
	}
}

// wires are buffers for the streams that cannot send a piece of the ring.
var wires = sync.Pool{New: func() any { return new([]byte) }}

// send writes a batch with one Write and one Flush.
func (c *stream) send(b batch) error {
	if b.wire != nil && !c.named {
		return c.write(b.wire)
	}
	buf := wires.Get().(*[]byte)
	defer wires.Put(buf)
	out := (*buf)[:0]
	for _, f := range b.frames {
		out = f.appendWire(out, c.named)
	}
	*buf = out
	return c.write(out)
}

func (c *stream) write(p []byte) error {
	c.deadline()
	if _, err := c.w.Write(p); err != nil {
		return err
	}
	return c.rc.Flush()
}
