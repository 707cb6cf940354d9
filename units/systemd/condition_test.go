package systemd

import (
	"testing"

	"github.com/abide-agent/abide/units"
)

// testSkipped: a unit that its own condition leaves alone was not started, and the
// next agent knows that, too.
func testSkipped(t *testing.T) {
	const name = "skipped.service"
	dir := t.TempDir()
	first := open(t, dir)
	target := launched(name, "[Unit]\nConditionPathExists=/no/such/path\n"+sleeper+"[Install]\nWantedBy=multi-user.target\n")
	r := apply(t, first, target)[name]
	if !r.Status.Skipped || len(r.Did) == 0 || r.Did[len(r.Did)-1] == "started" {
		t.Errorf("did %q, it is %+v", r.Did, r.Status)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	systemctl(t, "daemon-reload") // which makes systemd keep what multi-user.target wants
	systemctl(t, "start", name)
	e := opened(t, dir)
	until(t, e, name, func(s units.Status) bool { return s.Skipped })
}
