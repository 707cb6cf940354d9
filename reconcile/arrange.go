package reconcile

import (
	"fmt"
	"maps"
	"slices"
)

// Arranger is a Kind whose resources are chosen for this host together: whether
// one is meant for it may depend on the others. Whoever is refused is listed as
// ignored with the reason, and is removed where it was placed here before.
type Arranger interface {
	// Arrange judges all that is wanted of the kind, and what is known by its
	// record only. It is pure, and called with the agent's lock held.
	Arrange(all []Standing) Arrangement
}

// Standing is one resource as an [Arranger] sees it.
type Standing struct {
	Name     string
	Resource *Resource // nil: only its record is known
	Placed   bool      // it was applied here, by this life of the agent or another
	// Unsure says of one without a resource that it stays as it is for now: its
	// source was not read yet, or is not known any more. Else it is about to go.
	Unsure bool
}

// Arrangement is what an [Arranger] decided, by names.
type Arrangement struct {
	Refused map[string]string   // with the reason, as a sentence
	Yields  map[string][]string // those that have to be gone before one is placed
}

// refusal is a wanted resource that is not for this host.
type refusal struct {
	resource *Resource
	why      string
}

// arrange lets the kinds choose among what is wanted. The caller holds mu.
func (a *Agent) arrange() {
	a.refused, a.yields = map[string]refusal{}, map[string][]string{}
	for _, k := range a.kinds {
		arranger, ok := k.(Arranger)
		if !ok {
			continue
		}
		arranged := arranger.Arrange(a.standings(k.Name()))
		for name, why := range arranged.Refused {
			key := k.Name() + "/" + name
			if r := a.want[key]; r != nil {
				a.refused[key] = refusal{r, why}
				delete(a.want, key)
			}
		}
		for name, others := range arranged.Yields {
			for _, other := range others {
				key := k.Name() + "/" + name
				a.yields[key] = append(a.yields[key], k.Name()+"/"+other)
			}
		}
	}
}

// standings lists what is known of one kind, by name.
func (a *Agent) standings(kind string) []Standing {
	by := map[string]Standing{}
	for key, rec := range a.records {
		if rec.Kind != kind {
			continue
		}
		source := a.sources[rec.Source]
		by[key] = Standing{
			Name: rec.Name, Placed: rec.Last != nil,
			Unsure: source == nil || source.snap == nil || source.desired.hides(rec.File),
		}
	}
	for key, r := range a.want {
		if r.Kind == kind {
			s := by[key]
			s.Name, s.Resource, s.Unsure = r.Name, r, false
			by[key] = s
		}
	}
	out := make([]Standing, 0, len(by))
	for _, key := range slices.Sorted(maps.Keys(by)) {
		out = append(out, by[key])
	}
	return out
}

// refusals lists what of a source is not for this host, as lines for a plan.
func (a *Agent) refusals(source string) (out []string) {
	for _, key := range slices.Sorted(maps.Keys(a.refused)) {
		if r := a.refused[key]; r.resource.Source == source {
			out = append(out, fmt.Sprintf("%s: %s: %s", source, r.resource.File, r.why))
		}
	}
	return out
}
