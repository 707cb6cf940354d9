package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abide-agent/abide/fleetapi"
)

// testExamples: the units of examples/, which the demo runs without systemd, run
// under it as they are.
func testExamples(t *testing.T, b *boxed) {
	if err := os.CopyFS(filepath.Join(b.repo.dir, "units"), os.DirFS("../../examples/units")); err != nil {
		t.Fatal(err)
	}
	b.push("the examples")
	for _, unit := range []string{"clock.service", "ready.service", "greeter@world.service"} {
		b.awaitUnit(unit, "runs", launched)
	}
	b.awaitUnit("greeter@.service", "is placed", func(u fleetapi.Unit) bool { return u.CurrentState == "loaded" && u.Health == "ok" })
	for unit, says := range map[string]string{"ready.service": "Ready, on a machine with", "greeter@world.service": "Hello, world."} {
		b.eventually(unit+" says so", func() bool {
			out, code := b.cli("units", "journal", unit)
			return code == 0 && strings.Contains(out, says)
		})
	}
	clock, greeter := b.pid("clock.service"), b.pid("greeter@world.service")
	b.repo.write("units/clock.service.d/every.conf", "[Service]\nEnvironment=EVERY=30\n")
	b.push("tell the time more often")
	b.runsAnew("clock.service", clock)
	if got := b.pid("greeter@world.service"); got != greeter || got == "0" {
		t.Errorf("a drop-in of one unit restarted another: process %s is %s", greeter, got)
	}
	// In two steps: more than half of all at once would want --max-prune.
	b.repo.git("rm", "-q", "-r", "units/clock.service", "units/clock.service.d", "units/ready.service")
	b.push("away with some")
	b.eventually("the clock is gone and forgotten", func() bool {
		out, _ := b.cli("status")
		return b.show("LoadState", "clock.service") == "not-found" && !strings.Contains(out, "clock.service") && !strings.Contains(out, "ready.service")
	})
	b.repo.git("rm", "-q", "units/greeter@.service", "units/greeter@world.service")
	b.push("and with the others")
	b.eventually("nothing of them is left", func() bool {
		return b.sh("ls -R %s | grep -cE 'clock|ready|greeter'; systemctl list-units --all --no-legend 'clock*' 'ready*' 'greeter*' | wc -l", boxUnits) == "0\n0"
	})
}

// testFleet: python-fleet's documentation holds for a machine with systemd.
func testFleet(t *testing.T, b *boxed) { pythonFleet(t, b.url("")) }
