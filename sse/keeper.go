package sse

import (
	"errors"
	"fmt"
	"time"
)

// syncEvery is how long an event may be written and not yet on the disk, and
// how often a write that failed is tried again.
const syncEvery = time.Second

// trouble is what the log remembers while the disk does not take its events.
// The log's lock guards it.
type trouble struct {
	backlog  []pending // not yet written, all still in the ring
	from, to uint64    // ids that left the ring before they were written
	write    error     // why, nil when all is well
	sync     error     // why the last fsync failed, likewise
	report   error     // not yet told to OnError
	dirty    bool      // something was written since the last fsync
}

func (t *trouble) failed(err error) {
	if t.write == nil {
		t.report = err
	}
	t.write = err
}

// postpone keeps p for later. What the ring has dropped is dropped here too,
// so that a full disk does not become a full memory.
func (t *trouble) postpone(p pending, oldest uint64) {
	for len(t.backlog) > 0 && t.backlog[0].ID < oldest {
		if t.from == 0 {
			t.from = t.backlog[0].ID
		}
		t.to = t.backlog[0].ID
		t.backlog[0] = pending{}
		t.backlog = t.backlog[1:]
	}
	t.backlog = append(t.backlog, p)
}

// Err tells why events do not reach the disk at present, nil when they do.
// Readers get them from memory meanwhile.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := errors.Join(l.trouble.write, l.trouble.sync); err != nil {
		return writeError(err)
	}
	return nil
}

func writeError(err error) error {
	return fmt.Errorf("the event log cannot be written: %w; free some space or make it writable, it is tried again each second", err)
}

// wakeCost is about what it takes to wake one reader and to have it look. For
// that long per reader the next broadcast waits, so that in a burst a thousand
// readers are woken once for many events, and publishers get their turn. A
// single event, or a handful of readers, never waits.
const (
	wakeCost = 2 * time.Microsecond
	minPause = 200 * time.Microsecond
)

// notify wakes the readers. It stands between them and the publishers: who
// publishes does not pay for a thousand readers.
func (l *Log) notify() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-l.wake:
		case <-l.closed:
			return
		}
		pause := time.Duration(l.waiting.Load()) * wakeCost
		l.ring.broadcast()
		if pause < minPause {
			continue
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-l.closed:
			return
		}
	}
}

// keep does what must not hold publishers up: it reserves ids ahead, syncs what
// was written, and tries again what was not.
func (l *Log) keep() {
	if l.disk == nil {
		return
	}
	timer := time.NewTimer(syncEvery)
	timer.Stop()
	armed := false
	for {
		select {
		case <-l.kick:
			if last := l.ring.lastID(); l.disk.ids.low(last) {
				_ = l.disk.ids.atLeast(last + idBlock/2 + 1) // if not, the publisher who needs it will say
			}
			if !armed {
				timer.Reset(syncEvery)
				armed = true
			}
		case <-timer.C:
			armed = l.settle()
			if armed {
				timer.Reset(syncEvery)
			}
		case <-l.closed:
			timer.Stop()
			return
		}
		l.tell()
	}
}

// settle syncs, and says whether there is more to do in a while.
func (l *Log) settle() (again bool) {
	l.mu.Lock()
	l.flush()
	l.trouble.dirty = false
	l.mu.Unlock()

	err := l.disk.sync()

	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && l.trouble.sync == nil {
		l.trouble.report = err
	}
	l.trouble.sync = err
	return err != nil || l.trouble.dirty || l.trouble.write != nil
}

// flush writes what waits for the disk. Once that is done it publishes what
// was lost meanwhile. The caller holds the lock.
func (l *Log) flush() {
	t := &l.trouble
	for len(t.backlog) > 0 {
		if err := l.disk.write(t.backlog[0]); err != nil {
			t.failed(err)
			return
		}
		t.dirty = true
		t.backlog = t.backlog[1:]
	}
	t.backlog, t.write = nil, nil
	if t.from == 0 {
		return
	}
	from, to := t.from, t.to
	t.from, t.to = 0, 0
	e := Event{
		Type: TypeGap, Level: Warning, Time: time.Now(),
		Message: fmt.Sprintf("The disk did not take events %d to %d: they are not kept", from, to),
		Fields:  map[string]any{"from": from, "to": to},
	}
	l.publish(Frame{Type: e.Type}, encode(nil, &e)[0])
	signal(l.wake)
}

// tell hands on a new trouble, outside of all locks.
func (l *Log) tell() {
	l.mu.Lock()
	err := l.trouble.report
	l.trouble.report = nil
	l.mu.Unlock()
	if err != nil {
		l.opts.OnError(writeError(err))
	}
}
