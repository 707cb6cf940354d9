package process

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/abide-agent/abide/units"
)

func benchEngine(b *testing.B) *Engine {
	b.Helper()
	dir := b.TempDir()
	e, err := New(Options{Dir: filepath.Join(dir, "units"), StateDir: filepath.Join(dir, "state"), Settle: time.Nanosecond})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Close() })
	return e
}

func do(b *testing.B, e *Engine, batch ...units.Target) {
	b.Helper()
	e.Converge(b.Context(), batch, time.Minute, func(t units.Target, r units.Result) {
		if r.Err != nil {
			b.Errorf("%s: %v", t.Name, r.Err)
		}
	})
}

// BenchmarkStart is one unit from nothing to running.
func BenchmarkStart(b *testing.B) {
	e := benchEngine(b)
	tg := service("a.service", "ExecStart=/bin/sleep 1000")
	for b.Loop() {
		do(b, e, tg)
		b.StopTimer()
		do(b, e, units.Target{Name: "a.service", Remove: true})
		b.StartTimer()
	}
}

// BenchmarkStop is one running unit stopped and removed.
func BenchmarkStop(b *testing.B) {
	e := benchEngine(b)
	tg := service("a.service", "ExecStart=/bin/sleep 1000")
	for b.Loop() {
		b.StopTimer()
		do(b, e, tg)
		b.StartTimer()
		do(b, e, units.Target{Name: "a.service", Remove: true})
	}
}

// BenchmarkRestart is the time from a kill to the next process, for a unit that
// is restarted at once.
func BenchmarkRestart(b *testing.B) {
	e := benchEngine(b)
	do(b, e, target("a.service", "[Unit]", "StartLimitIntervalSec=0", "[Service]", "ExecStart=/bin/sleep 1000", "Restart=always", "RestartSec=0"))
	for b.Loop() {
		r := e.run("a.service")
		if err := syscall.Kill(r.Main.PID, syscall.SIGKILL); err != nil {
			b.Fatal(err)
		}
		_, err := e.await(b.Context(), "a.service", func(now run) bool { return now.Active == "active" && now.Main != r.Main })
		if err != nil {
			b.Fatal(err)
		}
	}
	do(b, e, units.Target{Name: "a.service", Remove: true})
}

// BenchmarkStates is a look at a thousand placed units: at each file and
// process, and in memory.
func BenchmarkStates(b *testing.B) {
	e := benchEngine(b)
	var batch []units.Target
	for i := range 1000 {
		tg := service(fmt.Sprintf("a%d.service", i), "ExecStart=/bin/sleep 1000")
		tg.Want = units.Loaded
		batch = append(batch, tg)
	}
	do(b, e, batch...)
	for _, fresh := range []bool{true, false} {
		b.Run(fmt.Sprintf("fresh=%v", fresh), func(b *testing.B) {
			for b.Loop() {
				if all, err := e.States(b.Context(), fresh); len(all) != 1000 || err != nil {
					b.Fatal(len(all), err)
				}
			}
		})
	}
}
