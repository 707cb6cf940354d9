package process

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/abide-agent/abide/units"
)

// TestNextAgent has a second agent find what a first one left running.
func TestNextAgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.open()
	tg := service("a.service", "ExecStart=/bin/sleep 1000", "Restart=always")
	before := must(t, first, tg).Status
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := w.open()
	defer second.Close()
	if now := status(t, second, "a.service"); now.PID != before.PID || now.Active != "active" {
		t.Fatalf("before %+v, now %+v", before, now)
	}
	if r := must(t, second, tg); r.Status.PID != before.PID || len(r.Did) > 0 {
		t.Errorf("it did %q", r.Did)
	}
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, second, "a.service", "restarted", func(s units.Status) bool { return s.Active == "active" && s.PID != before.PID })
	if err := second.Stop(t.Context(), "a.service"); err != nil {
		t.Error(err)
	}
}

// TestSupervisorKilled has the engine replace supervisors that were killed.
func TestSupervisorKilled(t *testing.T) {
	t.Parallel()
	e := engine(t)
	gate := filepath.Join(t.TempDir(), "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	// It prints after its supervisor was killed, which must not end it.
	must(t, e, service("a.service", "ExecStart=/bin/sh -c 'while read x < "+gate+"; do echo $x; done'"))
	before := e.run("a.service")
	if err := syscall.Kill(before.Supervisor.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, e, "a.service", "adopted", func(s units.Status) bool {
		now := e.run("a.service")
		return now.kind == running && now.Supervisor != before.Supervisor && s.Active == "active"
	})
	if now := e.run("a.service"); now.Main != before.Main {
		t.Fatalf("before %+v, now %+v", before.Main, now.Main)
	}
	if err := os.WriteFile(gate, []byte("after\n"), 0); err != nil {
		t.Fatal(err)
	}
	until(t, e, "a.service", "heard", func(units.Status) bool {
		log, _ := e.Journal(t.Context(), "a.service", 5)
		return strings.Contains(strings.Join(log, "\n"), "after")
	})
	if err := e.Stop(t.Context(), "a.service"); err != nil {
		t.Fatal(err)
	}
	if before.Main.Alive() {
		t.Error("the process still lives")
	}
	if s := status(t, e, "a.service"); s.Active != "inactive" && s.Active != "failed" {
		t.Errorf("%+v", s)
	}
}

// TestSupervisorKilledEarly has a supervisor die while its unit starts, and
// another while its unit has no process.
func TestSupervisorKilledEarly(t *testing.T) {
	t.Parallel()
	e := engine(t)
	slow := service("slow.service", "ExecStartPre=/bin/sleep 1000", "ExecStart=/bin/sleep 1001")
	if r := one(t, e, slow, 100*time.Millisecond); !errors.Is(r.Err, units.ErrBusy) {
		t.Fatal(r.Err)
	}
	until(t, e, "slow.service", "starting", func(s units.Status) bool { return s.Sub == "start-pre" })
	mark := []byte(e.run("slow.service").Invocation)
	if err := syscall.Kill(e.run("slow.service").Supervisor.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, e, "slow.service", "taken down", func(s units.Status) bool { return s.Active == "failed" })
	until(t, e, "slow.service", "left without a process", func(units.Status) bool { return len(marked(mark)) == 0 })

	file := filepath.Join(t.TempDir(), "stopped")
	must(t, e, service("idle.service", "Type=oneshot", "RemainAfterExit=yes", "ExecStart=/bin/true", "ExecStop=/bin/touch "+file))
	before := e.run("idle.service").Supervisor
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, e, "idle.service", "adopted", func(s units.Status) bool {
		r := e.run("idle.service")
		return r.kind == running && r.Supervisor != before && s.Sub == "exited"
	})
	if err := e.Stop(t.Context(), "idle.service"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

// marked lists the processes whose environment holds a mark. One that was just
// killed may be there for a moment more.
func marked(mark []byte) (out []string) {
	found, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range found {
		if env, err := os.ReadFile(path); err == nil && bytes.Contains(env, mark) {
			out = append(out, path)
		}
	}
	return out
}

// TestEverythingKilled has the process and its supervisor die together.
func TestEverythingKilled(t *testing.T) {
	t.Parallel()
	e := engine(t)
	must(t, e, service("a.service", "ExecStart=/bin/sleep 1000"))
	r := e.run("a.service")
	for _, p := range []int{r.Supervisor.PID, r.Main.PID} {
		if err := syscall.Kill(p, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	s := until(t, e, "a.service", "failed", func(s units.Status) bool { return s.Active == "failed" })
	if s.State() != units.Loaded {
		t.Errorf("%+v", s)
	}
	must(t, e, service("a.service", "ExecStart=/bin/sleep 1000"))
}

// TestWatch has changes of processes and files told.
func TestWatch(t *testing.T) {
	t.Parallel()
	e := engine(t)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	told := make(chan string, 100)
	done.Go(func() {
		_ = e.Watch(ctx, func(name string) {
			select {
			case told <- name:
			default:
			}
		})
	})
	defer done.Wait()
	defer cancel()
	tg := service("a.service", "ExecStart=/bin/sleep 1000")
	tg.DropIns = []units.DropIn{{Name: "10-env.conf", Text: []byte("[Service]\nEnvironment=A=1\n")}}
	tg.Digest = units.Content(tg.Text, tg.DropIns)
	must(t, e, tg)
	pid := status(t, e, "a.service").PID

	file := filepath.Join(e.opts.Dir, "a.service")
	for what, change := range map[string]func() error{
		"edited":  func() error { return os.WriteFile(file, []byte("[Service]\nExecStart=/bin/true\n"), 0o644) },
		"drop-in": func() error { return os.WriteFile(file+".d/10-env.conf", nil, 0o644) },
		"foreign": func() error { return os.WriteFile(file+".d/99-own.conf", nil, 0o644) },
		"deleted": func() error { return os.Remove(file) },
		"masked": func() error {
			if err := os.Remove(file); err != nil {
				return err
			}
			return os.Symlink("/dev/null", file)
		},
	} {
		for len(told) > 0 {
			<-told
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if name := <-told; name != "a.service" {
			t.Errorf("%s: told %q", what, name)
		}
		s := until(t, e, "a.service", what, func(s units.Status) bool {
			return s.Missing || s.Masked || s.Digest != tg.Digest || len(s.Foreign) > 0
		})
		if s.PID != pid || s.Placed != tg.Digest {
			t.Errorf("%s: %+v", what, s)
		}
		if r := must(t, e, tg); r.Status.PID != pid || r.Status.Digest != tg.Digest || r.Status.Masked {
			t.Errorf("%s: repaired by %q: %+v", what, r.Did, r.Status)
		}
		_ = os.Remove(file + ".d/99-own.conf")
	}
	for len(told) > 0 {
		<-told
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if name := <-told; name != "a.service" {
		t.Errorf("told %q", name)
	}
}

// TestInherited has a unit hold nothing open that the agent was given by others.
func TestInherited(t *testing.T) {
	t.Parallel()
	e := engine(t)
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil { // without close-on-exec
		t.Fatal(err)
	}
	syscall.CloseOnExec(ends[0])
	reader := os.NewFile(uintptr(ends[0]), "reader")
	defer reader.Close()
	must(t, e, service("a.service", "ExecStart=/bin/sleep 1000"))
	if err := syscall.Close(ends[1]); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := reader.Read(make([]byte, 1))
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("somebody still holds the pipe")
	}
}
