package device

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// Drift is an owned path that is not as its owners want it. The values may be
// secrets: whoever shows them masks them.
type Drift struct {
	tree.Drift
	Policy Policy `json:"policy"`
}

// look reads everything that is owned, and gives what is not as wanted. Paths
// that are to be ignored are left out.
func (d *device) look(ctx context.Context, s Session) ([]Drift, error) {
	var filter *tree.Node
	d.ledger.with(func(c *tree.Claims) { filter = c.FilterAll() })
	now := time.Now()
	ctx, cancel := context.WithTimeout(ctx, d.m.config.Timeout)
	defer cancel()
	observed, stamp, err := s.GetConfig(ctx, netconf.Running, filter)
	if err != nil {
		return nil, d.drop(s, fmt.Errorf("get-config: %w", err))
	}
	var all []tree.Drift
	d.ledger.with(func(c *tree.Claims) { all = c.Check(observed) })
	rules := d.spec().Drift
	var out []Drift
	for _, f := range all {
		if p := policyOf(rules, f.Path); p != Ignore {
			out = append(out, Drift{f, p})
		}
	}
	d.drifted(out)
	d.hint.seen(stamp, now)
	return out, nil
}

// drifted notes what is not as wanted, and tells of what is new in it.
func (d *device) drifted(now []Drift) {
	d.mu.Lock()
	before := d.drifts
	d.drifts = now
	d.mu.Unlock()
	known := map[string]bool{}
	for _, f := range before {
		known[string(f.Policy)+f.Path+"\x00"+f.Have] = true
	}
	var paths, owners []string
	level := Info
	for _, f := range now {
		if known[string(f.Policy)+f.Path+"\x00"+f.Have] {
			continue
		}
		paths, owners = append(paths, f.Path), append(owners, f.Owners...)
		if f.Policy == Revert {
			level = Warning
		}
	}
	if paths == nil {
		return
	}
	slices.Sort(owners)
	const most = 20 // in an event
	d.tell(Event{
		Type: DeviceDrift, Level: level, Owners: slices.Compact(owners),
		Message: fmt.Sprintf("on device %s %s is not as wanted (%d paths in all)", d.name, paths[0], len(paths)),
		Fields:  map[string]any{"paths": paths[:min(len(paths), most)], "count": len(paths)},
	})
}
