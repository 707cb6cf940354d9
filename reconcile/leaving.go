package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// What leaves a source may have moved to another one that was not looked at
// since. Before it is removed, the others are looked at, so that a folder that
// moves between two sources is never stopped and started again. Who does not
// answer in time holds nothing up.

// leave notes what left a source, and gives the sources to look at because of it.
// The caller holds mu.
func (a *Agent) leave() (look []string) {
	gone, now := a.gone(), a.Now()
	maps.DeleteFunc(a.left, func(key string, _ time.Time) bool { _, still := gone[key]; return !still })
	if !a.following || len(a.sources) < 2 {
		return nil
	}
	from := map[string]bool{}
	for key := range gone {
		source := a.records[key].Source
		if _, known := a.left[key]; !known && !a.sources[source].snap.Exact {
			a.left[key] = now
			from[source] = true
		}
	}
	for _, name := range a.order {
		if len(from) > 1 || len(from) == 1 && !from[name] {
			look = append(look, name)
		}
	}
	return look
}

// elsewhere says which source has to be looked at before something is removed,
// as a sentence, or "". The caller holds mu.
func (a *Agent) elsewhere(key string, now time.Time) string {
	left, noted := a.left[key]
	if !noted || a.once || now.Sub(left) >= patience {
		return ""
	}
	i := slices.IndexFunc(a.order, func(name string) bool {
		return name != a.records[key].Source && a.sources[name].began.Before(left)
	})
	if i < 0 {
		return ""
	}
	return fmt.Sprintf("source %s is looked at first, since it may have moved there", a.order[i])
}
