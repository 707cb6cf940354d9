package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/abide-agent/abide/internal/testimage"
)

// TestStrandedContainer: an engine carries out a request to create a container
// whose sender was killed. What so appears only after the next start is removed.
func TestStrandedContainer(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	d := newDaemon(t)
	d.start()
	d.trigger(one(image, "echo begun; sleep 5; echo done"), &map[string]any{})
	d.stream("?since=0").wait(`"message":"begun"`)
	d.kill(syscall.SIGKILL)
	d.start()
	id, err := os.ReadFile(filepath.Join(d.state, "agent-id"))
	if err != nil {
		t.Fatal(err)
	}
	run := d.runs()[0]
	docker(t, "create", "--label", "dev.abide.agent="+strings.TrimSpace(string(id)), "--label", "dev.abide.run="+run.ID,
		"--label", "dev.abide.job=job", "--label", "dev.abide.owner=the one that was killed", image)
	d.waitRuns(1)
	if out, _ := d.cli("logs", run.ID); strings.Count(out, "done") != 1 {
		t.Errorf("the run's own container was not left alone:\n%s", out)
	}
	d.eventually("no container left", func() bool { return d.containers() == "" })
}
