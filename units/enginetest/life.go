package enginetest

import (
	"os"
	"syscall"

	"github.com/abide-agent/abide/units"
)

var lifeCases = []testCase{
	{"launch", testLaunch},
	{"load", testLoad},
	{"inactive", testInactive},
	{"change", testChange},
	{"drop-ins", testDropIns},
	{"change without restart", testNoRestart},
	{"a template is only placed", testTemplate},
	{"remove", testRemove},
	{"one-shot", testOneShot},
	{"by hand", testByHand},
	{"enable", testEnable},
}

func testLaunch(w *world) {
	if err := w.engine.Ping(w.Context()); err != nil {
		w.Fatal(err)
	}
	name := w.name("a.service")
	t := target(name, sleeper)
	r := w.launch(t)[name]
	w.did(r, "placed", "started")
	s := r.Status
	if s.State() != units.Launched || s.PID <= 0 || s.Digest != t.Digest || s.Placed != t.Digest || s.Missing || s.Masked || s.Since.IsZero() || s.Job != "" {
		w.Errorf("a launched unit is %+v", s)
	}
	if err := syscall.Kill(s.PID, 0); err != nil {
		w.Errorf("its process %d: %v", s.PID, err)
	}
	if w.read(name) != sleeper {
		w.Error("the file holds something else")
	}
	w.did(w.launch(t)[name]) // as wanted: nothing to do
	states, err := w.engine.States(w.Context(), true)
	if err != nil || states[name].PID != s.PID {
		w.Errorf("asked anew it is %+v (%v)", states[name], err)
	}
}

func testLoad(w *world) {
	name := w.name("a.service")
	t := target(name, sleeper)
	t.Want = units.Loaded
	r := w.launch(t)[name]
	w.did(r, "placed")
	if r.Status.State() != units.Loaded || r.Status.PID != 0 {
		w.Errorf("a loaded unit is %+v", r.Status)
	}
	t.Want = units.Launched
	w.did(w.launch(t)[name], "started")
	t.Want = units.Loaded
	r = w.launch(t)[name]
	w.did(r, "stopped")
	if r.Status.State() != units.Loaded {
		w.Errorf("a loaded unit is %+v", r.Status)
	}
}

func testInactive(w *world) {
	name := w.name("a.service")
	t := target(name, sleeper)
	pid := w.launch(t)[name].Status.PID
	t.Want = units.Inactive
	r := w.launch(t)[name]
	w.did(r, "stopped", "removed")
	if r.Status.State() != units.Inactive {
		w.Errorf("an inactive unit is %+v", r.Status)
	}
	w.gone(w.path(name))
	if syscall.Kill(pid, 0) == nil {
		w.Error("its process lives on")
	}
	if _, ours := w.must()[name]; ours {
		w.Error("States still has it")
	}
}

func (w *world) must() map[string]units.Status {
	w.Helper()
	states, err := w.engine.States(w.Context(), true)
	if err != nil {
		w.Fatal(err)
	}
	return states
}

func testChange(w *world) {
	a, b := w.name("a.service"), w.name("b.service")
	before := w.launch(target(a, sleeper), target(b, sleeper))
	out := w.launch(target(a, "[Service]\nExecStart=/bin/sleep 2d\n"), target(b, sleeper))
	w.did(out[a], "placed", "restarted")
	w.did(out[b])
	if out[a].Status.PID == before[a].Status.PID || out[a].Status.PID <= 0 {
		w.Error("the changed unit was not restarted")
	}
	if out[b].Status.PID != before[b].Status.PID {
		w.Error("a unit that did not change was restarted")
	}
	cmd, _ := os.ReadFile("/proc/" + itoa(out[a].Status.PID) + "/cmdline")
	if string(cmd) != "/bin/sleep\x002d\x00" {
		w.Errorf("it runs %q", cmd)
	}
}

func testDropIns(w *world) {
	name := w.name("a.service")
	in := units.DropIn{Name: "10-env.conf", Text: []byte("[Service]\nEnvironment=GREETING=hello\n")}
	t := target(name, sleeper, in)
	r := w.launch(t)[name]
	if r.Status.Digest != t.Digest {
		w.Error("the drop-in doesn't count")
	}
	env, _ := os.ReadFile("/proc/" + itoa(r.Status.PID) + "/environ")
	if !contains(string(env), "GREETING=hello") {
		w.Errorf("its environment is %q", env)
	}
	in.Text = []byte("[Service]\nEnvironment=GREETING=welcome\n")
	changed := w.launch(target(name, sleeper, in))[name]
	w.did(changed, "placed", "restarted")
	env, _ = os.ReadFile("/proc/" + itoa(changed.Status.PID) + "/environ")
	if !contains(string(env), "GREETING=welcome") {
		w.Errorf("its environment is %q", env)
	}
	plain := target(name, sleeper)
	if got := w.launch(plain)[name].Status.Digest; got != plain.Digest {
		w.Error("the drop-in that went still counts")
	}
	w.gone(w.path(name) + ".d")
}

func testNoRestart(w *world) {
	name := w.name("a.service")
	pid := w.launch(target(name, sleeper))[name].Status.PID
	t := target(name, sleeper+"\n[X-Fleet]\nGlobal=true\n")
	t.Restart = false
	r := w.launch(t)[name]
	w.did(r, "placed")
	if r.Status.PID != pid || r.Status.Digest != t.Digest || r.Status.Outdated {
		w.Errorf("PID %d became %+v", pid, r.Status)
	}
}

