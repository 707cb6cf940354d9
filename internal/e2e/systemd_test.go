package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/fleetapi"
)

const install = "[Install]\nWantedBy=multi-user.target"

// within fails the test when something took longer than is promised. The bound
// is generous: the figures are the benchmarks' matter.
func within(t *testing.T, what string, begin time.Time, limit time.Duration) {
	t.Helper()
	took := time.Since(begin)
	t.Logf("%s: %v", what, took.Round(time.Millisecond))
	if took > limit {
		t.Errorf("%s took %v, more than %v", what, took, limit)
	}
}

// TestSystemd is the life of units on a machine whose PID 1 is systemd, with
// the agent as a service there.
func TestSystemd(t *testing.T) {
	t.Parallel()
	b := newBoxed(t)
	b.repo.write("units/web.service", sleeper(1001, install))
	b.repo.write("units/other.service", sleeper(1002, install))
	b.push("two units")
	b.sh("systemctl start abide")
	b.up("0")
	for _, part := range []struct {
		name string
		run  func(*testing.T, *boxed)
	}{
		{"commits", testCommits},
		{"examples", testExamples},
		{"fleet", testFleet},
		{"drift", testDrift},
		{"bus", testBus},
		{"wedges", testWedges},
		{"reboot", testReboot},
		{"crash", testCrash},
		{"crowd", testCrowd},
		{"purge", testPurge},
	} {
		if !t.Run(part.name, func(t *testing.T) {
			outer := b.t
			b.t, b.repo.t = t, t
			defer func() { b.t, b.repo.t = outer, outer }()
			part.run(t, b)
		}) {
			return // each goes on where the one before ended
		}
	}
}

// testCommits: commit, change, break, revert, remove.
func testCommits(t *testing.T, b *boxed) {
	b.awaitUnit("web.service", "runs", launched)
	b.awaitUnit("other.service", "runs", launched)
	other, web := b.pid("other.service"), b.pid("web.service")

	b.repo.write("units/web.service", sleeper(1003, install))
	b.push("change one")
	b.runsAnew("web.service", web)
	if b.pid("other.service") != other {
		t.Error("a unit that did not change was touched")
	}

	b.repo.write("units/web.service", strings.Replace(sleeper(1003, install), "/bin/sleep", "/nonexistent/program", 1))
	b.push("break it")
	broken := b.awaitUnit("web.service", "fails, and says why", func(u fleetapi.Unit) bool {
		return u.CurrentState != "launched" && u.Health == "failed" && strings.Contains(u.Reason, "code 203")
	})
	if line := b.stream("?since=0&types=unit_failed").wait("web.service"); !strings.Contains(line, "journal") {
		t.Errorf("the event has no journal: %s", line)
	}
	b.eventually("status shows the failure", func() bool {
		out, code := b.cli("status")
		return code == 0 && strings.Contains(out, "unit/web.service") && strings.Contains(out, "code 203")
	})
	if out, code := b.cli("units"); code != 0 || !strings.Contains(out, broken.Reason) {
		t.Errorf("abide units does not give the reason %q:\n%s", broken.Reason, out)
	}
	b.repo.git("revert", "--no-edit", "HEAD")
	b.publish()
	b.awaitUnit("web.service", "is well again", launched)

	b.repo.write("units/gone.service", sleeper(1004, install))
	b.push("one more")
	b.awaitUnit("gone.service", "runs", launched)
	b.repo.git("rm", "-q", "units/gone.service")
	b.push("and away with it")
	b.eventually("a removed unit is gone", func() bool {
		return b.show("LoadState", "gone.service") == "not-found" && b.sh("ls -R %s | grep -c gone; true", boxUnits) == "0"
	})
	if b.pid("other.service") != other {
		t.Error("a unit that did not change was touched")
	}
}

// testBus: D-Bus is restarted under the agent.
func testBus(t *testing.T, b *boxed) {
	b.sh("systemctl restart dbus")
	begin := time.Now()
	before := b.pid("other.service")
	b.sh("kill -9 %s", before)
	b.runsAnew("other.service", before)
	within(t, "managing again after a restart of D-Bus", begin, 10*time.Second)
	b.repo.write("units/other.service", sleeper(1007, install))
	b.push("go on")
	b.eventually("other runs the new content", func() bool { return strings.Contains(b.show("ExecStart", "other.service"), "1007") })
	b.awaitUnit("other.service", "runs", launched)
}

