package reconcile

import (
	"context"
	"maps"
	"slices"
)

// Check reads a source as the loop would, and gives what it holds and what is
// wrong with it. Nothing is kept, and no engine need be there: the kinds may be
// without one.
func Check(ctx context.Context, s SourceConfig, kinds []Kind) (Desired, error) {
	snap, err := s.Source.Snapshot(ctx)
	if err != nil {
		return Desired{}, err
	}
	l := &loader{kinds: kinds, policy: s.Policy, as: s.As}
	d, err := l.load(snap)
	if err != nil {
		return d, err
	}
	name := s.Source.Name()
	want, problems := merge([]string{name}, map[string]Desired{name: d}, nil, nil)
	d.Problems, d.Resources = problems, nil
	for _, key := range slices.Sorted(maps.Keys(want)) {
		d.Resources = append(d.Resources, want[key])
	}
	return d, nil
}
