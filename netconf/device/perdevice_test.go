package device

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// ten gives a world of ten devices.
func ten(t *testing.T) (*world, []string) {
	kinds := make([]string, 10)
	var names []string
	for i := range kinds {
		kinds[i] = "persist"
		names = append(names, fmt.Sprintf("d%d", i+1))
	}
	return newWorld(t, kinds...), names
}

// TestOneIsDown lets nine of ten devices follow at once, and the tenth when it is back.
func TestOneIsDown(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T) {
		w, names := ten(t)
		w.must(PerDevice, Change{"a", on(users("alice:1"), names...)})
		w.boxes["d10"].setDown(true)
		time.Sleep(time.Minute)
		start := time.Now()
		got := w.apply(PerDevice, Change{"a", on(users("alice:2"), names...)})["a"]
		if got.Err != nil || len(got.Pending) != 1 || got.Pending[0] != "d10" {
			t.Errorf("the result is %+v", got)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("a device that is down delays the others by %v", took)
		}
		w.wants("one is down", same(users("alice:2"), names[:9]...))
		if s := w.m.State("a"); s.Phase != Pending || len(s.Pending) != 1 {
			t.Errorf("the state is %+v", s)
		}
		// All or none: nothing, at once, for the whole of an instance that needs it.
		got2 := w.apply(All, Change{"b", on(users("bob:1"), names...)}, Change{"c", on(users("carol:1"), "d1")})
		if lost, ok := errors.AsType[*UnreachableError](got2["b"].Err); !ok || lost.Device != "d10" {
			t.Errorf("all or none gives %v", got2["b"].Err)
		}
		if got2["c"].Err != nil {
			t.Errorf("an instance without the device gives %v", got2["c"].Err)
		}
		w.wants("all or none", same(users("alice:2"), names[1:9]...))
		w.restart() // the wish survives
		w.boxes["d10"].setDown(false)
		time.Sleep(6 * time.Minute)
		w.wants("back", same(users("alice:2"), names[1:]...))
		if s := w.m.State("a"); s.Phase != InSync {
			t.Errorf("the state is %+v", s)
		}
		w.quiet("back")
	})
}

// TestGoneWhileDown deletes on a device that is not there, over a restart.
func TestGoneWhileDown(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T) {
		w := newWorld(t, "persist", "running")
		w.must(PerDevice, Change{"a", on(users("alice:1"), "d1", "d2")}, Change{"b", on(users("bob:1"), "d1", "d2")})
		w.boxes["d2"].setDown(true)
		if got := w.apply(PerDevice, Change{"a", nil})["a"]; got.Err != nil || len(got.Pending) != 1 {
			t.Errorf("the result is %+v", got)
		}
		w.wants("one is down", map[string]string{"d1": users("bob:1"), "d2": users("alice:1", "bob:1")})
		w.restart()
		if s := w.m.State("a"); s.Phase != Pending {
			t.Errorf("the state is %+v", s)
		}
		w.boxes["d2"].setDown(false)
		time.Sleep(6 * time.Minute)
		w.wants("back", same(users("bob:1"), "d1", "d2"))
		if s := w.m.State("a"); s.Phase != Absent {
			t.Errorf("the state is %+v", s)
		}
	})
}

// TestHanging keeps Apply from waiting longer than its patience.
func TestHanging(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T) {
		w, names := ten(t)
		w.must(PerDevice, Change{"a", on(users("alice:1"), names...)})
		w.boxes["d3"].mu.Lock()
		w.boxes["d3"].faults["commit"] = []fault{hang}
		w.boxes["d3"].mu.Unlock()
		start := time.Now()
		got := w.m.Apply(t.Context(), []Change{{"a", on(users("alice:2"), names...)}}, Options{Mode: PerDevice, Patience: 2 * time.Second})["a"]
		if took := time.Since(start); took > 2*time.Second || len(got.Pending) != 1 || got.Pending[0] != "d3" || got.Err != nil {
			t.Errorf("after %v the result is %+v", took, got)
		}
		for _, n := range names {
			if n != "d3" {
				w.wants("one hangs", same(users("alice:2"), n))
			}
		}
		time.Sleep(10 * time.Minute)
		w.wants("later", same(users("alice:2"), names...))
		w.quiet("later")
	})
}

