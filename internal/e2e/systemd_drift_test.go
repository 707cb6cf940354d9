package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/fleetapi"
)

// disturbances are what may be done to a unit behind the agent's back: NAME is
// the unit, FILE its file.
var disturbances = []struct{ name, do string }{
	{"kill", "systemctl kill -s KILL NAME"},
	{"stop", "systemctl stop NAME"},
	{"edit", "sed -i 's/sleep 1/sleep 91/' FILE"},
	{"rm", "rm FILE"},
	{"mask", "ln -sf /dev/null FILE; systemctl daemon-reload; systemctl stop NAME"},
	{"disable", "systemctl disable NAME"},
}

// undo is how a person puts right what the agent leaves alone.
const undo = "rm -f FILE; cp /root/NAME FILE; systemctl daemon-reload; systemctl enable NAME; systemctl start NAME"

// to runs a script for a unit, and gives how the unit is then in one line.
func (b *boxed) to(script, unit string) string {
	b.t.Helper()
	script = strings.NewReplacer("NAME", unit, "FILE", boxUnits+unit).Replace(script)
	return b.sh("(%s) >/dev/null 2>&1; %s", script, look(unit))
}

// look is a script that prints how a unit is. The agent's own units sleep for a
// time between 1000 and 1999.
func look(unit string) string {
	return fmt.Sprintf("echo $(systemctl show --value -p ActiveState %s; systemctl is-enabled %[1]s 2>&1; grep -c 'sleep 1...$' %s%[1]s)", unit, boxUnits)
}

const asItWas = "active enabled 1"

// testDrift: what is done to a unit behind the agent's back is undone, told or
// left alone, as its policy says.
func testDrift(t *testing.T, b *boxed) {
	b.repo.write("units/told.service", sleeper(1005, install, "[X-Abide]\nDrift=report"))
	b.repo.write("units/left.service", sleeper(1008, install, "[X-Abide]\nDrift=off"))
	b.push("one to be told of, one to be left alone")
	for _, unit := range []string{"told.service", "left.service"} {
		b.awaitUnit(unit, "runs", launched)
		b.sh("cp %s%s /root/", boxUnits, unit)
	}
	quiet := func(u fleetapi.Unit) bool { return launched(u) && u.Drift == "" }
	for _, c := range disturbances {
		s := b.stream("?types=unit_drift")
		told, left := b.to(c.do, "told.service"), b.to(c.do, "left.service")
		begin := time.Now()
		b.to(c.do, "web.service")
		b.eventually("after "+c.name+" it is as it was", func() bool { return b.sh("%s", look("web.service")) == asItWas })
		within(t, "repairing after "+c.name, begin, 20*time.Second)
		b.awaitUnit("web.service", "is well after "+c.name, quiet)

		if line := s.wait(`"unit":"told.service"`); !strings.Contains(line, `"policy":"report"`) {
			t.Errorf("after %s: %s", c.name, line)
		}
		b.awaitUnit("told.service", "is shown as it is after "+c.name, func(u fleetapi.Unit) bool { return u.Drift != "" })
		for unit, before := range map[string]string{"told.service": told, "left.service": left} {
			if after := b.sh("%s", look(unit)); after != before || before == asItWas {
				t.Errorf("after %s %s was %q and is %q", c.name, unit, before, after)
			}
			if got := b.to(undo, unit); got != asItWas {
				t.Fatalf("undoing %s of %s: %s", c.name, unit, got)
			}
			b.awaitUnit(unit, "is well when "+c.name+" was undone", quiet)
		}
		_ = s.body.Close()
	}
	b.to("systemctl mask --runtime NAME", "web.service")
	b.eventually("after a mask that /etc hides it is as it was", func() bool { return b.sh("%s", look("web.service")) == asItWas })

	b.repo.git("rm", "-q", "units/told.service", "units/left.service")
	b.push("no longer")
	end := b.repo.git("rev-parse", "HEAD")
	s := b.stream("?since=0&types=unit_drift,unit_repaired,source_updated")
	repaired := 0
	for line := ""; !strings.Contains(line, end); {
		line = s.wait("data: ")
		switch repair := strings.Contains(line, `"type":"unit_repaired"`); {
		case strings.Contains(line, "left.service") || repair && strings.Contains(line, "told.service"):
			t.Errorf("against the policy of the unit: %s", line)
		case repair:
			repaired++
		}
	}
	if repaired < len(disturbances) {
		t.Errorf("%d repairs were told, of %d", repaired, len(disturbances))
	}
}
