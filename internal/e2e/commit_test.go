package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testimage"
	"github.com/abide-agent/abide/runner"
)

// one is a pipeline with one job.
func one(image, script string, extra ...string) string {
	return fmt.Sprintf("workflow: [job]\njob:\n  image: %s\n  script:\n    - %s\n%s\n", image, script, strings.Join(extra, "\n"))
}

// TestCommit: a commit of a changed pipeline runs it, visible everywhere; the
// same state again runs nothing, also after a restart.
func TestCommit(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	repo := newRepository(t)
	repo.write("pipelines/hello.yaml", one(image, "echo first"))
	repo.commit("first")
	d := newDaemon(t, "--git", repo.dir)
	d.start()
	d.waitRuns(1)

	events := d.stream("")
	repo.write("pipelines/hello.yaml", one(image, "for i in 1 2 3; do echo second $i; sleep 0.3; done"))
	rev := repo.commit("second")
	line := events.wait("second 1")
	for _, want := range []string{`"type":"log"`, `"level":"info"`, `"job":"job"`, `"pipeline":"hello"`, rev, `"stream":"stdout"`} {
		if !strings.Contains(line, want) {
			t.Errorf("the event %s has no %s", line, want)
		}
	}
	if live := d.runs()[0]; live.State != runner.Running {
		t.Errorf("its line is there and the run is %s", live.State)
	}
	if out, code := d.cli("logs", "-f", d.runs()[0].ID); code != 0 || !strings.Contains(out, "second 3") {
		t.Errorf("logs -f: %d %s", code, out)
	}
	done := events.wait(`"type":"pipeline_complete"`)
	if !strings.Contains(done, `"total_duration"`) || !strings.Contains(done, `"message":"Pipeline execution completed"`) {
		t.Errorf("the last event is %s", done)
	}
	if out, code := d.cli("runs"); code != 0 || strings.Count(out, "succeeded") != 2 {
		t.Errorf("runs: %d %s", code, out)
	}
	replay := d.stream("?since=0&types=pipeline_complete")
	replay.wait(`"type":"pipeline_complete"`)
	replay.wait(d.runs()[0].ID)

	rev = repo.commit("nothing that concerns us")
	d.eventually("the commit is seen", func() bool { return strings.Contains(d.sources(), rev) })
	d.kill(syscall.SIGTERM)
	d.start()
	if out, code := d.cli("plan", "--git", repo.dir, "--state", d.state); code != 0 {
		t.Errorf("plan: %d %s", code, out)
	}
	if runs := d.runs(); len(runs) != 2 {
		t.Errorf("there are %d runs after a restart with the same state", len(runs))
	}
}

// TestKilledInMidRun: the run goes on where it was, its output neither lost nor
// doubled, and no container is left.
func TestKilledInMidRun(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	repo := newRepository(t)
	repo.write("pipelines/long.yaml", one(image, "for i in 1 2 3 4 5 6 7 8 9; do echo tick $i; sleep 0.3; done"))
	repo.commit("long")
	d := newDaemon(t, "--git", repo.dir)
	d.start()
	d.stream("?since=0").wait("tick 3")
	d.kill(syscall.SIGKILL)
	d.start()
	run := d.waitRuns(1)[0]
	if run.State != runner.Succeeded {
		t.Errorf("the run is %s: %s", run.State, run.Reason)
	}
	out, _ := d.cli("logs", run.ID)
	for i := 1; i <= 9; i++ {
		if n := strings.Count(out, fmt.Sprintf("tick %d\n", i)); n != 1 {
			t.Errorf("tick %d is there %d times", i, n)
		}
	}
	d.eventually("no container left", func() bool { return d.containers() == "" })
}

// TestShutdown: SIGTERM lets a run finish within the grace period, or ends it;
// an interrupted run is run once more; nothing is left.
func TestShutdown(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	repo := newRepository(t)
	repo.write("pipelines/p.yaml", one(image, "echo begun; sleep 60"))
	repo.commit("p")
	d := newDaemon(t, "--git", repo.dir, "--grace", "1s")
	for life := 1; life <= 2; life++ {
		d.start()
		d.stream("?since=0").wait("begun")
		if life == 2 {
			d.eventually("the second run prints", func() bool {
				out, _ := d.cli("logs", d.runs()[0].ID)
				return len(d.runs()) == 2 && strings.Contains(out, "begun")
			})
		}
		if took := d.kill(syscall.SIGTERM); took > 3*time.Second {
			t.Errorf("SIGTERM took %s with a grace of 1s", took)
		}
		if left := d.containers(); left != "" {
			t.Errorf("left: %s", left)
		}
	}
	d.start()
	runs := d.waitRuns(2)
	if runs[0].State != runner.Interrupted || runs[1].State != runner.Interrupted {
		t.Errorf("runs: %s, %s", runs[0].State, runs[1].State)
	}
}
