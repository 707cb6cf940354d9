package systemd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/abide-agent/abide/internal/testkit/systemdbox"
	"github.com/abide-agent/abide/units"
)

// BenchmarkInBox measures the engine in a container with a real systemd, beside
// a bare D-Bus program: the floor.
//
//	go test -run '^$' -bench InBox -benchtime 5x ./units/systemd
func BenchmarkInBox(b *testing.B) {
	if !systemdbox.Inside() {
		box := systemdbox.Start(b)
		box.Install(b, pkg)
		box.RunTests(b, "^$", "-test.bench=^BenchmarkInBox$", "-test.benchtime=5x")
		return
	}
	for _, n := range []int{1, 300, 1000} {
		b.Run(fmt.Sprintf("floor/start-%d", n), func(b *testing.B) { benchFloor(b, n) })
		b.Run(fmt.Sprintf("engine/start-%d", n), func(b *testing.B) { benchStart(b, n) })
	}
	b.Run("engine/seen", benchSeen)
	b.Run("engine/change", benchChange)
	b.Run("engine/converged-1000", benchConverged)
}

var benchRound int

// fresh gives names that systemd has never heard of.
func fresh(n int) []string {
	benchRound++
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("bench-%d-%d-%d.service", os.Getpid(), benchRound, i)
	}
	return names
}

// bare is the least that can be done: files are written, StartUnit is sent for
// all, and JobRemoved is waited for.
type bare struct {
	mu   sync.Mutex
	done map[dbus.ObjectPath]bool
	cond *sync.Cond
	bus  *bus
	// slots are as many jobs as systemd's connection to the bus survives.
	slots chan struct{}
}

func (f *bare) DeliverSignal(_, member string, s *dbus.Signal) {
	if member != "JobRemoved" {
		return
	}
	f.mu.Lock()
	f.done[s.Body[1].(dbus.ObjectPath)] = true
	f.mu.Unlock()
	f.cond.Broadcast()
	<-f.slots
}

func newBare(b *testing.B) *bare {
	f := &bare{done: map[dbus.ObjectPath]bool{}, slots: make(chan struct{}, maxJobs)}
	f.cond = sync.NewCond(&f.mu)
	var err error
	if f.bus, err = dial(b.Context(), "", f); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(f.bus.close)
	if err := f.bus.conn.AddMatchSignal(dbus.WithMatchMember("JobRemoved")); err != nil {
		b.Fatal(err)
	}
	if _, err := f.bus.call(b.Context(), managerPath, manager+"Subscribe"); err != nil {
		b.Fatal(err)
	}
	return f
}

func (f *bare) all(b *testing.B, method string, names []string) {
	jobs := make(chan dbus.ObjectPath, len(names))
	var group sync.WaitGroup
	for _, name := range names {
		f.slots <- struct{}{}
		p := f.bus.send(b.Context(), managerPath, manager+method, name, "replace")
		group.Go(func() {
			body, err := p.wait(b.Context())
			if err != nil {
				b.Error(err)
				return
			}
			jobs <- body[0].(dbus.ObjectPath)
		})
	}
	group.Wait()
	close(jobs)
	f.mu.Lock()
	defer f.mu.Unlock()
	for job := range jobs {
		for !f.done[job] {
			f.cond.Wait()
		}
	}
}

func benchFloor(b *testing.B, n int) {
	f := newBare(b)
	for b.Loop() {
		names := fresh(n)
		for _, name := range names {
			if err := os.WriteFile(filepath.Join("/etc/systemd/system", name), []byte(sleeper), 0o644); err != nil {
				b.Fatal(err)
			}
		}
		f.all(b, "StartUnit", names)
		b.StopTimer()
		f.all(b, "StopUnit", names)
		for _, name := range names {
			os.Remove(filepath.Join("/etc/systemd/system", name))
		}
		b.StartTimer()
	}
}

func benchEngine(b *testing.B) *Engine {
	e := open(b, b.TempDir())
	b.Cleanup(func() { _ = e.Close() })
	if _, err := e.States(b.Context(), true); err != nil {
		b.Fatal(err)
	}
	return e
}

func batchOf(names []string, text string) []units.Target {
	batch := make([]units.Target, len(names))
	for i, name := range names {
		batch[i] = launched(name, text)
	}
	return batch
}

