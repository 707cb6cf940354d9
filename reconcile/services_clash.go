package reconcile

import (
	"context"
	"errors"

	"github.com/abide-agent/abide/netconf/device"
)

// clash is that an instance can't be applied because it is in conflict with
// others that can't be applied either. Without it the one that happens to be
// tried alone would win.
type clash struct {
	digest string            // the instance's own, when it clashed
	others map[string]string // the digests of those it clashed with
	err    error
}

// unclash takes out of a batch what is still in conflict with an instance that
// is wanted and is not in the batch, and reports it.
func (k *Services) unclash(ctx context.Context, changes []device.Change, works map[string]Work, report func(Work, Outcome)) []device.Change {
	wanted := k.agent.wanted(ServiceKind)
	var out []device.Change
	for _, c := range changes {
		if err := k.clashes(ctx, c, works, wanted); err != nil {
			report(works[c.Owner], Outcome{Err: err})
			delete(works, c.Owner)
			continue
		}
		out = append(out, c)
	}
	return out
}

func (k *Services) clashes(ctx context.Context, c device.Change, works map[string]Work, wanted map[string]*Resource) error {
	k.mu.Lock()
	cl := k.clash[c.Owner]
	k.mu.Unlock()
	if cl == nil || c.Outputs == nil || wanted[c.Owner] == nil {
		return nil
	}
	same := cl.digest == wanted[c.Owner].Digest
	all := []device.Change{c}
	for name, digest := range cl.others {
		r := wanted[name]
		if _, here := works[name]; r == nil || here {
			continue // it is gone, or the manager compares the two
		}
		same = same && digest == r.Digest
		k.mu.Lock()
		if m, ok := k.made[name]; ok {
			all = append(all, device.Change{Owner: name, Outputs: m.output})
		}
		k.mu.Unlock()
	}
	if len(all) > 1 && same {
		return cl.err
	}
	if len(all) > 1 {
		_, err := k.Devices.Plan(ctx, all)
		if conflict, ok := errors.AsType[*device.ConflictError](err); ok {
			k.noteClash(c.Owner, conflict)
			return err
		}
	}
	k.mu.Lock()
	delete(k.clash, c.Owner)
	k.mu.Unlock()
	return nil
}

// noteClash remembers with whom an instance is in conflict.
func (k *Services) noteClash(owner string, conflict *device.ConflictError) {
	wanted := k.agent.wanted(ServiceKind)
	cl := &clash{others: map[string]string{}, err: conflict}
	if r := wanted[owner]; r != nil {
		cl.digest = r.Digest
	}
	for _, c := range conflict.Conflicts {
		for _, name := range c.Owners {
			if r := wanted[name]; name != owner && r != nil {
				cl.others[name] = r.Digest
			}
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.clash[owner] = cl
}

// settled forgets the conflicts of an instance that was applied or is gone, and
// says whether there are others that may be worth a try now.
func (k *Services) settled(owner string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.clash, owner)
	for _, cl := range k.clash {
		if _, with := cl.others[owner]; with {
			return true
		}
	}
	return false
}