func testTemplate(w *world) {
	name := w.name("a@.service")
	text := "[Service]\nExecStart=/bin/sh -c 'echo instance %i; exec sleep 1d'\n"
	r := w.launch(target(name, text))[name]
	w.did(r, "placed")
	if r.Status.State() != units.Loaded {
		w.Errorf("a template is %+v", r.Status)
	}
	instance := name[:len(name)-len(".service")] + "7.service"
	w.did(w.launch(target(instance, text), target(name, text))[instance], "placed", "started")
	w.journalHas(instance, "instance 7")
	w.did(w.launch(remove(name))[name], "removed")
	w.isState(instance, units.Launched)
}

func testRemove(w *world) {
	a, b := w.name("a.service"), w.name("b.service")
	in := units.DropIn{Name: "x.conf", Text: []byte("[Service]\nNice=5\n")}
	out := w.launch(target(a, sleeper, in), target(b, sleeper))
	w.write(w.path(a)+".d/theirs.conf", "[Service]\nNice=6\n")
	w.until(a, "told of the foreign drop-in", func(s units.Status) bool { return len(s.Foreign) == 1 && s.Foreign[0] == "theirs.conf" })
	gone := w.launch(remove(a))[a]
	w.did(gone, "stopped", "removed")
	w.gone(w.path(a))
	w.gone(w.path(a) + ".d/x.conf")
	if _, err := os.Stat(w.path(a) + ".d/theirs.conf"); err != nil {
		w.Errorf("a drop-in of somebody else was removed: %v", err)
	}
	_ = os.RemoveAll(w.path(a) + ".d")
	if w.status(b).PID != out[b].Status.PID {
		w.Error("another unit was touched")
	}
	w.did(w.launch(remove(a))[a]) // gone already
	w.did(w.launch(target(a, sleeper))[a], "placed", "started")
}

func testOneShot(w *world) {
	name := w.name("a.service")
	count := w.TempDir() + "/count"
	text := script("Type=oneshot\n", "echo x >>"+count)
	t := target(name, text)
	r := w.launch(t)[name]
	w.did(r, "placed", "started")
	if r.Status.State() != units.Launched || !r.Status.OneShot {
		w.Errorf("a one-shot that ended well is %+v", r.Status)
	}
	w.did(w.launch(t)[name])
	w.reopen()
	w.isState(name, units.Launched)
	w.did(w.launch(t)[name])
	if got := w.file(count); got != "x\n" {
		w.Errorf("it ran %d times", len(got)/2)
	}
	changed := target(name, text+"# again\nEnvironment=A=b\n")
	w.did(w.launch(changed)[name], "placed", "started")
	if got := w.file(count); got != "x\nx\n" {
		w.Errorf("it ran %d times", len(got)/2)
	}
	changed.Want = units.Loaded
	if s := w.launch(changed)[name].Status; s.State() != units.Loaded {
		w.Errorf("a one-shot that is only to be loaded is %+v", s)
	}
	changed.Want = units.Launched
	w.did(w.launch(changed)[name], "started")
}

func (w *world) file(path string) string {
	w.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		w.Fatal(err)
	}
	return string(text)
}

func testByHand(w *world) {
	name := w.name("a.service")
	w.launch(target(name, sleeper))
	if err := w.engine.Stop(w.Context(), name); err != nil {
		w.Fatal(err)
	}
	w.isState(name, units.Loaded)
	if err := w.engine.Start(w.Context(), name); err != nil {
		w.Fatal(err)
	}
	w.isState(name, units.Launched)
	for what, act := range map[string]error{
		"start": w.engine.Start(w.Context(), w.name("none.service")),
		"stop":  w.engine.Stop(w.Context(), w.name("none.service")),
	} {
		if act == nil {
			w.Errorf("%s of a unit that nobody placed succeeds", what)
		}
	}
}

func testEnable(w *world) {
	if !w.opts.Install {
		return // nothing to be held to
	}
	name := w.name("a.service")
	install := func(target string) string { return sleeper + "[Install]\nWantedBy=" + target + "\n" }
	t := target(name, install("multi-user.target"))
	r := w.launch(t)[name]
	w.did(r, "placed", "enabled", "started")
	link := func(target string) string { return w.path(target+".wants") + "/" + name }
	if _, err := os.Lstat(link("multi-user.target")); err != nil || !r.Status.Enabled || r.Status.Disabled {
		w.Errorf("it is not enabled: %v %+v", err, r.Status)
	}
	if err := os.Remove(link("multi-user.target")); err != nil {
		w.Fatal(err)
	}
	w.until(name, "disabled", func(s units.Status) bool { return s.Disabled && !s.Enabled })
	w.did(w.launch(t)[name], "enabled")
	moved := target(name, install("graphical.target"))
	moved.Restart = false
	w.did(w.launch(moved)[name], "placed", "enabled")
	w.gone(link("multi-user.target"))
	moved.Want = units.Loaded
	w.did(w.launch(moved)[name], "disabled", "stopped")
	w.gone(link("graphical.target"))
	moved.Want = units.Launched
	w.launch(moved)
	w.did(w.launch(remove(name))[name], "stopped", "disabled", "removed")
	w.gone(link("graphical.target"))
}
