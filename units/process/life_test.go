package process

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/units"
)

func TestLife(t *testing.T) {
	t.Parallel()
	e := engine(t)
	a := service("a.service", `ExecStart=/bin/sh -c 'echo "hello $WHO"; exec sleep 1000'`, "Environment=WHO=world")
	r := must(t, e, a)
	if r.Status.State() != units.Launched || r.Status.Sub != "running" || r.Status.PID == 0 || r.Status.Digest != a.Digest || r.Status.Placed != a.Digest {
		t.Errorf("started: %+v", r.Status)
	}
	if !slices.Equal(r.Did, []string{"placed", "started"}) {
		t.Errorf("did %q", r.Did)
	}
	pid := r.Status.PID
	if r := must(t, e, a); len(r.Did) > 0 || r.Status.PID != pid {
		t.Errorf("a second time it did %q, pid %d then %d", r.Did, pid, r.Status.PID)
	}
	lines, err := e.Journal(t.Context(), "a.service", 10)
	if diff := cmp.Diff([]string{"hello world"}, lines); diff != "" || err != nil {
		t.Errorf("journal %v: %s", err, diff)
	}

	fleet := target("a.service", strings.TrimSpace(string(a.Text)), "[X-Fleet]", "Global=true")
	if r := must(t, e, fleet); r.Status.PID != pid || r.Status.Digest != fleet.Digest || !slices.Equal(r.Did, []string{"placed"}) {
		t.Errorf("a change of [X-Fleet] alone: %q, %+v", r.Did, r.Status)
	}

	b := service("a.service", `ExecStart=/bin/sleep 1001`)
	if r := must(t, e, b); r.Status.PID == pid || !slices.Equal(r.Did, []string{"placed", "restarted"}) {
		t.Errorf("a change: %q, %+v", r.Did, r.Status)
	}
	b.Want = units.Loaded
	if r := must(t, e, b); r.Status.State() != units.Loaded || !slices.Equal(r.Did, []string{"stopped"}) {
		t.Errorf("loaded: %q, %+v", r.Did, r.Status)
	}
	if syscall.Kill(pid, 0) == nil {
		t.Error("the process still runs")
	}
	if r := must(t, e, units.Target{Name: "a.service", Remove: true}); r.Status.State() != units.Inactive || !slices.Equal(r.Did, []string{"removed"}) {
		t.Errorf("removed: %q, %+v", r.Did, r.Status)
	}
	if _, err := os.Stat(filepath.Join(e.opts.Dir, "a.service")); !os.IsNotExist(err) {
		t.Errorf("the file is there: %v", err)
	}
	if all, err := e.States(t.Context(), false); len(all) > 0 || err != nil {
		t.Errorf("left is %v, %v", all, err)
	}
}
