package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abide-agent/abide/fleetapi"
)

// TestUnitWaves: one commit changes a unit and those that need it. Where the one
// fails the others are not touched, say why, and go on by themselves.
func TestUnitWaves(t *testing.T) {
	t.Parallel()
	base := 2_000_000 + os.Getpid()*10%400_000
	repo := newRepository(t)
	stack := func(db, rest int) {
		repo.write("units/db.service", sleeper(base+db))
		repo.write("units/app.service", "[Unit]\nRequires=db.service\nAfter=db.service\n"+sleeper(base+rest))
		repo.write("units/far.service", sleeper(base+rest+1, "[X-Abide]", "DependsOn=db.service"))
		repo.write("units/free.service", sleeper(base+rest+2))
	}
	stack(0, 1)
	repo.commit("a stack")
	d := newDaemon(t, "--git", repo.dir, "--units", "process")
	d.start()
	d.purgeAtEnd()
	for _, name := range []string{"db.service", "app.service", "far.service", "free.service"} {
		d.awaitUnit(name, "runs", launched)
	}
	far := pidOf(t, base+2)

	stack(4, 5)
	repo.write("units/db.service", strings.Replace(sleeper(base+4), "/bin/sleep", "/nonexistent/program", 1))
	repo.commit("change all of them, and break one")
	d.awaitUnit("db.service", "fails", func(u fleetapi.Unit) bool { return u.Health == "failed" })
	d.eventually("the one that needs nobody is changed", func() bool { return pidOf(t, base+7) != 0 })
	for _, name := range []string{"app.service", "far.service"} {
		u := d.awaitUnit(name, "waits", func(u fleetapi.Unit) bool { return u.Health == "waiting" })
		if !strings.Contains(u.Reason, "unit/db.service, which failed") {
			t.Errorf("%s waits for: %s", name, u.Reason)
		}
	}
	if pidOf(t, base+2) != far || pidOf(t, base+5)+pidOf(t, base+6) != 0 {
		t.Error("a unit was touched although what it needs had failed")
	}
	d.eventually("status says who is waited for", func() bool {
		out, _ := d.cli("status")
		return strings.Contains(out, "waits for unit/db.service, which failed")
	})

	stack(8, 5)
	repo.commit("mend it")
	d.eventually("those who waited go on", func() bool {
		return pidOf(t, base+8) != 0 && pidOf(t, base+5) != 0 && pidOf(t, base+6) != 0 && pidOf(t, base+2) == 0
	})
	d.awaitUnit("app.service", "is well", launched)
}

// TestUnitTemplates: instances come of links in the repository, and of a PUT that
// names one of its templates, or one that was stored over the API.
func TestUnitTemplates(t *testing.T) {
	t.Parallel()
	base := 2_500_000 + os.Getpid()*10%400_000
	repo := newRepository(t)
	template := func(more string) string { return fmt.Sprintf("[Service]\nExecStart=/bin/sleep %%i%s\n", more) }
	repo.write("units/s@.service", template(""))
	link := fmt.Sprintf("s@%d.service", base)
	if err := os.Symlink("s@.service", filepath.Join(repo.dir, "units", link)); err != nil {
		t.Fatal(err)
	}
	repo.commit("a template and an instance")
	d := newDaemon(t, "--git", repo.dir, "--units", "process")
	d.start()
	d.purgeAtEnd()
	d.awaitUnit(link, "runs", launched)
	put := func(name, body string, want int) {
		t.Helper()
		if code := d.send(http.MethodPut, "/fleet/v1/units/"+name, body); code != want {
			t.Errorf("PUT %s: %d, want %d", name, code, want)
		}
	}
	ofGit := fmt.Sprintf("s@%d.service", base+1)
	put(ofGit, `{"desiredState":"launched"}`, http.StatusCreated)
	put("api@.service", `{"options":[{"section":"Service","name":"ExecStart","value":"/bin/sleep %i"}]}`, http.StatusCreated)
	ofAPI := fmt.Sprintf("api@%d.service", base+2)
	put(ofAPI, `{"desiredState":"launched"}`, http.StatusCreated)
	put("none@1.service", `{"desiredState":"launched"}`, http.StatusConflict)
	put(link, `{"desiredState":"inactive"}`, http.StatusConflict) // it is Git's
	d.awaitUnit(ofGit, "runs", launched)
	d.awaitUnit(ofAPI, "runs", launched)
	if pidOf(t, base) == 0 || pidOf(t, base+1) == 0 || pidOf(t, base+2) == 0 {
		t.Error("an instance does not run what its template says")
	}
	made, linked := pidOf(t, base+1), pidOf(t, base)

	repo.write("units/s@.service", template("\nRestart=always"))
	repo.commit("change the template")
	d.eventually("the instance of the link follows", func() bool { pid := pidOf(t, base); return pid != 0 && pid != linked })
	if pidOf(t, base+1) != made {
		t.Error("an instance that was made over the API is a copy, and has changed")
	}
	repo.git("rm", "-q", "units/"+link)
	repo.commit("take the link away")
	d.eventually("the instance is gone", func() bool { return pidOf(t, base) == 0 })
}

