package enginetest

import (
	"strings"
	"time"

	"github.com/abide-agent/abide/units"
)

var orderCases = []testCase{
	{"starts in order", testStartOrder},
	{"stops in reverse", testStopOrder},
	{"what requires a failed one", testRequires},
	{"what waits for a probe", testProbeOrder},
	{"contradictions", testCycle},
}

// logs gives a one-shot that stays and writes its name when it starts and stops.
func logs(name, file, unitOptions string) units.Target {
	return target(name, "[Unit]\n"+unitOptions+"[Service]\nType=oneshot\nRemainAfterExit=yes\n"+
		"ExecStart=/bin/sh -c 'sleep 0.1; echo +"+name+" >>"+file+"'\n"+
		"ExecStop=/bin/sh -c 'sleep 0.1; echo -"+name+" >>"+file+"'\n")
}

func (w *world) chain() (batch []units.Target, names []string, file string) {
	file = w.TempDir() + "/log"
	a, b, c, d := w.name("a.service"), w.name("b.service"), w.name("c.service"), w.name("d.service")
	return []units.Target{ // c needs b, b needs a; d is to be before a
		logs(c, file, "Requires="+b+"\nAfter="+b+"\n"),
		logs(b, file, "BindsTo="+a+"\nAfter="+a+"\n"),
		logs(a, file, ""),
		logs(d, file, "Before="+a+"\n"),
	}, []string{d, a, b, c}, file
}

func testStartOrder(w *world) {
	batch, names, file := w.chain()
	w.launch(batch...)
	if got, want := w.file(file), "+"+strings.Join(names, "\n+")+"\n"; got != want {
		w.Errorf("they started in the order\n%swant\n%s", got, want)
	}
}

func testStopOrder(w *world) {
	batch, names, file := w.chain()
	w.launch(batch...)
	w.write(file, "")
	for i := range batch {
		batch[i] = remove(batch[i].Name)
	}
	w.launch(batch...)
	if got, want := w.file(file), "-"+names[3]+"\n-"+names[2]+"\n-"+names[1]+"\n-"+names[0]+"\n"; got != want {
		w.Errorf("they stopped in the order\n%swant\n%s", got, want)
	}
}

func testRequires(w *world) {
	bad, needs := w.name("bad.service"), w.name("needs.service")
	out := w.converge(patience,
		target(needs, "[Unit]\nRequires="+bad+"\nAfter="+bad+"\n"+sleeper),
		target(bad, script("Type=oneshot\n", "exit 1")))
	if out[bad].Err == nil || out[needs].Err == nil {
		w.Errorf("the bad one gives %v, what requires it %v", out[bad].Err, out[needs].Err)
	}
	if s := w.status(needs); s.State() != units.Loaded {
		w.Errorf("what requires a failed unit is %+v", s)
	}
}

func testProbeOrder(w *world) {
	bad, needs, last, after := w.name("bad.service"), w.name("needs.service"), w.name("last.service"), w.name("after.service")
	sick := target(bad, sleeper)
	sick.Probe = &units.Probe{Exec: []string{"/bin/false"}, Window: 200 * time.Millisecond}
	out := w.converge(patience,
		target(last, "[Unit]\nRequires="+needs+"\nAfter="+needs+"\n"+sleeper),
		target(needs, "[Unit]\nRequires="+bad+"\nAfter="+bad+"\n"+sleeper),
		target(after, "[Unit]\nAfter="+bad+"\n"+sleeper),
		sick)
	for _, name := range []string{bad, needs, last} {
		if out[name].Err == nil {
			w.Errorf("%s is well though a probe says otherwise", name)
		}
	}
	if out[after].Err != nil {
		w.Errorf("what only comes after the sick one: %v", out[after].Err)
	}
	if w.status(needs).PID != 0 || w.status(last).PID != 0 {
		w.Error("what requires a sick unit runs")
	}
}

func testCycle(w *world) {
	a, b := w.name("a.service"), w.name("b.service")
	w.launch( // a common pair: each speaks of the other
		target(a, "[Unit]\nWants="+b+"\nBefore="+b+"\n"+sleeper),
		target(b, "[Unit]\nPartOf="+a+"\nAfter="+a+"\n"+sleeper))
	c, d := w.name("c.service"), w.name("d.service")
	w.converge(patience, // nonsense must not hang
		target(c, "[Unit]\nAfter="+d+"\n"+sleeper),
		target(d, "[Unit]\nAfter="+c+"\n"+sleeper))
}
