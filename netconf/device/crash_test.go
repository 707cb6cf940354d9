package device

import (
	"fmt"
	"testing"
	"time"
)

// mixes are the kinds of devices that take part in the tests of crashes.
var mixes = [][]string{
	{"persist", "persist", "persist"},
	{"persist", "confirmed", "candidate"},
	{"persist", "running", "plain"},
	{"candidate", "running"},
	{"persist"},
	{"running"},
}

const foreign = "<hostname>mine</hostname>"

// crashed starts a world with something on it, and the change that is to be cut.
func crashed(t *testing.T, kinds []string) (w *world, names []string, before, after string) {
	w = newWorld(t, kinds...)
	w.restartWith(Config{Hint: time.Hour})
	for name, b := range w.boxes {
		names = append(names, name)
		b.byHand(foreign + users("carol:hand"))
	}
	w.must(All, Change{"a", on(users("alice:1", "bob:1"), names...)}, Change{"b", on(users("bob:1"), names...)})
	return w, names, foreign + users("carol:hand", "alice:1", "bob:1"), foreign + users("carol:9", "alice:2", "bob:1")
}

// TestKilled kills the process at every step of a transaction. After the next
// start either all devices have the change or none has it, nothing is left over,
// and the change can be applied again and taken back.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, mix := range mixes {
		for _, mode := range []Mode{All, PerDevice} {
			t.Run(fmt.Sprint(mix, mode), func(t *testing.T) {
				t.Parallel()
				for step := 1; ; step++ {
					done := false
					inTime(t, func(t *testing.T) { done = killAt(t, mix, mode, step) })
					if done || t.Failed() {
						if step < 5 {
							t.Errorf("there are just %d steps", step-1)
						}
						return
					}
				}
			})
		}
	}
}

// killAt gives true when the change was made before the step came.
func killAt(t *testing.T, mix []string, mode Mode, step int) bool {
	w, names, before, after := crashed(t, mix)
	w.stop()
	w.start(0)
	time.Sleep(time.Minute) // all are connected and looked at
	w.life.mu.Lock()
	w.life.steps, w.life.killAt = 0, step
	w.life.mu.Unlock()
	change := Change{"a", on(users("alice:2", "carol:9"), names...)}
	w.apply(mode, change)
	w.life.mu.Lock()
	at := w.life.at
	w.life.mu.Unlock()
	if at == "" {
		w.wants("not killed", same(after, names...))
		return true
	}
	where := fmt.Sprintf("killed at step %d, %s", step, at)
	w.stop()
	w.start(0)
	time.Sleep(20 * time.Minute)
	w.quiet(where)
	var changed int
	for _, name := range names {
		if w.boxes[name].config() == string(xml(after).AppendXML(nil)) {
			changed++
		}
	}
	switch {
	case changed == len(names):
		w.wants(where, same(after, names...))
	case changed == 0 && mode == All:
		w.wants(where, same(before, names...))
	case mode == All:
		t.Errorf("%s: %d of %d devices have changed", where, changed, len(names))
	case at != "device.before-wish":
		t.Errorf("%s: a wish is lost: %d of %d devices have changed", where, changed, len(names))
	}
	// What was cut off can be done again, and everything taken back.
	w.must(mode, change)
	w.wants(where+", and again", same(after, names...))
	w.must(mode, Change{"a", nil}, Change{"b", nil})
	w.wants(where+", and back", same(foreign+users("carol:hand"), names...))
	w.quiet(where + ", and back")
	return false
}

// TestFaults lets one of three devices go wrong in each way at each request of a
// transaction. In the end all have the change or none has it.
func TestFaults(t *testing.T) {
	t.Parallel()
	ops := map[string]int{"discard": 1, "lock": 2, "get": 3, "edit": 2, "commit": 2, "confirm": 1, "cancel": 1, "unlock": 2, "copy": 1} // how often each
	for _, mix := range mixes {
		for _, mode := range []Mode{All, PerDevice} {
			t.Run(fmt.Sprint(mix, mode), func(t *testing.T) {
				t.Parallel()
				for op, times := range ops {
					for _, f := range []fault{refuse, busyFault, cutBefore, cutAfter, hang, lie} {
						for nth := range times {
							inTime(t, func(t *testing.T) { faulty(t, mix, mode, op, f, nth) })
						}
					}
				}
			})
		}
	}
}

func faulty(t *testing.T, mix []string, mode Mode, op string, f fault, nth int) {
	w, names, before, after := crashed(t, mix)
	if (op == "get" || op == "unlock") && f == lie {
		return // a device that denies what it has, or holds, is beyond help
	}
	where := fmt.Sprintf("%s at request %d of %s", f, nth+1, op)
	b := w.boxes["d1"]
	b.mu.Lock()
	faults := make([]fault, nth+1)
	faults[nth] = f
	b.faults[op] = faults
	b.mu.Unlock()
	start := time.Now()
	got := w.apply(mode, Change{"a", on(users("alice:2", "carol:9"), names...)})["a"]
	took := time.Since(start)
	if took > 2*time.Minute {
		t.Errorf("%s: Apply takes %v", where, took)
	}
	time.Sleep(20 * time.Minute)
	w.quiet(where)
	var changed int
	for _, name := range names {
		if w.boxes[name].config() == string(xml(after).AppendXML(nil)) {
			changed++
		}
	}
	switch {
	case mode == All && got.Err != nil:
		w.wants(fmt.Sprintf("%s gives %v", where, got.Err), same(before, names...))
	case mode == All:
		w.wants(where, same(after, names...))
	case got.Err != nil:
		if changed != len(names)-1 || len(got.Refused) != 1 {
			t.Errorf("%s: %d of %d devices have changed, and the error is %v", where, changed, len(names), got.Err)
		}
	default:
		w.wants(where, same(after, names...))
	}
	b.mu.Lock()
	clear(b.faults)
	b.mu.Unlock()
	w.must(mode, Change{"a", on(users("alice:2", "carol:9"), names...)})
	w.wants(where+", and again", same(after, names...))
	w.must(mode, Change{"a", nil}, Change{"b", nil})
	w.wants(where+", and back", same(foreign+users("carol:hand"), names...))
	w.quiet(where + ", and back")
}
