package reconcile

import "testing"

// TestLanes: a second batch of units may begin beside the first, without any
// unit of it, and a third may not; of other lanes there is one batch at a time.
func TestLanes(t *testing.T) {
	t.Parallel()
	k := NewUnits(UnitConfig{})
	k.slow["slow.service"] = true
	a := &Agent{kinds: map[string]Kind{UnitKind: k}, busy: map[string]*activity{}}
	unit := func(name string) Change { return Change{Kind: UnitKind, Name: name} }
	begin := func(names ...string) *activity {
		var changes []Change
		for _, name := range names {
			changes = append(changes, unit(name))
		}
		place := a.place(changes[0])
		if place == "" {
			t.Fatalf("there is no place for %v", names)
		}
		act := newActivity("", changes...)
		a.busy[place] = act
		return act
	}
	waits := func(name string, want *activity) {
		t.Helper()
		if got := a.before(unit(name)); got != want {
			t.Errorf("%s waits for %+v, want %+v", name, got, want)
		}
	}
	waits("a.service", nil)
	first := begin("a.service", "b.service")
	waits("a.service", first)
	waits("c.service", nil)
	second := begin("c.service")
	waits("b.service", first)
	waits("c.service", second)
	waits("d.service", first)
	waits("slow.service", nil)
	slow := begin("slow.service")
	k.slow["slower.service"] = true
	waits("slower.service", slow)
	if a.within(unit("d.service")) != nil || a.within(unit("c.service")) != second {
		t.Error("a change is in the wrong batch")
	}
}
