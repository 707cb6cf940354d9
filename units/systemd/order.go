package systemd

import (
	"slices"

	"github.com/abide-agent/abide/units"
)

// plan says in which order the units of a batch are started; they are stopped
// the other way round.
type plan struct {
	order  []int   // indices of the batch
	after  [][]int // for each, those whose end systemd would wait for, or that it needs
	needed [][]int // for each, those without which it is not to run
}

// orderBatch orders units by what they say of each other. After= and Before=
// always count; Requires=, Wants=, BindsTo= and PartOf= count where nothing
// contradicts. systemd orders the jobs in its queue itself, by After= alone, but
// only among those that it has been told of: so it is told in this order.
func orderBatch(names []string, deps []units.Deps) plan {
	at := make(map[string]int, len(names))
	for i, name := range names {
		at[name] = i
	}
	p := plan{after: make([][]int, len(names)), needed: make([][]int, len(names))}
	weak := make([][]int, len(names))
	link := func(list [][]int, from int, to []string) {
		for _, name := range to {
			if j, ok := at[name]; ok && j != from && !slices.Contains(list[from], j) {
				list[from] = append(list[from], j)
			}
		}
	}
	for i, d := range deps {
		link(p.after, i, d.After)
		for _, name := range d.Before {
			if j, ok := at[name]; ok {
				link(p.after, j, names[i:i+1])
			}
		}
		for _, l := range [][]string{d.Requires, d.BindsTo} {
			link(p.needed, i, l)
			link(weak, i, l)
		}
		link(weak, i, d.Wants)
		link(weak, i, d.PartOf)
	}
	p.order = sortUnits(len(names), p.after, weak)
	return p
}

// sortUnits puts each unit behind all that it is ordered after. What contradicts
// itself is broken at the first unit of the batch: weak links first.
func sortUnits(n int, strong, weak [][]int) []int {
	placed := make([]bool, n)
	all := func(list []int) bool {
		return !slices.ContainsFunc(list, func(j int) bool { return !placed[j] })
	}
	order := make([]int, 0, n)
	rest := make([]int, n)
	for i := range rest {
		rest[i] = i
	}
	for len(rest) > 0 {
		var later []int
		for _, i := range rest {
			if all(strong[i]) && all(weak[i]) {
				placed[i] = true
				order = append(order, i)
			} else {
				later = append(later, i)
			}
		}
		if len(later) == len(rest) {
			k := max(0, slices.IndexFunc(later, func(i int) bool { return all(strong[i]) }))
			placed[later[k]] = true
			order = append(order, later[k])
			later = slices.Delete(later, k, k+1)
		}
		rest = later
	}
	return order
}
