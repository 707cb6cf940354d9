package reconcile

import (
	"slices"

	"github.com/abide-agent/abide/units"
)

// Arrange implements [Arranger]: [X-Fleet] says where a unit may be, and beside
// which others. What is only known by its record counts as being here, as long
// as it may be wanted still: else a restart of the agent, which reads its sources
// one by one, would take units away.
func (k *Units) Arrange(all []Standing) Arrangement {
	machine := k.machine()
	out := Arrangement{Refused: map[string]string{}, Yields: map[string][]string{}}
	var candidates []units.Candidate
	for _, s := range all {
		spec := placing(s.Resource)
		switch {
		case s.Resource == nil && s.Unsure && s.Placed:
			candidates = append(candidates, units.Candidate{Name: s.Name, Placed: true})
		case s.Resource == nil || spec == nil:
		case s.Resource.Broken():
			if s.Placed { // what was applied of it stays in force
				candidates = append(candidates, units.Candidate{Name: s.Name, Placed: true})
			}
		case units.IsTemplate(s.Name): // it is nowhere; its instances are
			if ok, why := spec.unit.Fleet.Fits(machine); !ok {
				out.Refused[s.Name] = why
			}
		default:
			candidates = append(candidates, units.Candidate{Name: s.Name, Fleet: spec.unit.Fleet, Placed: s.Placed})
		}
	}
	for name, why := range units.Place(candidates, machine) {
		out.Refused[name] = why
	}
	leaving := slices.DeleteFunc(slices.Clone(all), func(s Standing) bool {
		return !s.Placed || s.Resource != nil && out.Refused[s.Name] == ""
	})
	for _, s := range all {
		if spec := placing(s.Resource); len(leaving) > 0 && spec != nil && out.Refused[s.Name] == "" && !units.IsTemplate(s.Name) {
			out.Yields[s.Name] = yields(s, spec, leaving)
		}
	}
	return out
}

// placing gives what is wanted of a unit that is to be somewhere.
func placing(r *Resource) *unitSpec {
	if r == nil {
		return nil
	}
	spec, ok := r.Spec.(*unitSpec)
	if !ok || spec.want == units.Inactive {
		return nil
	}
	return spec
}

// yields names those that are here still, though not for long, and may not be
// beside a unit, or whose place it takes: it is not begun before they are gone.
func yields(s Standing, spec *unitSpec, leaving []Standing) (names []string) {
	for _, other := range leaving {
		if other.Name == s.Name {
			continue
		}
		theirs := placing(other.Resource)
		if spec.unit.Fleet.Displaces(other.Name) || theirs != nil && theirs.unit.Fleet.Displaces(s.Name) {
			names = append(names, other.Name)
		}
	}
	return names
}

// machine is this machine with its metadata as it is now.
func (k *Units) machine() units.Machine {
	if k.Machine == nil {
		return units.Machine{}
	}
	return k.Machine()
}
