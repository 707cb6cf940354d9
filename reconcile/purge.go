package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/sse"
	"github.com/abide-agent/abide/units"
)

// purgeWait is how long units have for their stop: longer than the minute and a
// half that systemd gives them by default before it kills them.
const purgeWait = 2 * time.Minute

// Placed gives the names of all units that abide placed on this machine, in
// order, as they are now.
func (k *Units) Placed(ctx context.Context) ([]string, error) {
	states, err := k.Engine.States(ctx, true)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(states)), nil
}

// Purge stops and removes units that abide placed, and forgets their records; the
// sources are not asked. It is for an agent whose loop does not run. report is
// called once for each unit; n counts those that are gone, and the error joins
// what kept the others.
func (k *Units) Purge(ctx context.Context, names []string, report func(name string, err error)) (n int, err error) {
	var targets []units.Target
	for _, name := range names {
		targets = append(targets, units.Target{Name: name, Want: units.Inactive, Remove: true})
	}
	var gone []string
	var faults []error
	k.Engine.Converge(ctx, targets, purgeWait, func(t units.Target, res units.Result) {
		if res.Err == nil {
			gone = append(gone, t.Name)
			k.Publish(sse.Event{
				Type: sse.TypeUnitRemoved, Level: sse.Success, Pipeline: t.Name, Fields: map[string]any{"unit": t.Name, "did": res.Did},
				Message: fmt.Sprintf("Unit %s was purged: %s", t.Name, strings.Join(res.Did, ", ")),
			})
		} else {
			faults = append(faults, fmt.Errorf("%s: %w", t.Name, res.Err))
		}
		report(t.Name, res.Err)
	})
	return len(gone), errors.Join(append(faults, k.agent.erase(ctx, UnitKind, gone))...)
}

// erase forgets all that is durably known of resources, in one write.
func (a *Agent) erase(ctx context.Context, kind string, names []string) error {
	var ops []store.Op
	a.mu.Lock()
	for _, name := range names {
		key := kind + "/" + name
		delete(a.records, key)
		delete(a.claims, key)
		ops = append(ops, store.Delete(keyRecord+key), store.Delete(keyClaim+key), store.Delete(keyApplied+key))
	}
	a.mu.Unlock()
	return a.request(ctx, ops...)
}
