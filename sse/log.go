package sse

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/abide-agent/abide/internal/atomicfile"
)

// Log is the one ordered log of events. Its methods are safe for concurrent
// use.
type Log struct {
	opts Options
	ring *ring
	disk *disk // nil for a log in memory

	mu      sync.Mutex // publishers, one after the other
	shut    bool
	trouble trouble

	wake    chan struct{} // one slot: the ring has grown
	waiting atomic.Int64  // readers that wait for that
	kick    chan struct{} // one slot: the keeper has something to do
	closed  chan struct{}
	work    sync.WaitGroup

	streams streams
}

// Open opens the log in opts.Dir and goes on where the last process left off.
// It reads the end of the newest segment and the list of runs, no more. After
// an end that was not clean, ids go on behind all that were reserved, and a
// `gap` event names those that a crash may have swallowed.
func Open(opts Options) (*Log, error) {
	opts = opts.withDefaults()
	l := &Log{
		opts: opts,
		wake: make(chan struct{}, 1), kick: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	var last, from uint64
	if opts.Dir != "" {
		var err error
		if l.disk, last, from, err = openDisk(opts); err != nil {
			return nil, fmt.Errorf("the event log in %s cannot be opened: %w; make the directory readable and writable for the agent, or move it away to begin a new log", opts.Dir, err)
		}
	}
	l.ring = newRing(last, opts.RingBytes, opts.RingEvents)
	l.streams.init()
	l.work.Go(l.notify)
	l.work.Go(l.keep)
	if from != 0 {
		l.Publish(Event{
			Type: TypeGap, Level: Warning,
			Message: fmt.Sprintf("The agent did not end cleanly: events %d to %d, if there were any, are lost", from, last),
			Fields:  map[string]any{"from": from, "to": last},
		})
	}
	return l, nil
}

// openDisk gives the id to go on from, and the first one of a gap before it.
func openDisk(opts Options) (d *disk, last, gap uint64, err error) {
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, 0, 0, err
	}
	if err := atomicfile.RemoveTemps(opts.Dir); err != nil {
		return nil, 0, 0, err
	}
	d = &disk{dir: opts.Dir, ids: reservation{path: filepath.Join(opts.Dir, idsFile)}}
	state, found, err := readIDs(opts.Dir)
	if err != nil {
		return nil, 0, 0, err
	}
	main, written, err := openSegments(opts.Dir, opts.SegmentBytes, opts.Retain)
	if err != nil {
		return nil, 0, 0, err
	}
	d.main = main
	if opts.RunDir != nil {
		runs, lastOutput, err := openRuns(opts.Dir, opts.RunDir)
		if err != nil {
			return nil, 0, 0, errors.Join(err, main.close())
		}
		d.runs, written = runs, max(written, lastOutput)
	}
	last = max(written, state.Reserved)
	if !found && written > 0 {
		last += idBlock // the file of ids is gone: stay clear of what it said
	}
	if last > written && !state.Clean {
		gap = written + 1
	}
	if err := d.ids.atLeast(last + 1); err != nil {
		return nil, 0, 0, errors.Join(err, d.close())
	}
	return d, last, gap, nil
}

// LastID gives the id of the newest event, 0 before the first.
func (l *Log) LastID() uint64 { return l.ring.lastID() }

// oldest is the lowest id that a replay can give.
func (l *Log) oldest() uint64 {
	if l.disk != nil {
		return l.disk.main.oldest()
	}
	return l.ring.first()
}

// Corrupt counts the damaged lines that readers came across and left out.
func (l *Log) Corrupt() uint64 {
	if l.disk == nil {
		return 0
	}
	return l.disk.corrupt.Load()
}

// RemoveRun deletes the stored output of a run, and the run's directory if that
// is empty then. A replay that would have met the output says that it is gone.
func (l *Log) RemoveRun(run string) error {
	if l.disk == nil || l.disk.runs == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shut {
		return ErrClosed
	}
	if err := l.disk.runs.remove(run, l.disk.main.oldest()); err != nil {
		return fmt.Errorf("the output of run %s could not be removed: %w", run, err)
	}
	return nil
}

// Close ends all streams and readers, makes everything durable, and records
// that nothing is missing. An event published later is not stored and gets no
// id.
func (l *Log) Close() error {
	l.CloseStreams()
	l.mu.Lock()
	if l.shut {
		l.mu.Unlock()
		return nil
	}
	l.shut = true
	l.mu.Unlock()
	close(l.closed)
	l.work.Wait()
	if l.disk == nil {
		return nil
	}
	l.mu.Lock()
	l.flush()
	unwritten := len(l.trouble.backlog)
	l.mu.Unlock()
	err := l.disk.close()
	if unwritten > 0 {
		return errors.Join(fmt.Errorf("%d events could not be written", unwritten), err)
	}
	return errors.Join(err, l.disk.ids.finish(l.ring.lastID()))
}

func (d *disk) sync() error {
	err := d.main.sync()
	if d.runs != nil {
		err = errors.Join(err, d.runs.sync())
	}
	return err
}

func (d *disk) close() error {
	var err error
	if d.runs != nil {
		err = d.runs.close(d.dir)
	}
	return errors.Join(err, d.main.close())
}
