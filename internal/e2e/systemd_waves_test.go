package e2e

import (
	"strings"
	"testing"

	"github.com/abide-agent/abide/fleetapi"
)

// TestSystemdWaves is TestUnitWaves on a machine with systemd, where that has a
// word in what becomes of units that are tied to each other; and units that
// displace each other.
func TestSystemdWaves(t *testing.T) {
	t.Parallel()
	b := newBoxed(t)
	stack := func(db, rest string) {
		b.repo.write("units/db.service", "[Service]\nExecStart="+db+"\n")
		for name, lines := range map[string]string{
			"app": "[Unit]\nRequires=db.service\nAfter=db.service\n", "top": "[Unit]\nBindsTo=app.service\n",
			"far": "[X-Abide]\nDependsOn=db.service\n", "free": "[Unit]\nAfter=db.service\n",
		} {
			b.repo.write("units/"+name+".service", lines+"[Service]\nExecStart=/bin/sleep "+rest+"\n")
		}
	}
	stack("/bin/sleep 2001", "2002")
	b.push("a stack")
	b.sh("systemctl start abide")
	b.up("0")
	for _, name := range []string{"db", "app", "top", "far", "free"} {
		b.awaitUnit(name+".service", "runs", launched)
	}
	far := b.pid("far.service")

	stack("/nonexistent/program", "2003")
	b.push("change all, and break the one that most need")
	b.awaitUnit("db.service", "fails", func(u fleetapi.Unit) bool { return u.Health == "failed" })
	b.awaitUnit("free.service", "has changed", launched)
	for name, need := range map[string]string{"app": "unit/db.service", "top": "unit/app.service", "far": "unit/db.service"} {
		u := b.awaitUnit(name+".service", "waits", func(u fleetapi.Unit) bool { return u.Health == "waiting" })
		if !strings.Contains(u.Reason, need) {
			t.Errorf("%s: %s", name, u.Reason)
		}
	}
	if b.pid("far.service") != far {
		t.Error("a unit that systemd does not tie to the one that failed was touched")
	}
	b.eventually("the files of who waits are as they were", func() bool {
		return b.sh("cd %s; echo $(grep -l 'sleep 2002' *.service) $(grep -l 'sleep 2003' *.service)", boxUnits) == "app.service far.service top.service free.service"
	})

	stack("/bin/sleep 2004", "2003")
	b.push("mend it")
	for _, name := range []string{"db", "app", "top", "far"} {
		b.awaitUnit(name+".service", "goes on by itself", launched)
	}
	b.eventually("all have the new content", func() bool {
		return b.sh("cd %s; grep -l 'sleep 2003' *.service | wc -l", boxUnits) == "4" && b.pid("far.service") != far
	})

	b.repo.write("units/next.service", "[Service]\nExecStart=/bin/sleep 2005\n[X-Fleet]\nReplaces=free.service\n")
	b.push("one in the place of another")
	b.awaitUnit("next.service", "runs", launched)
	if u := b.unit("free.service"); u.Health != "refused" || u.CurrentState != "inactive" || !strings.Contains(u.Reason, "next.service replaces it") {
		t.Errorf("%+v", u)
	}
	if left := b.sh("ls %s | grep -c free.service || true", boxUnits); left != "0" {
		t.Error("what was replaced stands there still")
	}
	b.repo.git("rm", "-q", "units/next.service")
	b.push("and back")
	b.awaitUnit("free.service", "is back", launched)
}
