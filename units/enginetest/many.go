package enginetest

import (
	"context"
	"sync"
	"time"

	"github.com/abide-agent/abide/units"
)

var manyCases = []testCase{
	{"many in a batch", testMany},
	{"one bad among many", testOneBad},
	{"batches side by side", testSideBySide},
	{"a cancelled context", testCancelled},
}

func testMany(w *world) {
	var batch, gone []units.Target
	for range w.opts.Many {
		name := w.name("m.service")
		batch = append(batch, target(name, sleeper))
		gone = append(gone, remove(name))
	}
	began := time.Now()
	out := w.launch(batch...)
	w.Logf("%d units started in %v", len(batch), time.Since(began))
	for name, r := range out {
		w.did(r, "placed", "started")
		if r.Status.State() != units.Launched || r.Status.PID == 0 {
			w.Errorf("%s is %+v", name, r.Status)
		}
	}
	began = time.Now()
	for _, r := range w.launch(batch...) {
		w.did(r)
	}
	w.Logf("%d units found to be as wanted in %v", len(batch), time.Since(began))
	began = time.Now()
	w.launch(gone...)
	w.Logf("%d units removed in %v", len(batch), time.Since(began))
	if states := w.must(); len(states) != 0 {
		w.Errorf("%d units are left", len(states))
	}
}

func testOneBad(w *world) {
	batch := []units.Target{
		target(w.name("refused.service"), "[Service]\nType=simple\n"),
		target(w.name("hang.service"), script("Type=oneshot\n", "sleep 30")),
		target(w.name("fails.service"), script("", "exit 1")),
		target(w.name("t@.service"), sleeper),
		target("no-type", sleeper),
	}
	bad := len(batch)
	for range 20 {
		batch = append(batch, target(w.name("good.service"), sleeper))
	}
	began := time.Now()
	out := w.converge(3*time.Second, batch...)
	delete(w.names, "no-type")
	if took := time.Since(began); took > 10*time.Second {
		w.Errorf("that took %v", took)
	}
	for _, t := range batch[bad:] {
		if err := out[t.Name].Err; err != nil {
			w.Errorf("a good unit among bad ones: %v", err)
		}
	}
}

func testSideBySide(w *world) {
	shared := w.name("shared.service")
	w.mu.Lock()
	w.names[shared] = true
	w.mu.Unlock()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			w.launch(target(w.name("own.service"), sleeper))
			_, _ = w.engine.States(w.Context(), i%2 == 0)
			w.converge(patience, target(shared, sleeper+"Nice="+itoa(i)+"\n")) // the last one wins
		})
	}
	group.Wait()
	last := target(shared, sleeper)
	if r := w.launch(last)[shared]; r.Status.Digest != last.Digest || r.Status.State() != units.Launched {
		w.Errorf("the shared one is %+v", r.Status)
	}
}

func testCancelled(w *world) {
	name := w.name("a.service")
	w.mu.Lock()
	w.names[name] = true
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(w.Context())
	cancel()
	reports := 0
	w.engine.Converge(ctx, []units.Target{target(name, sleeper)}, patience, func(_ units.Target, r units.Result) {
		reports++
		if r.Err == nil {
			w.Error("a cancelled call succeeds")
		}
	})
	if reports != 1 {
		w.Errorf("%d reports", reports)
	}
}