// must converges a batch that must succeed.
func must(b *testing.B, e *Engine, batch []units.Target) {
	e.Converge(b.Context(), batch, time.Minute, func(t units.Target, r units.Result) {
		if r.Err != nil {
			b.Errorf("%s: %v", t.Name, r.Err)
		}
	})
}

func removal(names []string) []units.Target {
	batch := make([]units.Target, len(names))
	for i, name := range names {
		batch[i] = units.Target{Name: name, Remove: true}
	}
	return batch
}

// benchStart measures until the last unit is seen running; the report comes when
// it has been watched for a moment.
func benchStart(b *testing.B, n int) {
	e := benchEngine(b)
	var gone, reported []time.Duration
	for b.Loop() {
		names := fresh(n)
		batch := batchOf(names, sleeper)
		began := time.Now()
		running := make(chan struct{})
		ctx, cancel := context.WithCancel(b.Context())
		go func() {
			defer close(running)
			w := e.memory.watch()
			defer e.memory.unwatch(w)
			up := map[string]bool{}
			for len(up) < n {
				select {
				case <-w.wake:
				case <-ctx.Done():
					return
				}
				for _, name := range w.take() {
					if u, _ := e.memory.get(name); u.run.active == "active" {
						up[name] = true
					}
				}
			}
		}()
		done := make(chan struct{})
		go func() { must(b, e, batch); reported = append(reported, time.Since(began)); close(done) }()
		<-running
		b.StopTimer()
		<-done
		cancel()
		began = time.Now()
		must(b, e, removal(names))
		gone = append(gone, time.Since(began))
		b.StartTimer()
	}
	b.ReportMetric(median(gone), "ms/removed")
	b.ReportMetric(median(reported), "ms/reported")
}

func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2]) / float64(time.Millisecond)
}

// benchSeen measures from the end of a process to when it is known.
func benchSeen(b *testing.B) {
	e := benchEngine(b)
	names := fresh(1)
	batch := batchOf(names, sleeper)
	for b.Loop() {
		b.StopTimer()
		must(b, e, batch)
		u, moved := e.memory.next(names[0])
		b.StartTimer()
		_ = syscall.Kill(u.run.pid, syscall.SIGKILL)
		for u.run.active != "failed" {
			<-moved
			u, moved = e.memory.next(names[0])
		}
	}
	must(b, e, removal(names))
}

// benchChange measures the time between two processes of a unit that changes.
func benchChange(b *testing.B) {
	e := benchEngine(b)
	names := fresh(1)
	must(b, e, batchOf(names, sleeper))
	var down []time.Duration
	round := 0
	for b.Loop() {
		round++
		var stopped time.Time
		_, moved := e.memory.next(names[0])
		done := make(chan struct{})
		go func() { must(b, e, batchOf(names, fmt.Sprintf("%sNice=%d\n", sleeper, round%20))); close(done) }()
		for up := false; !up; {
			<-moved
			var u unit
			u, moved = e.memory.next(names[0])
			switch {
			case u.run.active == "active" && !stopped.IsZero():
				down, up = append(down, time.Since(stopped)), true
			case u.run.active != "active" && stopped.IsZero():
				stopped = time.Now()
			}
		}
		<-done
	}
	b.ReportMetric(median(down), "ms/down")
	must(b, e, removal(names))
}

// benchConverged measures what it costs to find that nothing is to be done.
func benchConverged(b *testing.B) {
	e := benchEngine(b)
	names := fresh(1000)
	batch := batchOf(names, sleeper)
	must(b, e, batch)
	b.Run("converge", func(b *testing.B) {
		for b.Loop() {
			must(b, e, batch)
		}
	})
	b.Run("states", func(b *testing.B) {
		for b.Loop() {
			if s, err := e.States(b.Context(), false); err != nil || len(s) < 1000 {
				b.Fatal(err)
			}
		}
	})
	b.Run("sweep", func(b *testing.B) {
		for b.Loop() {
			if _, err := e.States(b.Context(), true); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("adopt", func(b *testing.B) {
		for b.Loop() {
			e.memory.all(func(_ string, u *unit) { u.run = running{} })
			if _, err := e.States(b.Context(), true); err != nil {
				b.Fatal(err)
			}
		}
	})
	must(b, e, removal(names))
}
