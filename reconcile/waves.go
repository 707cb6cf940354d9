package reconcile

import "fmt"

// A rollout goes in waves: what needs another resource is not touched before
// that one is as it is wanted, so that a wave that fails stops those behind it.
// Their old content stays in force, and they go on by themselves.

// waves gives for each resource the keys of those it needs (Resource.Needs), as
// far as known says that they are anything of ours. Those that need each other in
// a circle don't wait for each other: what the circle means is for the kind.
func waves(all map[string]*Resource, known func(key string) bool) map[string][]string {
	circle := circles(all)
	out := map[string][]string{}
	for key, r := range all {
		for _, need := range r.Needs {
			if need != key && known(need) && (all[need] == nil || circle[need] != circle[key]) {
				out[key] = append(out[key], need)
			}
		}
	}
	return out
}

// circles numbers the resources so that those which wait for each other in a
// circle have the same number (Tarjan's strongly connected components).
func circles(all map[string]*Resource) map[string]int {
	index, low, circle := map[string]int{}, map[string]int{}, map[string]int{}
	var stack []string
	var visit func(string)
	visit = func(key string) {
		index[key] = len(index) + 1
		low[key] = index[key]
		stack = append(stack, key)
		for _, next := range all[key].waitsFor() {
			switch {
			case all[next] == nil:
			case index[next] == 0:
				visit(next)
				low[key] = min(low[key], low[next])
			case circle[next] == 0:
				low[key] = min(low[key], index[next])
			}
		}
		for last := ""; low[key] == index[key] && last != key; {
			last = stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			circle[last] = index[key]
		}
	}
	for key, r := range all {
		if index[key] == 0 && len(r.Needs) > 0 {
			visit(key)
		}
	}
	return circle
}

// waitsFor gives the keys of all that a resource may have to wait for.
func (r *Resource) waitsFor() []string {
	out := append([]string(nil), r.Needs...)
	for _, name := range r.After {
		out = append(out, dependency(r, name))
	}
	return out
}

// blocked says what a resource that has something to do waits for, as a
// sentence, or "". The caller holds mu.
func (a *Agent) blocked(r *Resource) string {
	for _, name := range r.After {
		key := dependency(r, name)
		if why := a.unsatisfied(key); why != "" {
			return why
		}
	}
	for _, key := range a.yields[r.Key()] {
		if _, there := a.records[key]; there && a.want[key] == nil {
			return "it waits for " + key + " to be gone"
		}
	}
	rec := a.records[r.Key()]
	applied := rec.Last != nil && rec.Last.Digest == r.Digest && rec.Last.Result == Succeeded
	return a.stopped(r.Key(), applied, map[string]bool{r.Key(): true})
}

// unsatisfied says why a dependency is not as it is wanted, or "".
func (a *Agent) unsatisfied(key string) string {
	if dep := a.want[key]; dep != nil {
		_, why := satisfied(dep, a.records[key], a.observed[dep.Kind][dep.Name])
		return why
	}
	if no, ok := a.refused[key]; ok {
		return fmt.Sprintf("it waits for %s, which is not for this machine: %s", key, no.why)
	}
	return "" // a name that nobody has is a problem of its own
}

// stopped says why a resource can't go on because of what it needs, or "". What
// was applied and is only to be put right is stopped by a failure alone: the
// others may come to be put right beside it.
func (a *Agent) stopped(key string, applied bool, seen map[string]bool) string {
	for _, need := range a.needs[key] {
		if seen[need] {
			continue
		}
		seen[need] = true
		if !applied {
			if why := a.unsatisfied(need); why != "" {
				return why
			}
		}
		if dep, last := a.want[need], a.records[need].Last; dep != nil && last != nil && last.Digest == dep.Digest && last.Result == Failed {
			return fmt.Sprintf("it waits for %s, which %s", need, last.Result)
		}
		if why := a.stopped(need, true, seen); why != "" {
			return why
		}
	}
	return ""
}