// noMallory refuses configurations with a user of that name.
func noMallory(config *tree.Node) error {
	if string(config.AppendXML(nil)) != string(xml("").AppendXML(nil)) {
		for _, u := range config.Children[0].Child(tree.Name{Space: "urn:box", Local: "users"}).Children {
			if u.Children[0].Value == "mallory" {
				return no("invalid-value", "mallory is not welcome")
			}
		}
	}
	return nil
}

// TestCulprit applies many instances of which the devices refuse one.
func TestCulprit(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{All, PerDevice} {
		for _, kind := range []string{"persist", "candidate", "running", "plain"} {
			t.Run(string(mode)+" "+kind, func(t *testing.T) {
				t.Parallel()
				inTime(t, func(t *testing.T) {
					w := newWorld(t, "persist", kind)
					w.boxes["d2"].strict = noMallory
					var changes []Change
					var all []string
					for i := range 9 {
						name := fmt.Sprintf("user%d", i)
						if i == 4 {
							name = "mallory"
						}
						changes = append(changes, Change{fmt.Sprintf("i%d", i), on(users(name), "d1", "d2")})
						if i != 4 {
							all = append(all, name)
						}
					}
					for owner, r := range w.apply(mode, changes...) {
						if owner != "i4" {
							if r.Err != nil || r.Pending != nil {
								t.Errorf("%s fails: %+v", owner, r)
							}
							continue
						}
						refused, ok := errors.AsType[*RefusedError](r.Err)
						if !ok || refused.Device != "d2" || !netconf.HasTag(r.Err, "invalid-value") {
							t.Errorf("the culprit's error is %v", r.Err)
						}
					}
					on1 := all
					if mode == PerDevice {
						on1 = append(all[:4:4], append([]string{"mallory"}, all[4:]...)...)
					}
					checkUsers(t, w.boxes["d1"], on1)
					checkUsers(t, w.boxes["d2"], all)
					w.quiet("culprit")
					calls := len(w.boxes["d2"].edits)
					time.Sleep(30 * time.Minute)
					if n := len(w.boxes["d2"].edits); n != calls {
						t.Errorf("what was refused is sent again by itself, %d times", n-calls)
					}
					w.restart()
					time.Sleep(time.Minute)
					if n := len(w.boxes["d2"].edits); n != calls {
						t.Errorf("what was refused is sent again after a restart, %d times", n-calls)
					}
					if s := w.m.State("i4"); mode == PerDevice && s.Phase != Refused || mode == All && s.Phase != Absent {
						t.Errorf("the state is %+v", s)
					}
					// It is sent when somebody asks.
					w.boxes["d2"].strict = nil
					w.must(mode, changes[4])
				})
			})
		}
	}
}

func checkUsers(t *testing.T, b *box, want []string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	have := map[string]bool{}
	for _, u := range b.running.Children[0].Children[0].Children {
		have[u.Children[0].Value] = true
	}
	for _, name := range want {
		if !have[name] {
			t.Errorf("%s lacks the user %s", b.name, name)
		}
	}
	if len(have) != len(want) {
		t.Errorf("%s has %d users, want %d", b.name, len(have), len(want))
	}
}

// TestMoveBetweenOwners lets one instance give up what another takes over with
// another value, while a third is refused.
func TestMoveBetweenOwners(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{All, PerDevice} {
		inTime(t, func(t *testing.T) {
			w := newWorld(t, "persist")
			w.boxes["d1"].strict = noMallory
			w.must(mode, Change{"z", on(users("alice:1"), "d1")})
			got := w.apply(mode, Change{"a", on(users("alice:2"), "d1")}, Change{"m", on(users("mallory"), "d1")}, Change{"z", nil})
			if got["a"].Err != nil || got["z"].Err != nil || got["m"].Err == nil {
				t.Errorf("%s: the results are %+v", mode, got)
			}
			w.wants(string(mode), map[string]string{"d1": users("alice:2")})
		})
	}
}
