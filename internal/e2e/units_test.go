package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/abide-agent/abide/fleetapi"
)

// unit gives one unit as the fleet API shows it.
func (d *daemon) unit(name string) fleetapi.Unit {
	d.t.Helper()
	return get[fleetapi.Unit](d, "/fleet/v1/units/"+name)
}

// awaitUnit waits until ok says that a unit is as it should be.
func (d *daemon) awaitUnit(name, what string, ok func(fleetapi.Unit) bool) fleetapi.Unit {
	d.t.Helper()
	var u fleetapi.Unit
	d.eventually(name+" "+what, func() bool {
		u = d.unit(name)
		return ok(u)
	})
	return u
}

func launched(u fleetapi.Unit) bool { return u.CurrentState == "launched" && u.Health == "ok" }

func (d *daemon) send(method, path, body string) int {
	d.t.Helper()
	req, err := http.NewRequest(method, d.url(path), strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// sleeper is a unit whose process can be told by its argument.
func sleeper(seconds int, more ...string) string {
	return fmt.Sprintf("[Unit]\nDescription=a sleeper\n[Service]\nExecStart=/bin/sleep %d\n%s\n", seconds, strings.Join(more, "\n"))
}

// pidOf finds the process of a sleeper, 0 when there is none.
func pidOf(t *testing.T, seconds int) int {
	t.Helper()
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range dirs {
		line, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		pid := 0
		if _, scan := fmt.Sscan(e.Name(), &pid); err == nil && scan == nil && string(line) == fmt.Sprintf("/bin/sleep\x00%d\x00", seconds) {
			return pid
		}
	}
	return 0
}

// purgeAtEnd takes away what the agent placed, when the test is over: units
// outlive their agent on purpose.
func (d *daemon) purgeAtEnd() {
	d.t.Cleanup(func() {
		d.kill(syscall.SIGKILL)
		cmd := exec.Command(binary(d.t, ""), "purge", "--yes", "--state", d.state, "--units", "process")
		if out, err := cmd.CombinedOutput(); err != nil {
			d.t.Errorf("purge: %v: %s", err, out)
		}
	})
}

// TestUnits follows a unit through its life under the embedded engine: commit,
// change, failure, revert, the agent's death, its own death, removal.
func TestUnits(t *testing.T) {
	t.Parallel()
	base := 500_000 + os.Getpid()*10%400_000 // arguments that no other process has
	repo := newRepository(t)
	repo.write("units/web.service", sleeper(base))
	repo.write("units/other.service", sleeper(base+1))
	repo.commit("two units")
	d := newDaemon(t, "--git", repo.dir, "--units", "process")
	d.start()
	d.purgeAtEnd()
	d.awaitUnit("web.service", "runs", launched)
	d.awaitUnit("other.service", "runs", launched)
	other := pidOf(t, base+1)

	repo.write("units/web.service", sleeper(base+2))
	repo.commit("change one")
	d.eventually("the changed unit runs anew", func() bool { return pidOf(t, base+2) != 0 && pidOf(t, base) == 0 })
	if pidOf(t, base+1) != other {
		t.Error("a unit that did not change was touched")
	}

	repo.write("units/web.service", strings.Replace(sleeper(base+2), "/bin/sleep", "/nonexistent/program", 1))
	repo.commit("break it")
	broken := d.awaitUnit("web.service", "fails", func(u fleetapi.Unit) bool { return u.CurrentState != "launched" && u.Health == "failed" })
	if broken.Reason == "" {
		t.Error("no reason is given for a unit that failed")
	}
	d.stream("?since=0&types=unit_failed").wait("web.service")
	repo.git("revert", "--no-edit", "HEAD")
	d.awaitUnit("web.service", "is well again", launched)

	d.kill(syscall.SIGKILL)
	web := pidOf(t, base+2)
	if web == 0 || pidOf(t, base+1) != other {
		t.Fatal("killing the agent killed its units")
	}
	d.start()
	d.awaitUnit("web.service", "is adopted", launched)
	if pidOf(t, base+2) != web || pidOf(t, base+1) != other {
		t.Error("a restart of the agent restarted units")
	}

	_ = syscall.Kill(web, syscall.SIGKILL)
	d.eventually("a dead unit is repaired", func() bool { pid := pidOf(t, base+2); return pid != 0 && pid != web })
	d.stream("?since=0&types=unit_repaired").wait("web.service")

	if code := d.send(http.MethodDelete, "/fleet/v1/units/web.service", ""); code != http.StatusConflict {
		t.Errorf("a unit of Git was deleted over the API: %d", code)
	}
	repo.git("rm", "-q", "units/web.service")
	repo.commit("remove it")
	d.eventually("a removed unit is gone", func() bool { return pidOf(t, base+2) == 0 })
	if out, code := d.cli("units"); code != 0 || strings.Contains(out, "web.service") || !strings.Contains(out, "other.service") {
		t.Errorf("units: %d %s", code, out)
	}
}

// TestUnitsOverTheFleetAPI: what is created there is durable, and ends when it
// is destroyed.
func TestUnitsOverTheFleetAPI(t *testing.T) {
	t.Parallel()
	base := 1_000_000 + os.Getpid()*10%400_000
	d := newDaemon(t, "--units", "process")
	d.start()
	d.purgeAtEnd()
	options := fmt.Sprintf(`[{"section":"Service","name":"ExecStart","value":"/bin/sleep %d"}]`, base)
	if code := d.send(http.MethodPut, "/fleet/v1/units/api.service", `{"desiredState":"launched","options":`+options+`}`); code != http.StatusCreated {
		t.Fatalf("create: %d", code)
	}
	d.awaitUnit("api.service", "runs", launched)
	pid := pidOf(t, base)
	d.kill(syscall.SIGTERM)
	d.start()
	d.awaitUnit("api.service", "is adopted", launched)
	if pidOf(t, base) != pid || pid == 0 {
		t.Error("a restart of the agent restarted the unit")
	}
	if out, code := d.cli("units", "stop", "api.service"); code != 0 {
		t.Errorf("stop: %d %s", code, out)
	}
	if u := d.unit("api.service"); u.CurrentState != "loaded" || pidOf(t, base) != 0 {
		t.Errorf("after a PUT to a lower state: %+v", u)
	}
	if out, code := d.cli("units", "start", "api.service"); code != 0 {
		t.Errorf("start: %d %s", code, out)
	}
	d.awaitUnit("api.service", "runs again", launched)
	if out, code := d.cli("units", "cat", "api.service"); code != 0 || out != fmt.Sprintf("[Service]\nExecStart=/bin/sleep %d\n", base) {
		t.Errorf("cat: %d %q", code, out)
	}
	if code := d.send(http.MethodDelete, "/fleet/v1/units/api.service", ""); code != http.StatusNoContent {
		t.Errorf("destroy: %d", code)
	}
	d.eventually("a destroyed unit is gone", func() bool { return pidOf(t, base) == 0 })
	if list := get[map[string]json.RawMessage](d, "/fleet/v1/units"); len(list) != 0 {
		t.Errorf("after the last one was destroyed: %s", list)
	}
}

// TestPurge: stopping the agent leaves its units running, purging ends them.
func TestPurge(t *testing.T) {
	t.Parallel()
	base := 1_500_000 + os.Getpid()*10%400_000
	repo := newRepository(t)
	repo.write("units/web.service", sleeper(base))
	repo.commit("a unit")
	d := newDaemon(t, "--git", repo.dir, "--units", "process")
	d.start()
	d.awaitUnit("web.service", "runs", launched)
	purge := func(more ...string) (string, int) {
		return cli(t, nil, "", append([]string{"purge", "--units", "process", "--state", d.state}, more...)...)
	}
	if out, code := purge("--yes"); code == 0 || !strings.Contains(out, "stop it first") {
		t.Errorf("under a running agent: %d %s", code, out)
	}
	d.kill(syscall.SIGTERM)
	if out, code := purge(); code != 1 || !strings.Contains(out, "web.service") || pidOf(t, base) == 0 {
		t.Errorf("without --yes: %d %s", code, out)
	}
	if out, code := purge("--yes"); code != 0 || !strings.Contains(out, "1 unit removed") || pidOf(t, base) != 0 {
		t.Errorf("with --yes: %d %s", code, out)
	}
	d.start()
	d.awaitUnit("web.service", "comes back with the agent", launched)
	d.kill(syscall.SIGTERM)
	if out, code := purge("--yes"); code != 0 {
		t.Errorf("at the end: %d %s", code, out)
	}
}
