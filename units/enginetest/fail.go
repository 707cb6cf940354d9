package enginetest

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/abide-agent/abide/units"
)

var failCases = []testCase{
	{"a program that is not there", testNoProgram},
	{"a program that fails", testFails},
	{"one-shot that fails", testOneShotFails},
	{"a file that is refused", testRefused},
	{"notify", testNotify},
	{"a start that hangs", testStartHangs},
	{"a stop that hangs", testStopHangs},
	{"probes", testProbes},
	{"a condition", testCondition},
	{"a foreign file", testForeign},
	{"bad names", testBadNames},
	{"journal", testJournal},
}

func itoa(n int) string { return strconv.Itoa(n) }

func contains(text, part string) bool { return strings.Contains(text, part) }

// fails converges one target that must fail beside one that must not.
func (w *world) fails(t units.Target, words ...string) units.Result {
	w.Helper()
	other := w.name("other.service")
	out := w.converge(patience, t, target(other, sleeper))
	if out[other].Err != nil {
		w.Errorf("the unit beside it failed too: %v", out[other].Err)
	}
	r := out[t.Name]
	if r.Err == nil {
		w.Fatalf("%s did not fail: %+v", t.Name, r.Status)
	}
	for _, word := range append(words, t.Name) {
		if !contains(r.Err.Error(), word) {
			w.Errorf("the error %q does not say %q", r.Err, word)
		}
	}
	return r
}

func testNoProgram(w *world) {
	t := target(w.name("a.service"), "[Service]\nExecStart=/no/such/program\n")
	r := w.fails(t, "203")
	if r.Status.State() != units.Loaded || r.Status.Result != "exit-code" || r.Status.Exit != 203 {
		w.Errorf("it is %+v", r.Status)
	}
	good := target(t.Name, sleeper)
	w.launch(good)
	w.isState(t.Name, units.Launched)
}

func testFails(w *world) {
	t := target(w.name("a.service"), script("", "echo first; echo it broke >&2; exit 7"))
	r := w.fails(t, "7")
	if r.Status.State() != units.Loaded || r.Status.Active != "failed" || r.Status.Exit != 7 {
		w.Errorf("it is %+v", r.Status)
	}
	if log := strings.Join(r.Log, "\n"); !contains(log, "first") || !contains(log, "it broke") {
		w.Errorf("the last lines are %q", r.Log)
	}
	w.fails(t, "7") // again, and not because it came too often
}

func testOneShotFails(w *world) {
	t := target(w.name("a.service"), script("Type=oneshot\n", "echo no luck; exit 3"))
	r := w.fails(t, "3")
	if r.Status.State() != units.Loaded {
		w.Errorf("it is %+v", r.Status)
	}
	if !contains(strings.Join(r.Log, "\n"), "no luck") {
		w.Errorf("the last lines are %q", r.Log)
	}
}

func testRefused(w *world) {
	t := target(w.name("a.service"), "[Service]\nRestart=always\n") // nothing to execute
	r := w.fails(t)
	if r.Status.State() == units.Launched {
		w.Errorf("it is %+v", r.Status)
	}
	t.Want = units.Loaded
	t.Text = append(t.Text, "# again\n"...)
	t.Digest = units.Content(t.Text, nil)
	w.fails(t)
	w.did(w.launch(remove(t.Name))[t.Name], "removed")
}

func testNotify(w *world) {
	if w.opts.Notify == "" {
		return // nothing to be held to
	}
	ready := w.TempDir() + "/ready"
	text := script("Type=notify\nNotifyAccess=all\n", "sleep 0.3; touch "+ready+"; "+w.opts.Notify+"; exec sleep 1d")
	name := w.name("a.service")
	w.launch(target(name, text))
	w.file(ready)
	w.isState(name, units.Launched)
	w.fails(target(w.name("b.service"), script("Type=notify\nNotifyAccess=all\nTimeoutStartSec=1\n", "exec sleep 1d")), "timeout")
}

func testStartHangs(w *world) {
	slow, quick := w.name("slow.service"), w.name("quick.service")
	began := time.Now()
	t := target(slow, script("Type=oneshot\n", "sleep 4"))
	out := w.converge(500*time.Millisecond, t, target(quick, sleeper))
	if !errors.Is(out[slow].Err, units.ErrBusy) || out[quick].Err != nil {
		w.Errorf("slow: %v, quick: %v", out[slow].Err, out[quick].Err)
	}
	if took := time.Since(began); took > 3*time.Second {
		w.Errorf("that took %v", took)
	}
	if s := w.status(slow); s.Job != "start" || s.State() == units.Launched {
		w.Errorf("meanwhile it is %+v", s)
	}
	w.isState(slow, units.Launched) // it went on
	w.did(w.launch(t)[slow])
}

func testStopHangs(w *world) {
	hang, quick := w.name("hang.service"), w.name("quick.service")
	out := w.launch(target(hang, "[Service]\nExecStart=/bin/sleep 1d\nExecStop=/bin/sleep 4\n"), target(quick, sleeper))
	again := w.converge(500*time.Millisecond, remove(hang), target(quick, sleeper+"Nice=1\n"))
	if !errors.Is(again[hang].Err, units.ErrBusy) {
		w.Errorf("a stop that hangs gives %v", again[hang].Err)
	}
	if again[quick].Err != nil || again[quick].Status.PID == out[quick].Status.PID {
		w.Errorf("the other one: %+v", again[quick])
	}
	if s := w.status(hang); s.Job != "stop" {
		w.Errorf("meanwhile it is %+v", s)
	}
	w.read(hang) // its file stays until it has stopped
	w.until(hang, "stopped", func(s units.Status) bool { return s.Job == "" && s.State() == units.Loaded })
	w.did(w.launch(remove(hang))[hang], "removed")
}

