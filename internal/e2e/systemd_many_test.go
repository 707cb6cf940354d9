package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/fleetapi"
)

// many is the number of units that nothing must happen to when the agent dies,
// and that units which can't be made true must not hold up.
const many = 999

func names() []string {
	out := make([]string, many)
	for i := range out {
		out[i] = fmt.Sprintf("many-%03d.service", i)
	}
	return out
}

// wave writes many units whose processes sleep from seconds on, commits them with
// whatever else was written, and waits until all run as they are written now. It
// gives the time from the agent's sight of the commit to that. Now and then it
// calls at with the number of those that run.
func (b *boxed) wave(seconds int, at func(running int)) time.Duration {
	b.t.Helper()
	for i, name := range names() {
		b.repo.write("units/"+name, sleeper(seconds+i))
	}
	s := b.stream("?types=source_updated")
	defer s.body.Close()
	b.push(fmt.Sprintf("%d units from %d on", many, seconds))
	line := s.wait(b.repo.git("rev-parse", "HEAD"))
	var seen struct{ Timestamp time.Time }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "data: ")), &seen); err != nil {
		b.t.Fatalf("%v: %s", err, line)
	}
	running := 0
	for deadline := time.Now().Add(4 * time.Minute); running < many; time.Sleep(100 * time.Millisecond) { // a poll of another machine
		if time.Now().After(deadline) {
			b.t.Fatalf("only %d of %d units run", running, many)
		}
		running = 0
		for _, u := range b.units() {
			if i := 0; launched(u) && scan(u.Name, "many-%d.service", &i) && u.Options[1].Value == fmt.Sprintf("/bin/sleep %d", seconds+i) {
				running++
			}
		}
		if at != nil {
			at(running)
		}
	}
	return time.Since(seen.Timestamp)
}

func scan(text, format string, into *int) bool {
	_, err := fmt.Sscanf(text, format, into)
	return err == nil
}

// units gives all units as the fleet API lists them, page by page.
func (d *daemon) units() (all []fleetapi.Unit) {
	d.t.Helper()
	for next := "?"; next != ""; {
		page := get[fleetapi.UnitPage](d, "/fleet/v1/units"+next)
		all = append(all, page.Units...)
		next = ""
		if page.Next != "" {
			next = "?nextPageToken=" + url.QueryEscape(page.Next)
		}
	}
	return all
}

// testCrash: the agent's sudden death touches nothing, and the next one takes
// over what runs.
func testCrash(t *testing.T, b *boxed) {
	t.Logf("%d new units: %v", many, b.wave(20_000, nil).Round(time.Millisecond))
	b.eventually("all are recorded", func() bool {
		out, _ := b.cli("status", "--json")
		return strings.Count(out, `"ready"`) >= many+2
	})
	before := b.sleepers()
	if n := strings.Count(before, "\n") + 1; n < many+2 {
		t.Errorf("%d processes of %d units", n, many+2)
	}
	agent := b.pid("abide.service")

	begin := time.Now()
	b.sh("kill -9 %s", agent)
	b.up(agent)
	within(t, fmt.Sprintf("the API after kill -9 beside %d units", many), begin, 5*time.Second)
	b.awaitUnit("web.service", "is adopted", launched)
	b.awaitUnit(names()[many-1], "is adopted", launched)
	// A change after it shows that the agent has been through everything.
	web := b.pid("web.service")
	b.repo.write("units/web.service", sleeper(1006, install))
	b.push("go on")
	b.runsAnew("web.service", web)
	b.eventually("web runs the new content", func() bool { return strings.Contains(b.show("ExecStart", "web.service"), "1006") })
	after := b.sleepers()
	if before, after = without(before, "1003"), without(after, "1006"); before != after {
		t.Errorf("a restart of the agent touched units:\n%s\nand then\n%s", before, after)
	}
}

// sleepers gives the processes of all sleepers of the machine, a line each: pid,
// when it began, in clock ticks since the boot, and how long it sleeps.
func (b *boxed) sleepers() string {
	b.t.Helper()
	return b.sh(`cd /proc; for p in [0-9]*; do
		mapfile -d '' -t args <$p/cmdline && [ "${args[0]}" = /bin/sleep ] && read -r -a stat <$p/stat && echo $p ${stat[21]} ${args[1]}
	done 2>/dev/null; true`)
}

// without leaves out the line of one sleeper.
func without(lines, sleeps string) string {
	list := strings.Split(lines, "\n")
	return strings.Join(slices.DeleteFunc(list, func(l string) bool { return strings.HasSuffix(l, " "+sleeps) }), "\n")
}

// testCrowd: however many units there are, those that can't be made true cost
// the others no time. There are a template that is to be launched, one that
// systemd refuses, one that never ends to start, two whose stop hangs, and D-Bus
// is lost when the first of the others run.
func testCrowd(t *testing.T, b *boxed) {
	hangs := []string{"ExecStop=/bin/sleep 600", "TimeoutStopSec=600"}
	b.repo.write("units/a-stuck.service", sleeper(3100, hangs...))
	b.repo.write("units/a-stays.service", sleeper(3101, hangs...))
	plain := b.wave(30_000, nil)
	t.Logf("changing %d units: %v", many, plain.Round(time.Millisecond))
	b.awaitUnit("a-stuck.service", "runs", launched)
	b.awaitUnit("a-stays.service", "runs", launched)

	b.repo.git("rm", "-q", "units/a-stuck.service")
	b.repo.write("units/a-stays.service", sleeper(3102, hangs...))
	b.repo.write("units/a@.service", sleeper(3103, "[X-Abide]", "DesiredState=launched"))
	b.repo.write("units/a-bad.service", "[Service]\nType=nonsense\nExecStart=relative\n")
	b.repo.write("units/a-slow.service", sleeper(3104, "Type=notify", "TimeoutStartSec=600"))
	lost := false
	took := b.wave(40_000, func(running int) {
		if !lost && running > 0 {
			t.Logf("D-Bus is lost when %d run", running)
			b.sh("systemctl restart dbus")
			lost = true
		}
	})
	t.Logf("changing %d units beside five wedged ones, D-Bus being lost meanwhile: %v, %.2f times as long", many, took.Round(time.Millisecond), float64(took)/float64(plain))
	if limit := 2*plain + 15*time.Second; took > limit {
		t.Errorf("that is more than %v", limit)
	}
	if got := strings.Fields(b.show("ActiveState", "a-stuck.service", "a-stays.service", "a-slow.service")); fmt.Sprint(got) != "[deactivating deactivating activating]" {
		t.Errorf("what is wedged is %s", got)
	}
	b.awaitUnit("a-bad.service", "is refused", func(u fleetapi.Unit) bool { return u.Health == "failed" && u.Reason != "" })

	b.sh("systemctl kill -s KILL a-stuck.service a-stays.service")
	b.awaitUnit("a-stays.service", "runs when its process has ended", launched)
	b.eventually("the stuck unit is gone", func() bool { return b.show("LoadState", "a-stuck.service") == "not-found" })
	b.repo.git("rm", "-q", "units/a-bad.service", "units/a-slow.service", "units/a@.service")
	b.repo.write("units/a-stays.service", sleeper(3102))
	b.push("no more trouble")
	b.eventually("the trouble is gone", func() bool {
		return b.sh("ls %s | grep -cE '^a-bad|^a-slow|^a@|^a-stuck'; true", boxUnits) == "0"
	})
	b.eventually("nothing hangs any more", func() bool { return !strings.Contains(b.show("ExecStop", "a-stays.service"), "600") })
}
