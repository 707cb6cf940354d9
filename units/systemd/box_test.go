package systemd

import (
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testkit/systemdbox"
	"github.com/abide-agent/abide/units"
	"github.com/abide-agent/abide/units/enginetest"
)

const pkg = "github.com/abide-agent/abide/units/systemd"

// TestInBox runs what needs a real systemd in a container that has one as PID 1,
// and reboots that container once.
func TestInBox(t *testing.T) {
	if systemdbox.Inside() {
		t.Run("conformance", testConformance)
		t.Run("real", testReal)
		t.Run("reboot", rebootPhase)
		return
	}
	b := systemdbox.Start(t)
	b.Install(t, pkg)
	b.RunTests(t, "^TestInBox$/^(conformance|real)$", "-test.timeout=8m")
	b.RunTests(t, "^TestInBox$/^reboot$")
	if err := b.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.MustExec(t, "systemctl", "is-active", "up.service"); strings.TrimSpace(got) != "active" {
		t.Errorf("after the reboot it is %s", got)
	}
	b.RunTests(t, "^TestInBox$/^reboot$")
}

// open gives an engine over the box's own systemd.
func open(t testing.TB, state string) *Engine {
	t.Helper()
	e, err := New(Options{StateDir: state})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func testConformance(t *testing.T) {
	states := map[units.Engine]string{}
	enginetest.Run(t, func(t testing.TB) units.Engine {
		dir := t.TempDir()
		e := open(t, dir)
		states[e] = dir
		return e
	}, enginetest.Options{
		Dir: "/etc/systemd/system", Install: true, Notify: "systemd-notify --ready", Seen: 50 * time.Millisecond,
		Reopen: func(t testing.TB, e units.Engine) units.Engine {
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			again := open(t, states[e])
			states[again] = states[e]
			return again
		},
	})
}