// TestUnitsThatAreNotForThisMachine: they are shown with the reason and hold up
// nobody; the metadata that units are chosen by can change.
func TestUnitsThatAreNotForThisMachine(t *testing.T) {
	t.Parallel()
	base := 3_000_000 + os.Getpid()*10%400_000
	repo := newRepository(t)
	repo.write("units/a.service", sleeper(base, "CPUWeight=5"))
	repo.write("units/ssd.service", sleeper(base+1, "[X-Fleet]", "MachineMetadata=disk=ssd"))
	repo.write("units/big.service", sleeper(base+2, "MemoryMax=1G"))
	repo.commit("units")
	d := newDaemon(t, "--git", repo.dir, "--units", "process")
	d.start()
	d.purgeAtEnd()
	d.awaitUnit("a.service", "runs", launched)
	if u := d.unit("ssd.service"); u.Health != "refused" || u.CurrentState != "inactive" || u.DesiredState != "launched" || u.MachineID != "" {
		t.Errorf("%+v", u)
	}
	if u := d.unit("big.service"); u.Health != "not-supported" || !strings.Contains(u.Reason, "MemoryMax") {
		t.Errorf("%+v", u)
	}
	for _, want := range []string{"big.service:5:1: MemoryMax=1G is not supported", "its MachineMetadata= asks for disk=ssd"} {
		if out, _ := d.cli("plan"); !strings.Contains(out, want) {
			t.Errorf("the plan lacks %q:\n%s", want, out)
		}
	}
	if out, _ := d.cli("units", "status", "a.service"); !strings.Contains(out, "without effect here: Service/CPUWeight, Unit/Description") {
		t.Errorf("status of a unit:\n%s", out)
	}
	if h := get[struct{ Status string }](d, "/health"); h.Status != "healthy" {
		t.Errorf("without any pipeline the agent is %s", h.Status)
	}
	api := fmt.Sprintf(`{"desiredState":"launched","options":[{"section":"Service","name":"ExecStart","value":"/bin/sleep %d"},
		{"section":"X-Fleet","name":"Conflicts","value":"a.*"}]}`, base+3)
	if code := d.send(http.MethodPut, "/fleet/v1/units/foe.service", api); code != http.StatusCreated {
		t.Error(code)
	}
	foe := d.awaitUnit("foe.service", "is refused", func(u fleetapi.Unit) bool { return u.Health == "refused" })
	if !strings.Contains(foe.Reason, "in conflict with a.service") {
		t.Errorf("%+v", foe)
	}

	id := get[fleetapi.MachinePage](d, "/fleet/v1/machines").Machines[0].ID
	patch := func(op string) {
		t.Helper()
		if code := d.send(http.MethodPatch, "/fleet/v1/machines", `[{"op":"`+op+`","path":"/`+id+`/metadata/disk","value":"ssd"}]`); code != http.StatusNoContent {
			t.Errorf("PATCH: %d", code)
		}
	}
	patch("add")
	d.awaitUnit("ssd.service", "runs", launched)
	patch("remove")
	d.eventually("it is taken away again", func() bool { return pidOf(t, base+1) == 0 })
	d.awaitUnit("a.service", "still runs", launched)
}