func testProbes(w *world) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	defer listener.Close()
	well := target(w.name("well.service"), sleeper)
	well.Probe = &units.Probe{TCP: listener.Addr().String(), Window: patience}
	flag := w.TempDir() + "/flag"
	late := target(w.name("late.service"), script("", "sleep 0.3; touch "+flag+"; exec sleep 1d"))
	late.Probe = &units.Probe{Exec: []string{"/bin/sh", "-c", "test -e " + flag}, Window: patience}
	out := w.launch(well, late)
	w.did(out[well.Name], "placed", "started")
	w.file(flag)

	sick := target(w.name("sick.service"), script("", "echo unwell; exec sleep 1d"))
	sick.Probe = &units.Probe{Exec: []string{"/bin/false"}, Window: 300 * time.Millisecond}
	r := w.fails(sick, "probe")
	if r.Status.PID == 0 || !contains(strings.Join(r.Log, "\n"), "unwell") {
		w.Errorf("a unit that is not well is %+v, its lines %q", r.Status, r.Log)
	}
	never := target(w.name("never.service"), sleeper)
	never.Probe = &units.Probe{Exec: []string{"/bin/false"}, Window: 2 * time.Second}
	for tries := 1; ; tries++ { // by one who can't wait for all of the window
		err := w.converge(1200*time.Millisecond, never)[never.Name].Err
		if err == nil || tries > 10 {
			w.Fatalf("after %d tries a probe that never succeeds gives %v", tries, err)
		}
		if !errors.Is(err, units.ErrBusy) {
			break
		}
	}
	dead := target(w.name("dead.service"), script("", "sleep 0.4; exit 9"))
	dead.Probe = &units.Probe{Exec: []string{"/bin/false"}, Window: patience}
	w.fails(dead, "9")
}

func testCondition(w *world) {
	name := w.name("a.service")
	text := "[Unit]\nConditionPathExists=/no/such/path\n" + sleeper
	r := w.launch(target(name, text))[name]
	if r.Status.State() == units.Launched || !r.Status.Skipped {
		w.Errorf("a unit with a false condition is %+v", r.Status)
	}
}

func testForeign(w *world) {
	name := w.name("a.service")
	w.write(w.path(name), "[Service]\nExecStart=/bin/true\n")
	w.fails(target(name, sleeper), w.path(name))
	if got := w.read(name); got != "[Service]\nExecStart=/bin/true\n" {
		w.Errorf("a file of somebody else became %q", got)
	}
	w.launch(remove(name))
	w.read(name) // not ours to remove
	if err := removeFile(w.path(name)); err != nil {
		w.Fatal(err)
	}
	w.did(w.launch(target(name, sleeper))[name], "placed", "started")
	theirs := w.path(name) + ".d/10.conf"
	w.mkdir(w.path(name) + ".d")
	w.write(theirs, "[Service]\nNice=3\n")
	w.fails(target(name, sleeper, units.DropIn{Name: "10.conf", Text: []byte("[Service]\n")}), theirs)
	if err := removeFile(theirs); err != nil {
		w.Fatal(err)
	}
	_ = removeFile(w.path(name) + ".d")
}

func testBadNames(w *world) {
	for _, name := range []string{"", "plain", "../../tmp/x.service", "a/b.service", "x.txt", strings.Repeat("x", 250) + ".service", "@.service"} {
		out := w.converge(patience, target(name, sleeper))
		if out[name].Err == nil {
			w.Errorf("the name %q is taken", name)
		}
		delete(w.names, name)
	}
	name := w.name("a.service")
	for _, in := range []string{"../x.conf", "x", ".x.conf", ""} {
		if out := w.converge(patience, target(name, sleeper, units.DropIn{Name: in})); out[name].Err == nil {
			w.Errorf("the drop-in %q is taken", in)
		}
	}
}

func testJournal(w *world) {
	name := w.name("a.service")
	w.launch(target(name, script("", "for i in 1 2 3 4 5; do echo line $i; done; exec sleep 1d")))
	w.journalHas(name, "line 5")
	lines, err := w.engine.Journal(w.Context(), name, 2)
	if err != nil || len(lines) != 2 || !contains(lines[1], "line 5") {
		w.Errorf("the last two lines are %q (%v)", lines, err)
	}
}

// journalHas waits until a unit's output has come to its journal.
func (w *world) journalHas(name, want string) {
	w.Helper()
	deadline := time.Now().Add(patience)
	for {
		lines, err := w.engine.Journal(w.Context(), name, 50)
		if err != nil {
			w.Fatal(err)
		}
		if contains(strings.Join(lines, "\n"), want) {
			return
		}
		if time.Now().After(deadline) {
			w.Fatalf("the journal of %s lacks %q: %q", name, want, lines)
		}
	}
}
