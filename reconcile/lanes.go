package reconcile

// Overlapper is a Kind with lanes in which a second batch may begin while the
// first is under way, so that what is asked for one by one does not wait for what
// was asked for a moment before. No resource is in two batches at a time.
type Overlapper interface {
	Overlaps(lane string) bool
}

// activity is one batch under way, in its lane.
type activity struct {
	changes []Change
	keys    map[string]bool
	run     string
}

func newActivity(run string, changes ...Change) *activity {
	act := &activity{changes: changes, keys: make(map[string]bool, len(changes)), run: run}
	for _, c := range changes {
		act.keys[c.Kind+"/"+c.Name] = true
	}
	return act
}

func (act *activity) has(c Change) bool { return act != nil && act.keys[c.Kind+"/"+c.Name] }

func (a *Agent) lane(c Change) string {
	if k := a.kinds[c.Kind]; k != nil {
		return c.Kind + ":" + k.Lane(c)
	}
	return c.Kind + ":" + c.Name
}

// places gives where a batch of a change's lane may be; the second is "" where
// there may be but one.
func (a *Agent) places(c Change) (first, second string) {
	first = a.lane(c)
	k := a.kinds[c.Kind]
	if o, ok := k.(Overlapper); ok && o.Overlaps(k.Lane(c)) {
		second = first + " too"
	}
	return first, second
}

// place gives where a change's batch may begin, "" where there is no room. The
// caller holds mu.
func (a *Agent) place(c Change) string {
	first, second := a.places(c)
	if a.busy[first] == nil {
		return first
	}
	if second != "" && a.busy[second] == nil {
		return second
	}
	return ""
}

// within gives the batch that a change is in, or nil. The caller holds mu.
func (a *Agent) within(c Change) *activity {
	if len(a.busy) == 0 {
		return nil
	}
	first, second := a.places(c)
	for _, place := range []string{first, second} {
		if act := a.busy[place]; act.has(c) {
			return act
		}
	}
	return nil
}

// before gives the batch that a change has to wait for, or nil. The caller holds
// mu.
func (a *Agent) before(c Change) *activity {
	if len(a.busy) == 0 {
		return nil
	}
	if act := a.within(c); act != nil || a.place(c) != "" {
		return act
	}
	return a.busy[a.lane(c)]
}
