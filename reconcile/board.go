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
	for name, r := range wanted {
		spec, ok := r.Spec.(*unitSpec)
		if !ok {
			continue
		}
		if r.Source != units.RegistrySource {
			declared = append(declared, units.Declared{
				Name: name, Desired: spec.want, Source: r.Source, File: r.File,
				Options: units.Effective(spec.unit.Text, nil),
			})
		}
		l := now[name]
		l.Status.Name = name
		l.Busy = k.agent.attempted(UnitKind, name) != r.Digest
		if have, why := observed(spec, name, l.Status); states[name].Name != "" && have != r.Digest && !l.Busy && !moving(l.Status) {
			l.Drift = why
		}
		now[name] = l
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
