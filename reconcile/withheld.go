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

// withheld lists, by name, the resources of a kind that nothing is done about at
// present although they are not as wanted.
func (a *Agent) withheld(kind string) map[string]withheld {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]withheld{}
	for _, r := range a.refused {
		if r.resource.Kind == kind {
			out[r.resource.Name] = withheld{r.resource, isRefused, r.why}
		}
	}
	for key, r := range a.want {
		if r.Kind != kind {
			continue
		}
		if how, why := a.withholds(r, a.records[key]); how != 0 {
			out[r.Name] = withheld{r, how, why}
		}
	}
	return out
}

func (a *Agent) withholds(r *Resource, rec Record) (withholding, string) {
	last := rec.Last
	switch {
	case r.Broken():
		return isBroken, r.Problems.Err().Error()
	case rec.Rejected != "" && rec.Rejected == r.Digest:
		return isRolledBack, "its new content was tried and rolled back; what was in force before is in force again"
	case last.failed(r.Digest):
		return isFailed, last.Reason
	case last != nil && last.Digest == r.Digest && a.observed[r.Kind][r.Name] == r.Digest:
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
