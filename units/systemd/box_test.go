package systemd

import (
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testkit/systemdbox"
	"github.com/abide-agent/abide/units"
	"github.com/abide-agent/abide/units/enginetest"
)

const pkg = "github.com/abide-agent/abide/units/systemd"

// inBox runs the test of that name in a container whose PID 1 is systemd, and
// says whether this is that container.
func inBox(t *testing.T) bool {
	t.Helper()
	if systemdbox.Inside() {
		return true
	}
	systemdbox.Start(t).RunTests(t, pkg, "-test.run=^"+t.Name()+"$", "-test.timeout=5m")
	return false
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

func TestConformance(t *testing.T) {
	if !inBox(t) {
		return
	}
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
