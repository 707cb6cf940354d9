package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/abide-agent/abide/internal/atomicfile"
	"github.com/abide-agent/abide/units"
)

// Options say where systemd and its files are. The zero value of a field means
// its default.
type Options struct {
	// Address is the D-Bus address of the system bus. Default:
	// DBUS_SYSTEM_BUS_ADDRESS, else the one that every system has.
	Address string
	// Dir is where unit files are placed: /etc/systemd/system, so that units
	// outlive a reboot and a broken agent.
	Dir string
	// Runtime makes the links of [Install] in /run, so that they don't outlive
	// a reboot. It belongs to a Dir in /run.
	Runtime bool
	// StateDir holds the marks, which say what is abide's own. It must be given.
	StateDir string
	// Sweep is the time between two looks at everything: a minute.
	Sweep time.Duration
	// Settle is how long a service that systemd calls started as soon as it is
	// forked is watched, for it may fail at once: 100 ms.
	Settle time.Duration
}

// Engine is the [units.Engine] of a systemd machine.
type Engine struct {
	opts    Options
	marks   *marks
	link    *link
	jobs    *jobs
	memory  *memory
	files   *fileWatch
	placing chan struct{} // held while files are placed and systemd reloads
	journal chan struct{} // bounds how many read the journal at once
	sweeps  chan struct{} // asks for a sweep
	foreign chan foreignJob
	resumed *shared // the look at everything by those who lost the connection

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	done   sync.WaitGroup
}

var _ units.Engine = (*Engine)(nil)

// New starts to watch systemd and what abide placed there before. It doesn't
// wait for systemd to answer: where that fails it goes on in the background, see
// [Engine.Ping]. The caller ends it with Close.
func New(opts Options) (*Engine, error) {
	if opts.StateDir == "" {
		return nil, errors.New("the systemd engine needs a state directory")
	}
	if opts.Dir == "" {
		opts.Dir = "/etc/systemd/system"
	}
	opts.Dir = filepath.Clean(opts.Dir)
	if opts.Sweep <= 0 {
		opts.Sweep = time.Minute
	}
	if opts.Settle <= 0 {
		opts.Settle = 100 * time.Millisecond
	}
	for _, dir := range []string{opts.Dir, opts.StateDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("%w; make it, or choose another directory", err)
		}
		if err := atomicfile.RemoveTemps(dir); err != nil {
			return nil, err
		}
	}
	m, known, err := openMarks(filepath.Join(opts.StateDir, marksFile))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &Engine{
		opts: opts, marks: m, memory: newMemory(), jobs: newJobs(), ctx: ctx, cancel: cancel,
		placing: make(chan struct{}, 1), journal: make(chan struct{}, 2), sweeps: make(chan struct{}, 1), foreign: make(chan foreignJob, 64), resumed: newShared(),
	}
	for _, k := range known {
		e.memory.own(k)
	}
	e.link = newLink(opts.Address, e)
	if e.files, err = newFileWatch(e); err != nil {
		cancel()
		return nil, errors.Join(err, m.close())
	}
	e.done.Go(func() { e.link.run(ctx) })
	e.done.Go(func() { e.files.run(ctx) })
	e.done.Go(func() { e.sweepLoop(ctx) })
	return e, nil
}

// Name is what `--units` calls this engine.
func (e *Engine) Name() string { return "systemd" }

// Ping asks systemd for a sign of life.
func (e *Engine) Ping(ctx context.Context) error {
	b, err := e.link.get(ctx)
	if err != nil {
		return err
	}
	return unavailable(b.ping(ctx))
}

// Close ends the connection and all watching. No unit is touched.
func (e *Engine) Close() error {
	e.cancel()
	e.done.Wait()
	return errors.Join(e.files.close(), e.marks.close())
}

// States gives every unit that abide placed, from memory. fresh asks systemd and
// looks at the files first. With an error it gives what was last known.
func (e *Engine) States(ctx context.Context, fresh bool) (map[string]units.Status, error) {
	b, err := e.link.get(ctx)
	if err == nil && fresh {
		err = e.sweep(ctx, b)
	}
	return e.memory.statuses(), unavailable(err)
}

// Watch calls changed for each unit whose status is another than before, until
// ctx ends, which gives nil. Changes that come while changed runs become one
// call for each unit.
func (e *Engine) Watch(ctx context.Context, changed func(name string)) error {
	w := e.memory.watch()
	defer e.memory.unwatch(w)
	for {
		select {
		case <-w.wake:
			for _, name := range w.take() {
				changed(name)
			}
		case <-ctx.Done():
			return nil
		case <-e.ctx.Done():
			return errClosed
		}
	}
}

// errClosed is what a caller gets that still waits when the engine is closed.
var errClosed = fmt.Errorf("%w: the agent is stopping", units.ErrUnavailable)
