package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/abide-agent/abide/internal/atomicfile"
	"github.com/abide-agent/abide/units"
	"github.com/abide-agent/abide/units/process/spec"
	"github.com/abide-agent/abide/units/process/supervisor"
)

// Subcommand is the hidden first argument with which the program starts itself
// as a supervisor. A program that holds an [Engine] begins its main with
//
//	if len(os.Args) > 1 && os.Args[1] == process.Subcommand {
//		os.Exit(process.Main(os.Args[2:]))
//	}
const Subcommand = supervisor.Subcommand

// Main is the life of such a process; args are those after [Subcommand]. It
// gives the exit code.
func Main(args []string) int { return supervisor.Main(args) }

// Options say where the engine keeps what. The zero value of a field that need
// not be given means its default.
type Options struct {
	// Dir is where unit files are placed. It must be given.
	Dir string
	// StateDir holds marks, statuses and logs. It must be given, and be kept as
	// long as units run.
	StateDir string
	// Sweep is the time between two looks at everything: a minute.
	Sweep time.Duration
	// Settle is how long a service that counts as started as soon as its program
	// runs is watched, for it may fail at once: 100 ms.
	Settle time.Duration
	// LogSize is how large the log of a unit grows before it takes the place of
	// the old one, in bytes: 1 MiB.
	LogSize int64
	// LookupEnv finds what PassEnvironment= names: os.LookupEnv.
	LookupEnv func(string) (string, bool)
}

// Engine is the [units.Engine] of a machine without systemd.
type Engine struct {
	opts   Options
	layout supervisor.Layout
	marks  *marks
	hub    *hub
	deaths *deaths
	locks  locks
	spawns chan struct{} // bounds how many supervisors start at once
	known  knowledge

	mu      sync.Mutex
	memory  map[string]units.Status
	dirty   map[string]bool
	adopted map[string]time.Time // when a unit's supervisor was last replaced
	late    map[string]*job      // reported as busy
	probed  map[string]string    // the run whose probe succeeded

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	done   sync.WaitGroup
}

var (
	_ units.Engine  = (*Engine)(nil)
	_ units.Checker = (*Engine)(nil)
)

// maxSpawns is how many supervisors start at once: more only take each other's
// time.
const maxSpawns = 8

// New finds what an earlier agent placed and started, and watches it. The caller
// ends it with Close, which touches no unit.
func New(opts Options) (*Engine, error) {
	if opts.Dir == "" || opts.StateDir == "" {
		return nil, errors.New("the process engine needs a directory for unit files and one for its state; set both")
	}
	if opts.Sweep <= 0 {
		opts.Sweep = time.Minute
	}
	if opts.Settle <= 0 {
		opts.Settle = 100 * time.Millisecond
	}
	if opts.LogSize <= 0 {
		opts.LogSize = 1 << 20
	}
	if opts.LookupEnv == nil {
		opts.LookupEnv = os.LookupEnv
	}
	for _, dir := range []*string{&opts.Dir, &opts.StateDir} {
		full, err := filepath.Abs(*dir)
		if err != nil {
			return nil, err
		}
		*dir = full
	}
	e := &Engine{
		opts: opts, layout: supervisor.Layout{Root: opts.StateDir}, spawns: make(chan struct{}, maxSpawns),
		memory: map[string]units.Status{}, dirty: map[string]bool{}, adopted: map[string]time.Time{},
		late: map[string]*job{}, probed: map[string]string{},
	}
	if err := e.prepare(); err != nil {
		return nil, fmt.Errorf("the process engine can't start: %w", err)
	}
	return e, nil
}

func (e *Engine) prepare() (err error) {
	if err := os.MkdirAll(e.opts.Dir, 0o755); err != nil {
		return err
	}
	if err := e.layout.Make(); err != nil {
		return err
	}
	if err := atomicfile.RemoveTemps(e.opts.Dir); err != nil {
		return err
	}
	if e.marks, err = openMarks(filepath.Join(e.opts.StateDir, "marks")); err != nil {
		return err
	}
	if e.deaths, err = newDeaths(); err != nil {
		return err
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.hub = newHub(e.opts.Dir, e.layout.StatusDir(), e.touched)
	e.done.Go(func() { e.deaths.run(e.died) })
	e.done.Go(func() { e.hub.run(e.ctx) })
	e.done.Go(e.sweep)
	for name := range e.marks.all() {
		e.touched(name)
	}
	return nil
}

// Close ends the watching. It touches no unit, and waits for nothing of theirs.
func (e *Engine) Close() error {
	e.cancel()
	e.deaths.close()
	e.hub.close()
	e.done.Wait()
	return nil
}

// Name implements [units.Engine].
func (e *Engine) Name() string { return "process" }

// Ping implements [units.Engine]: it needs its directories and /proc.
func (e *Engine) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, dir := range []string{e.opts.Dir, e.layout.StatusDir()} {
		if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
			return fmt.Errorf("%s can't be written (%w), so no unit can be changed: %w; make it writable for the agent", dir, err, units.ErrUnavailable)
		}
	}
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return fmt.Errorf("/proc is not mounted, so processes can't be told apart: %w; mount it", units.ErrUnavailable)
	}
	return nil
}

// Check implements [units.Checker].
func (e *Engine) Check(name string, text []byte, dropIns []units.DropIn) (ignored []string, err error) {
	return Check(name, text, dropIns)
}

// Check says whether the engine can run a unit, and which of its directives it
// ignores without harm, each as "Section/Name". An error wraps
// [units.ErrNotSupported] and names the directive, or says what is wrong with
// the file. A template is judged by its type alone: its instances are judged.
func Check(name string, text []byte, dropIns []units.DropIn) (ignored []string, err error) {
	if units.IsTemplate(name) && units.Type(name) == "service" {
		return nil, nil
	}
	c, err := spec.Compile(name, spec.Files(name, text, dropIns), spec.ThisHost())
	return c.Ignored, err
}