// testWedges: units that can't be made true hold up nobody.
func testWedges(t *testing.T, b *boxed) {
	b.repo.write("units/stuck.service", sleeper(3000, "ExecStop=/bin/sleep 600", "TimeoutStopSec=600"))
	b.push("one that will not stop")
	b.awaitUnit("stuck.service", "runs", launched)

	b.repo.git("rm", "-q", "units/stuck.service")
	b.repo.write("units/t@.service", sleeper(3001, "[X-Abide]", "DesiredState=launched"))
	b.repo.write("units/bad.service", "[Service]\nType=nonsense\nExecStart=relative\n")
	b.repo.write("units/slow.service", sleeper(3003, "Type=notify", "TimeoutStartSec=600"))
	b.repo.write("units/well-0.service", sleeper(3010))
	b.push("trouble")
	begin := time.Now()
	b.awaitUnit("well-0.service", "runs beside the others", launched)
	within(t, "a unit beside wedged ones", begin, 4*time.Second)
	for i := 1; i < 6; i++ {
		b.repo.write(fmt.Sprintf("units/well-%d.service", i), sleeper(3010+i))
		b.push("and another")
		begin := time.Now()
		b.awaitUnit(fmt.Sprintf("well-%d.service", i), "runs", launched)
		within(t, "a new unit while others are wedged", begin, 4*time.Second)
	}
	bad := b.awaitUnit("bad.service", "is refused", func(u fleetapi.Unit) bool { return u.Health == "failed" })
	if bad.Reason == "" {
		t.Error("no reason for a unit that systemd refuses")
	}
	if u := b.unit("t@.service"); u.CurrentState != "loaded" {
		t.Errorf("a template: %+v", u)
	}
	if got := b.show("ActiveState", "stuck.service"); got != "deactivating" {
		t.Errorf("the unit that will not stop is %s", got)
	}
	b.sh("systemctl kill -s KILL stuck.service")
	b.eventually("the stuck unit is gone at last", func() bool { return b.show("LoadState", "stuck.service") == "not-found" })
	b.repo.git("rm", "-q", "units/bad.service", "units/slow.service", "units/t@.service")
	b.push("no more trouble")
	b.eventually("the trouble is gone", func() bool {
		return b.sh("ls %s | grep -cE 'bad|slow|t@|stuck'; true", boxUnits) == "0" && b.show("LoadState", "slow.service") == "not-found"
	})
}

// testReboot: what is enabled runs before the agent does.
func testReboot(t *testing.T, b *boxed) {
	if err := b.box.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.show("ActiveState", "abide.service", "web.service", "other.service"); strings.Join(strings.Fields(got), " ") != "inactive active active" {
		t.Fatalf("after a reboot, agent and units are %s", got)
	}
	before := b.show("MainPID", "web.service", "other.service")
	b.sh("systemctl start abide")
	b.up("0")
	begin := time.Now()
	for i := range 6 { // of those beside the wedged ones
		b.awaitUnit(fmt.Sprintf("well-%d.service", i), "runs after the reboot", launched)
	}
	within(t, "units that nothing enables, after a reboot", begin, 20*time.Second)
	b.awaitUnit("web.service", "is adopted", launched)
	if after := b.show("MainPID", "web.service", "other.service"); after != before {
		t.Errorf("units that ran were restarted after a reboot: %s, %s", before, after)
	}
}

// testPurge: stopping the agent leaves its units alone, purging takes them away.
func testPurge(t *testing.T, b *boxed) {
	purge := func(more ...string) (string, error) {
		return b.box.Exec(t.Context(), append([]string{"abide", "purge", "--units", "systemd", "--state", boxState}, more...)...)
	}
	if _, err := purge("--yes"); err == nil || !strings.Contains(err.Error(), "stop") {
		t.Errorf("purging under a running agent: %v", err)
	}
	before := b.pid("web.service")
	b.sh("systemctl stop abide")
	if b.pid("web.service") != before || before == "0" {
		t.Error("stopping the agent touched a unit")
	}
	if out, err := purge(); err == nil || !strings.Contains(err.Error(), "--yes") || !strings.Contains(out, "web.service") {
		t.Errorf("purging without --yes: %v\n%s", err, out)
	}
	if b.pid("web.service") != before {
		t.Error("purging without --yes touched a unit")
	}
	b.sh("printf '[Service]\\nExecStart=/bin/sleep 1\\n' > %smine.service", boxUnits)
	begin := time.Now()
	if out, err := purge("--yes"); err != nil || !strings.Contains(out, "web.service") {
		t.Fatalf("purge: %v\n%s", err, out)
	}
	within(t, "purging", begin, 20*time.Second)
	if left := b.sh("ls -A %s | grep -E 'web|other|many|well'; grep -lsz ^/bin/sleep /proc/[0-9]*/cmdline; true", boxUnits); left != "" {
		t.Errorf("a purge left:\n%s", left)
	}
	if got := b.sh("ls %s", boxUnits); !strings.Contains(got, "mine.service") || !strings.Contains(got, "abide.service") {
		t.Errorf("a purge took what abide did not place: %s", got)
	}
	if out, err := purge("--yes"); err != nil {
		t.Errorf("purging twice: %v\n%s", err, out)
	}
}
