package enginetest

import (
	"os"
	"syscall"
	"time"

	"github.com/abide-agent/abide/units"
)

var driftCases = []testCase{
	{"an edited file", testEdited},
	{"a deleted file", testDeleted},
	{"a killed process", testKilled},
	{"a masked unit", testMasked},
	{"a new start adopts", testAdopt},
	{"a change that nobody applied", testStale},
}

func removeFile(path string) error { return os.Remove(path) }

func (w *world) mkdir(path string) {
	w.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		w.Fatal(err)
	}
}

func testEdited(w *world) {
	name := w.name("a.service")
	t := target(name, sleeper)
	pid := w.launch(t)[name].Status.PID
	w.write(w.path(name), "[Service]\nExecStart=/bin/sleep 9d\n")
	if took := w.until(name, "edited", func(s units.Status) bool { return s.Digest != t.Digest && s.Placed == t.Digest }); took > time.Second {
		w.Errorf("an edited file was seen after %v", took)
	}
	r := w.launch(t)[name]
	if r.Status.Digest != t.Digest || w.read(name) != sleeper || r.Status.Outdated {
		w.Errorf("put right it is %+v", r.Status)
	}
	if r.Status.PID != pid {
		w.Error("it was restarted, though it never ran what was written there")
	}
}

func testDeleted(w *world) {
	name := w.name("a.service")
	t := target(name, sleeper, units.DropIn{Name: "x.conf", Text: []byte("[Service]\nNice=1\n")})
	pid := w.launch(t)[name].Status.PID
	if err := os.Remove(w.path(name)); err != nil {
		w.Fatal(err)
	}
	if took := w.until(name, "missing", func(s units.Status) bool { return s.Missing }); took > time.Second {
		w.Errorf("a deleted file was seen after %v", took)
	}
	if r := w.launch(t)[name]; r.Status.Missing || r.Status.PID != pid || r.Status.State() != units.Launched {
		w.Errorf("put right it is %+v", r.Status)
	}
	if err := os.Remove(w.path(name) + ".d/x.conf"); err != nil {
		w.Fatal(err)
	}
	w.until(name, "without its drop-in", func(s units.Status) bool { return !s.Missing && s.Digest != t.Digest })
	if r := w.launch(t)[name]; r.Status.Digest != t.Digest || r.Status.PID != pid {
		w.Errorf("put right it is %+v", r.Status)
	}
}

func testKilled(w *world) {
	name := w.name("a.service")
	t := target(name, sleeper)
	s := w.launch(t)[name].Status
	if err := syscall.Kill(s.PID, syscall.SIGKILL); err != nil {
		w.Fatal(err)
	}
	took := w.until(name, "dead", func(s units.Status) bool { return s.State() == units.Loaded })
	w.Logf("a killed process was seen after %v", took)
	if took > w.opts.Seen {
		w.Errorf("a killed process was seen after %v, want %v", took, w.opts.Seen)
	}
	if s := w.status(name); s.Active != "failed" || s.Result != "signal" || s.Exit != 128+9 || s.PID != 0 {
		w.Errorf("a killed unit is %+v", s)
	}
	w.did(w.launch(t)[name], "started")
	w.isState(name, units.Launched)
}

func testMasked(w *world) {
	if !w.opts.Install {
		return // nothing to be held to
	}
	name := w.name("a.service")
	t := target(name, sleeper)
	pid := w.launch(t)[name].Status.PID
	if err := os.Remove(w.path(name)); err != nil {
		w.Fatal(err)
	}
	if err := os.Symlink("/dev/null", w.path(name)); err != nil {
		w.Fatal(err)
	}
	w.until(name, "masked", func(s units.Status) bool { return s.Masked && s.Digest != t.Digest })
	r := w.launch(t)[name]
	w.did(r, "placed", "unmasked")
	if r.Status.Masked || r.Status.PID != pid || w.read(name) != sleeper {
		w.Errorf("put right it is %+v", r.Status)
	}
}

func testAdopt(w *world) {
	var batch []units.Target
	for range 5 {
		batch = append(batch, target(w.name("a.service"), sleeper))
	}
	before := w.launch(batch...)
	w.reopen()
	states := w.must()
	for name, r := range before {
		s := states[name]
		if s.PID != r.Status.PID || s.State() != units.Launched || s.Digest != r.Status.Digest || s.Placed != r.Status.Placed {
			w.Errorf("%s was %+v and is %+v", name, r.Status, s)
		}
	}
	for name, r := range w.launch(batch...) {
		w.did(r)
		if r.Status.PID != before[name].Status.PID {
			w.Errorf("%s was restarted", name)
		}
	}
}

// testStale: an agent that dies, or gives up waiting, between placing a file and
// restarting its unit leaves it to the next one.
func testStale(w *world) {
	name := w.name("a.service")
	w.launch(target(name, "[Service]\nExecStart=/bin/sleep 1d\nExecStop=/bin/sleep 2\n"))
	changed := target(name, "[Service]\nExecStart=/bin/sleep 3d\n")
	w.converge(time.Nanosecond, changed)
	w.reopen()
	w.launch(changed)
	w.until(name, "running what is wanted", func(s units.Status) bool {
		cmd, _ := os.ReadFile("/proc/" + itoa(s.PID) + "/cmdline")
		return string(cmd) == "/bin/sleep\x003d\x00"
	})
}
