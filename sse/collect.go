package sse

import (
	"fmt"
	"time"
)

// collect takes what comes next, without waiting. wake is set when there is
// nothing yet.
func (r *Reader) collect() (b batch, wake <-chan struct{}, err error) {
	if r.replay != nil {
		b, err = r.fromDisk()
		return b, nil, err
	}
	v := r.log.ring.view(r.next)
	switch {
	case len(v.frames) > 0:
		r.next = v.frames[len(v.frames)-1].ID + 1
		if r.filter.all() {
			return batch{frames: v.frames, wire: v.wire}, nil, nil
		}
		return batch{frames: r.selectFrom(v.frames)}, nil, nil
	case v.first <= r.next:
		return b, v.wake, nil
	}
	return b, nil, r.fellOff(v.first)
}

// fellOff deals with a reader that wants what the ring no longer holds.
func (r *Reader) fellOff(first uint64) error {
	d := r.log.disk
	if d == nil {
		if !r.quiet {
			r.notices = append(r.notices, r.stale(r.next, first, ""))
		}
		r.next, r.quiet = first, false
		return nil
	}
	replay, err := d.replay(r.next, r.mainFrom, first-1, &r.filter)
	if err != nil {
		return fmt.Errorf("the event log could not be read: %w", err)
	}
	if r.quiet {
		replay.lost()
		r.quiet = false
	}
	r.replay = replay
	return nil
}

// fromDisk reads a batch of the replay.
func (r *Reader) fromDisk() (batch, error) {
	out := r.scratch[:0]
	// What is looked at is bounded too, so that a filter that lets little pass
	// does not keep a reader from noticing that it was told to end.
	for size, n := 0, 0; size < batchBytes && n < batchLooks && !r.ended; n++ {
		if oldest, runs := r.replay.lost(); oldest != 0 || runs != 0 {
			r.notices = append(r.notices, r.lostNotice(oldest, runs))
			break
		}
		f, ok, err := r.replay.next()
		if err != nil {
			r.replay = nil // the next call begins anew behind what is given now
			if len(out) > 0 {
				break
			}
			return batch{}, fmt.Errorf("the event log could not be read: %w", err)
		}
		if !ok {
			r.next, r.replay = r.replay.to+1, nil
			break
		}
		r.next = f.ID + 1
		if r.wants(f) {
			out = append(out, f)
			size += f.wireLen()
		}
	}
	r.scratch = out
	return batch{frames: out}, nil
}

// selectFrom gives those of frames that the reader wants.
func (r *Reader) selectFrom(frames []Frame) []Frame {
	out := r.scratch[:0]
	for _, f := range frames {
		if r.wants(f) {
			out = append(out, f)
		}
		if r.ended {
			break
		}
	}
	r.scratch = out
	return out
}

func (r *Reader) wants(f Frame) bool {
	if !r.filter.Match(f) {
		return false
	}
	if !r.output {
		return true
	}
	r.ended = r.ended || TerminalRun(f.Type)
	return r.ended || f.Output()
}

func (r *Reader) lostNotice(oldest uint64, runs int) Frame {
	if oldest == 0 {
		oldest = r.next
	}
	message := ""
	if runs > 0 {
		message = fmt.Sprintf("The output of removed runs (%d) is no longer kept; the other events follow", runs)
	}
	return r.stale(r.next, oldest, message)
}

// stale is the frame that says that the events from `wanted` on are not all
// there.
func (r *Reader) stale(wanted, oldest uint64, message string) Frame {
	if message == "" {
		message = fmt.Sprintf("The events from %d to %d are no longer kept; what is left follows", wanted, oldest-1)
	}
	return unnumbered(Event{
		Type: TypeStale, Level: Warning, Message: message, Time: time.Now(),
		Fields: map[string]any{"wanted": wanted, "oldest": oldest, "last": r.log.ring.lastID()},
	})
}
