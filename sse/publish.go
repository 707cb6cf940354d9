package sse

import (
	"sync"
	"time"

	"github.com/abide-agent/abide/internal/failpoint"
)

// Publish gives e its id, and its time unless it has one, writes it, and then
// shows it to readers; it never waits for any of them. It returns e as it was
// published. An event whose message does not fit one frame becomes several,
// with `part` and `parts`; the id returned is then the last one's. When the
// event cannot be written, readers get it all the same from memory, and the
// write is tried again for as long as the event is there.
func (l *Log) Publish(e Event) Event {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	tidy(&e)
	f := Frame{Type: e.Type, Run: e.Run, Job: e.Job, Stream: e.Stream}

	buf := bodies.Get().(*[]byte)
	defer bodies.Put(buf)
	parts := encode(*buf, &e)
	if len(parts) == 1 {
		*buf = parts[0] // it may have grown
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shut {
		return e
	}
	for _, body := range parts {
		e.ID = l.publish(f, body)
	}
	signal(l.wake)
	return e
}

// bodies are buffers to encode events in.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// publish writes one frame, then shows it.
func (l *Log) publish(f Frame, body []byte) uint64 {
	f.ID = l.ring.last + 1 // nobody else changes it
	f, line := l.ring.stage(f, body)
	if l.disk != nil {
		l.store(pending{f, line})
	}
	l.ring.commit(f)
	return f.ID
}

// pending is a frame with its line for the disk.
type pending struct {
	Frame
	line []byte
}

// store writes one event, or puts it behind those that wait for the disk.
func (l *Log) store(p pending) {
	t := &l.trouble
	if len(t.backlog) > 0 {
		t.postpone(p, l.ring.first())
		return
	}
	if err := l.disk.write(p); err != nil {
		t.failed(err)
		t.postpone(p, l.ring.first())
		signal(l.kick)
		return
	}
	if !t.dirty || l.disk.ids.low(p.ID) {
		t.dirty = true
		signal(l.kick)
	}
}

// write puts the line of one event where it belongs, once its id is reserved.
func (d *disk) write(p pending) error {
	if err := failpoint.Hit("sse.write"); err != nil {
		return err
	}
	if err := d.ids.atLeast(p.ID); err != nil {
		return err
	}
	if d.runs != nil && p.Output() {
		return d.runs.append(p.Run, p.ID, p.line)
	}
	if err := d.main.append(p.ID, p.line); err != nil {
		return err
	}
	if d.runs != nil && TerminalRun(p.Type) {
		d.runs.end(p.Run, p.ID)
	}
	return nil
}

// signal fills the slot of a channel, if it is empty.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
