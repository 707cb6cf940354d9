package host_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/executortest"
	"github.com/abide-agent/abide/runner/host"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newExecutor(t *testing.T, dir string) *host.Executor {
	t.Helper()
	e, err := host.New(host.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestContract(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	executortest.Run(t, func(t *testing.T) runner.Executor { return newExecutor(t, dir) }, executortest.Options{Image: "ignored:latest"})
	t.Cleanup(func() {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left in the directory: %v, error %v", left, err)
		}
	})
}

func job(items ...string) runner.Spec {
	return runner.Spec{
		Labels: runner.Labels{Agent: "a", Run: "r", Job: "j", Attempt: 1},
		Job:    &runner.Job{Name: "j", Script: items, Errexit: true},
	}
}

func TestWhatLeavesTheGroupIsEndedToo(t *testing.T) {
	t.Parallel()
	e := newExecutor(t, t.TempDir())
	rec := executortest.NewRecorder()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := e.Run(ctx, job("setsid sleep 611 &", "sleep 612 &", "echo $!", "sleep 613"), rec)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled job gives %v", err)
		}
	})
	if err := rec.Await(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	cancel()
	wg.Wait()
	if err := e.Remove(t.Context(), rec.ID()); err != nil {
		t.Error(err)
	}
	if left := processes(t, "sleep\x0061"); len(left) > 0 {
		t.Errorf("processes are left: %q", left)
	}
}

// processes gives the command lines of this machine that contain text.
func processes(t *testing.T, text string) []string {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, name := range names {
		if line, err := os.ReadFile(name); err == nil && strings.Contains(string(line), text) {
			out = append(out, fmt.Sprintf("%s %s", name, line))
		}
	}
	return out
}

func TestEnvironmentIsMinimal(t *testing.T) {
	t.Setenv("ABIDE_SECRET_OF_THE_AGENT", "x")
	e := newExecutor(t, t.TempDir())
	rec := executortest.NewRecorder()
	spec := job("env", "pwd")
	spec.Job.Env = []string{"MINE=1"}
	if _, err := e.Run(t.Context(), spec, rec); err != nil {
		t.Fatal(err)
	}
	all := "\n" + strings.Join(rec.Lines(runner.Stdout), "\n")
	if strings.Contains(all, "SECRET") || !strings.Contains(all, "\nMINE=1") || !strings.Contains(all, "\nHOME=") || !strings.Contains(all, "\nPATH=") {
		t.Errorf("the job's environment:%s", all)
	}
	if err := e.Remove(t.Context(), rec.ID()); err != nil {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	if _, err := host.New(host.Options{}); err == nil {
		t.Error("a host executor without a directory was made")
	}
	e := newExecutor(t, t.TempDir())
	spec := job("echo never")
	spec.Job.Dockerfile = "Dockerfile"
	if _, err := e.Run(t.Context(), spec, executortest.NewRecorder()); err == nil || !strings.Contains(err.Error(), "builds no images") {
		t.Errorf("a Dockerfile gives %v", err)
	}
	for _, id := range []string{"../x", "", ".hidden", "a/b"} {
		if _, err := e.Artifact(t.Context(), id, "x"); !errors.Is(err, runner.ErrGone) {
			t.Errorf("Artifact of %q gives %v", id, err)
		}
		if err := e.Remove(t.Context(), id); err != nil {
			t.Errorf("Remove of %q gives %v", id, err)
		}
	}
}
