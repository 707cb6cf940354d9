// Package enginetest holds every [units.Engine] to the same promises. It knows
// the contract, and shell scripts that behave well or badly; it never knows
// which engine it tests, beyond what [Options] say.
package enginetest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/abide-agent/abide/units"
)

// Options say what an engine offers beyond the contract, and where it is.
type Options struct {
	// Dir is where the engine places unit files.
	Dir string
	// Reopen closes an engine and opens another over the same state, as a new
	// start of the agent does. It must be given.
	Reopen func(t testing.TB, e units.Engine) units.Engine
	// Notify is a shell command with which a unit of Type=notify (and
	// NotifyAccess=all) says that it is ready. Empty: the type isn't supported.
	Notify string
	// Install says that [Install] means something to the engine.
	Install bool
	// Seen bounds the time until a killed process, or a changed file, is told.
	Seen time.Duration
	// Many is the size of the big batch: 100 when zero.
	Many int
}

// Run runs the suite. open gives a new engine with a state of its own; the suite
// closes it. Units get names that are used once.
func Run(t *testing.T, open func(t testing.TB) units.Engine, opts Options) {
	if opts.Many == 0 {
		opts.Many = 100
	}
	if opts.Seen == 0 {
		opts.Seen = 2 * time.Second
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.run(newWorld(t, open(t), opts))
		})
	}
}

var cases = slices.Concat(lifeCases, failCases, orderCases, driftCases, manyCases)

type testCase struct {
	name string
	run  func(*world)
}

// patience is how long anything that is to succeed may take on a busy machine.
const patience = 30 * time.Second

// world is one engine and what the test did with it.
type world struct {
	*testing.T
	opts   Options
	engine units.Engine

	mu    sync.Mutex
	names map[string]bool // placed, to be cleared away
	told  chan struct{}   // something changed
	stop  func()
}

var serial atomic.Int64

func newWorld(t *testing.T, e units.Engine, opts Options) *world {
	w := &world{T: t, opts: opts, engine: e, names: map[string]bool{}, told: make(chan struct{}, 1)}
	w.watch()
	t.Cleanup(w.clear)
	return w
}

// name makes a name that nothing else has.
func (w *world) name(stem string) string {
	return fmt.Sprintf("abide-t%d-%d-%s", os.Getpid(), serial.Add(1), stem)
}

// watch keeps told going as long as the engine lives.
func (w *world) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	engine := w.engine
	go func() {
		done <- engine.Watch(ctx, func(string) {
			select {
			case w.told <- struct{}{}:
			default:
			}
		})
	}()
	w.stop = func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				w.Errorf("Watch ended with %v", err)
			}
		case <-time.After(patience):
			w.Error("Watch goes on after its context ended")
		}
	}
}

// reopen is a new start of the agent.
func (w *world) reopen() {
	w.Helper()
	w.stop()
	w.engine = w.opts.Reopen(w, w.engine)
	w.watch()
}

// clear takes everything away that the test placed, at its end.
func (w *world) clear() {
	states, _ := w.engine.States(context.Background(), false)
	var batch []units.Target
	for _, name := range slices.Sorted(maps.Keys(w.names)) {
		batch = append(batch, units.Target{Name: name, Remove: true})
		if s := states[name]; s.PID > 0 {
			_ = syscall.Kill(s.PID, syscall.SIGKILL)
		}
	}
	w.engine.Converge(context.Background(), batch, patience, func(t units.Target, r units.Result) {
		if r.Err != nil {
			w.Errorf("clearing %s away: %v", t.Name, r.Err)
		}
	})
	w.stop()
	if err := w.engine.Close(); err != nil {
		w.Errorf("closing the engine: %v", err)
	}
}

// sleeper is a service that runs until it is stopped.
const sleeper = "[Service]\nExecStart=/bin/sleep 1d\n"

// script is a service whose program is a shell script.
func script(options, text string) string {
	return fmt.Sprintf("[Service]\n%sExecStart=/bin/sh -c '%s'\n", options, text)
}

// target makes a launched target of a text.
func target(name, text string, dropIns ...units.DropIn) units.Target {
	return units.Target{
		Name: name, Want: units.Launched, Text: []byte(text), DropIns: dropIns, Source: "test", Restart: true,
		Digest: units.Content([]byte(text), dropIns),
	}
}

// converge makes a batch true and gives the results by name. Each target must be
// reported once, one at a time.
func (w *world) converge(wait time.Duration, batch ...units.Target) map[string]units.Result {
	w.Helper()
	w.mu.Lock()
	for _, t := range batch {
		w.names[t.Name] = true
	}
	w.mu.Unlock()
	var within atomic.Int32
	out := map[string]units.Result{}
	w.engine.Converge(w.Context(), batch, wait, func(t units.Target, r units.Result) {
		if within.Add(1) != 1 {
			w.Error("two reports at a time")
		}
		if _, twice := out[t.Name]; twice {
			w.Errorf("%s was reported twice", t.Name)
		}
		out[t.Name] = r
		within.Add(-1)
	})
	if len(out) != len(batch) {
		w.Fatalf("%d of %d targets were reported", len(out), len(batch))
	}
	return out
}

// launch converges a batch that must succeed.
func (w *world) launch(batch ...units.Target) map[string]units.Result {
	w.Helper()
	out := w.converge(patience, batch...)
	for name, r := range out {
		if r.Err != nil {
			w.Fatalf("%s: %v\n%q", name, r.Err, r.Log)
		}
	}
	return out
}

// status gives what the engine says of a unit, without asking anew.
func (w *world) status(name string) units.Status {
	w.Helper()
	states, err := w.engine.States(w.Context(), false)
	if err != nil {
		w.Fatal(err)
	}
	return states[name]
}

// until waits until the engine says of a unit what is wanted, and gives how long
// that took.
func (w *world) until(name, what string, good func(units.Status) bool) time.Duration {
	w.Helper()
	began := time.Now()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		s := w.status(name)
		if good(s) {
			return time.Since(began)
		}
		select {
		case <-w.told:
		case <-timer.C:
			w.Fatalf("%s is not %s: %+v", name, what, s)
		}
	}
}

// isState waits for one of fleet's words.
func (w *world) isState(name string, want units.State) {
	w.Helper()
	w.until(name, string(want), func(s units.Status) bool { return s.State() == want })
}

func (w *world) path(name string) string { return filepath.Join(w.opts.Dir, name) }

func (w *world) read(name string) string {
	w.Helper()
	text, err := os.ReadFile(w.path(name))
	if err != nil {
		w.Fatal(err)
	}
	return string(text)
}

func (w *world) write(path, text string) {
	w.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.Fatal(err)
	}
}

func (w *world) gone(path string) {
	w.Helper()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		w.Errorf("%s is still there (%v)", path, err)
	}
}

// did checks what a result says was done.
func (w *world) did(r units.Result, want ...string) {
	w.Helper()
	if !slices.Equal(r.Did, want) {
		w.Errorf("%s: did %q, want %q", r.Status.Name, r.Did, want)
	}
}

func remove(name string) units.Target { return units.Target{Name: name, Remove: true} }
