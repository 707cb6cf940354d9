package reconcile

// withholding says why a resource is not made as it is wanted.
type withholding int

const (
	isRefused    withholding = iota + 1 // not for this host
	isBroken                            // its file has errors
	isWaiting                           // something stands before it
	isRolledBack                        // tried, and taken back
	isFailed                            // tried, and final for its digest
)

// withheld is a resource that is wanted and is not made so, and why, as a sentence.
type withheld struct {
	resource *Resource
	how      withholding
	why      string
}

// outlook is what the agent knows of one kind at one moment, by name.
type outlook struct {
	wanted   map[string]*Resource
	last     map[string]*Last    // how the last attempt ended; not changed by anybody
	withheld map[string]withheld // what nothing is done about although it is not as wanted
	unread   []Record            // what was applied of sources that were not read yet in this life
}

func (a *Agent) outlook(kind string) outlook {
	a.mu.Lock()
	defer a.mu.Unlock()
	o := outlook{wanted: make(map[string]*Resource, len(a.want)), last: make(map[string]*Last, len(a.want)), withheld: map[string]withheld{}}
	for key, rec := range a.records {
		if s := a.sources[rec.Source]; rec.Kind == kind && rec.Last != nil && a.want[key] == nil && s != nil && s.snap == nil {
			o.unread = append(o.unread, rec)
		}
	}
	for _, r := range a.refused {
		if r.resource.Kind == kind {
			o.withheld[r.resource.Name] = withheld{r.resource, isRefused, r.why}
		}
	}
	for key, r := range a.want {
		if r.Kind != kind {
			continue
		}
		rec := a.records[key]
		o.wanted[r.Name], o.last[r.Name] = r, rec.Last
		if how, why := a.withholds(r, rec); how != 0 {
			o.withheld[r.Name] = withheld{r, how, why}
		}
	}
	return o
}

func (a *Agent) withholds(r *Resource, rec Record) (withholding, string) {
	last, observed := rec.Last, a.observed[r.Kind][r.Name]
	switch {
	case r.Broken():
		return isBroken, r.Problems.Err().Error()
	case rec.Rejected != "" && rec.Rejected == r.Digest:
		return isRolledBack, "its new content was tried and rolled back; what was in force before is in force again"
	case last.failed(r.Digest):
		return isFailed, last.Reason
	case last.succeeded(r.Digest) && (observed == "" || observed == r.Digest):
		return 0, ""
	}
	if why := a.blocked(r); why != "" {
		return isWaiting, why
	}
	if h := a.holdOf(r.Source); h != nil && (last == nil || last.Digest != r.Digest) {
		return isWaiting, "it is held by " + h.By + ": " + h.Reason
	}
	return 0, ""
}
