package reconcile

import (
	"reflect"

	"github.com/abide-agent/abide/units"
)

// pin puts what is known of all units on the board, where the API reads it
// without asking anybody. Only what changed is written: a quiet machine wakes
// no reader.
func (k *Units) pin(wanted map[string]*Resource, states map[string]units.Status, err error) {
	if k.Board == nil {
		return
	}
	k.Board.SetDown(err)
	if err != nil {
		return
	}
	var declared []units.Declared
	now := map[string]units.Live{}
	for name, st := range states {
		now[name] = units.Live{Status: st}
	}
	withheld := k.agent.withheld(UnitKind)
	for name, r := range wanted {
		declared = declare(declared, r)
		_, there := states[name]
		now[name] = k.live(r, now[name], there)
	}
	for name, w := range withheld {
		if w.how == isRefused {
			declared = declare(declared, w.resource)
		}
		now[name] = withhold(w, now[name])
	}
	k.Board.Declare(declared)
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, l := range now {
		if !reflect.DeepEqual(k.pinned[name], l) {
			k.Board.Set(name, l)
		}
	}
	for name := range k.pinned {
		if _, there := now[name]; !there {
			k.Board.Drop(name)
		}
	}
	k.pinned = now
}

// declare adds what is to be read of a unit that the registry doesn't hold.
func declare(list []units.Declared, r *Resource) []units.Declared {
	spec, ok := r.Spec.(*unitSpec)
	if !ok || r.Source == units.RegistrySource {
		return list
	}
	return append(list, units.Declared{
		Name: r.Name, Desired: spec.want, Source: r.Source, File: r.File, Options: units.Effective(spec.unit.Text, nil),
	})
}

// live completes what an engine says of a wanted unit; there says whether it says
// anything.
func (k *Units) live(r *Resource, l units.Live, there bool) units.Live {
	l.Status.Name = r.Name
	spec, ok := r.Spec.(*unitSpec)
	if !ok {
		return l
	}
	last := k.agent.lastOf(UnitKind, r.Name)
	l.Busy, l.Ignored = last == nil || last.Digest != r.Digest, spec.ignored
	if have, why := observed(spec, r.Name, l.Status); there && have != r.Digest && !l.Busy && !moving(l.Status) {
		l.Drift = why
	}
	return l
}

// withhold says of a unit why nothing is done about it.
func withhold(w withheld, l units.Live) units.Live {
	spec, ok := w.resource.Spec.(*unitSpec)
	if ok && w.how == isFailed && (moving(l.Status) || spec.unit.Abide.Probe == nil && l.Status.State() == spec.want) {
		return l // somebody is at it, or it is well by itself
	}
	words := map[withholding]string{
		isRefused: units.HealthRefused, isBroken: units.HealthBroken, isWaiting: units.HealthWaiting,
		isRolledBack: units.HealthRolledBack, isFailed: units.HealthFailed,
	}
	l.Status.Name, l.Busy = w.resource.Name, false
	l.Health, l.Reason = words[w.how], w.why
	if ok && w.how == isBroken && spec.unsupported {
		l.Health = units.HealthNotSupported
	}
	return l
}
