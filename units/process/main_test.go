package process

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/abide-agent/abide/units"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Subcommand {
		os.Exit(Main(os.Args[2:]))
	}
	if len(os.Args) == 3 && os.Args[1] == "test-notify" { // what systemd-notify does
		conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
		if err == nil {
			_, err = conn.Write([]byte(os.Args[2]))
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// world is one machine: its directories outlive the engines.
type world struct {
	t    *testing.T
	opts Options
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, opts: Options{Dir: filepath.Join(dir, "units"), StateDir: filepath.Join(dir, "state"), Settle: 20 * time.Millisecond}}
	// Whatever a test leaves running is stopped by a last agent.
	t.Cleanup(func() {
		e := w.open()
		defer e.Close()
		for name := range e.marks.all() {
			r := one(t, e, units.Target{Name: name, Remove: true}, time.Minute)
			if r.Err != nil {
				t.Errorf("%s could not be removed in the end: %v", name, r.Err)
			}
		}
	})
	return w
}

func (w *world) open() *Engine {
	w.t.Helper()
	e, err := New(w.opts)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// engine gives a machine with one engine.
func engine(t *testing.T) *Engine {
	t.Helper()
	w := newWorld(t)
	e := w.open()
	t.Cleanup(func() { e.Close() })
	return e
}

func target(name string, lines ...string) units.Target {
	text := []byte(strings.Join(lines, "\n") + "\n")
	return units.Target{Name: name, Want: units.Launched, Text: text, Digest: units.Content(text, nil), Source: "test", Restart: true}
}

// service is a target whose [Service] holds the lines.
func service(name string, lines ...string) units.Target {
	return target(name, append([]string{"[Service]"}, lines...)...)
}

func converge(t *testing.T, e *Engine, batch []units.Target, wait time.Duration) map[string]units.Result {
	t.Helper()
	var mu sync.Mutex
	out := map[string]units.Result{}
	e.Converge(t.Context(), batch, wait, func(t1 units.Target, r units.Result) {
		mu.Lock()
		defer mu.Unlock()
		if _, twice := out[t1.Name]; twice {
			t.Errorf("%s was reported twice", t1.Name)
		}
		out[t1.Name] = r
	})
	if len(out) != len(batch) {
		t.Errorf("%d of %d targets were reported", len(out), len(batch))
	}
	return out
}

func one(t *testing.T, e *Engine, tg units.Target, wait time.Duration) units.Result {
	t.Helper()
	var out units.Result
	e.Converge(context.Background(), []units.Target{tg}, wait, func(_ units.Target, r units.Result) { out = r })
	return out
}

const patience = 30 * time.Second

// must converges one target and wants no error.
func must(t *testing.T, e *Engine, tg units.Target) units.Result {
	t.Helper()
	r := one(t, e, tg, patience)
	if r.Err != nil {
		t.Fatalf("%s: %v\nstatus %+v\nlog %q", tg.Name, r.Err, r.Status, r.Log)
	}
	return r
}

func status(t *testing.T, e *Engine, name string) units.Status {
	t.Helper()
	all, err := e.States(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	return all[name]
}

// until waits until a unit's status is as wanted.
func until(t *testing.T, e *Engine, name string, what string, done func(units.Status) bool) units.Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		heard := e.hub.next(name)
		s := status(t, e, name)
		if done(s) {
			return s
		}
		select {
		case <-heard:
		case <-time.After(missedAfter):
		case <-ctx.Done():
			log, _ := e.Journal(context.Background(), name, 20)
			t.Fatalf("%s never was %s: %+v\nlog %q", name, what, s, log)
		}
	}
}
