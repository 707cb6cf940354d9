package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testimage"
	"github.com/abide-agent/abide/runner"
)

// points are the steps of the journal at which the agent is killed. Hit n is
// the one that kills; a pipeline of two jobs passes most of them twice.
var points = []string{
	"run.container-created:1", "run.intent-recorded:1", "run.container-started:1", "run.before-outcome:1", "run.after-outcome:1", "run.before-remove:1",
	"run.container-created:2", "run.container-started:2", "run.after-outcome:2",
	"run.before-final:1", "run.after-final:1", "run.before-done:1", "book.before-done:1",
	"store.before-commit:5", "store.after-commit:5",
}

// TestKilledAtEveryStep kills the agent at each step of a run, restarts it, and
// holds the result against the promise: the run ends once and well, its jobs
// ran once each, nothing is left.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	for _, point := range points {
		t.Run(strings.ReplaceAll(point, ":", "-"), func(t *testing.T) {
			t.Parallel()
			repo := newRepository(t)
			repo.write("pipelines/p.yaml", fmt.Sprintf("workflow: [a, b]\na: {image: %q, script: [echo job a ran]}\nb: {image: %q, script: [echo job b ran]}\n", image, image))
			repo.commit("p")
			d := newDaemon(t, "--git", repo.dir)
			d.tags = "failpoint"
			name, n, _ := strings.Cut(point, ":")
			d.launch("ABIDE_FAILPOINTS=" + name + "=kill:" + n)
			select {
			case <-d.end:
			case <-time.After(30 * time.Second):
				t.Fatalf("the point was never hit:\n%s", d.output())
			}
			d.start()
			run := d.waitRuns(1)[0]
			if run.State != runner.Succeeded {
				t.Errorf("the run is %s: %s", run.State, run.Reason)
			}
			out, _ := d.cli("logs", run.ID)
			for _, job := range []string{"a", "b"} {
				if n := strings.Count(out, "job "+job+" ran"); n != 1 {
					t.Errorf("job %s printed %d times:\n%s", job, n, out)
				}
			}
			for _, typ := range []string{"job_completed", "pipeline_complete"} {
				want := map[string]int{"job_completed": 2, "pipeline_complete": 1}[typ]
				if n := strings.Count(eventLog(t, d), `"type":"`+typ+`"`); n != want {
					t.Errorf("%d events of type %s, want %d", n, typ, want)
				}
			}
			d.eventually("no container left", func() bool { return d.containers() == "" })
			d.kill(syscall.SIGTERM)
			d.start()
			if runs := d.runs(); len(runs) != 1 {
				t.Errorf("a further start made it %d runs", len(runs))
			}
		})
	}
}

// eventLog is everything in the log's files.
func eventLog(t *testing.T, d *daemon) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(filepath.Join(d.state, "events"), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
