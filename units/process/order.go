package process

import (
	"maps"
	"slices"
	"strings"

	"github.com/abide-agent/abide/units"
)

// needs are the units without which this one is not to start.
func needs(d units.Deps) []string {
	var out []string
	for _, name := range slices.Concat(d.Requires, d.BindsTo) {
		if strings.HasSuffix(name, ".service") && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// tied says that a stop or a restart of name takes the unit of d along.
func tied(d units.Deps, name string) bool {
	return slices.Contains(d.Requires, name) || slices.Contains(d.BindsTo, name) || slices.Contains(d.PartOf, name)
}

// expand adds to the jobs of a batch what they bring along: what a start needs
// or wants and is placed and down, and what is tied to what stops.
func (e *Engine) expand(jobs map[string]*job) {
	all := e.marks.all()
	queue := make([]*job, 0, len(jobs))
	for _, j := range jobs {
		queue = append(queue, j)
	}
	add := func(name string) *job {
		j := newJob(name, nil)
		j.deps = e.depsOf(all[name])
		jobs[name] = j
		return j
	}
	for len(queue) > 0 {
		j := queue[0]
		queue = queue[1:]
		if j.wantsStart {
			for _, name := range slices.Concat(needs(j.deps), j.deps.Wants) {
				if _, placed := all[name]; !placed || jobs[name] != nil || units.IsTemplate(name) || e.run(name).up() {
					continue
				}
				other := add(name)
				other.wantsStart = true
				queue = append(queue, other)
			}
		}
		if !j.stops {
			continue
		}
		for name, k := range all {
			other := jobs[name]
			if name == j.name || !tied(e.depsOf(k), j.name) || other != nil && (other.stops || !other.wantsStart) || e.run(name).kind == never || e.run(name).kind == ended {
				continue
			}
			if other == nil {
				other = add(name)
			}
			// A restart restarts it, a stop stops it; what a batch wants
			// launched comes up again in any case.
			other.stops, other.wantsStart = true, other.wantsStart || j.wantsStart
			queue = append(queue, other)
		}
	}
}

// up says that a unit is as a launched one should be.
func (r run) up() bool {
	return r.kind == running && r.Active != "deactivating" || r.kind == abandoned || r.kind == ended && r.OneShot && r.Result == "success" && !r.Stopped && !r.Skipped
}

// link orders the jobs of a batch: by After= and Before=, and by the other
// dependencies where nothing contradicts. Of an order that goes round in a
// circle, one arrow doesn't count, as with systemd.
func link(jobs map[string]*job) {
	names := slices.Sorted(maps.Keys(jobs))
	arrow := func(from, to string) {
		j, first := jobs[from], jobs[to]
		if j == nil || first == nil || j == first || slices.Contains(j.after, first) || first.comesAfter(j) {
			return
		}
		j.after, first.before = append(j.after, first), append(first.before, j)
	}
	for _, name := range names {
		for _, other := range jobs[name].deps.After {
			arrow(name, other)
		}
		for _, other := range jobs[name].deps.Before {
			arrow(other, name)
		}
	}
	for _, name := range names {
		d := jobs[name].deps
		for _, other := range slices.Concat(d.Requires, d.BindsTo, d.Wants, d.PartOf) {
			arrow(name, other)
		}
	}
}

// comesAfter says whether the order found so far puts j behind other.
func (j *job) comesAfter(other *job) bool {
	seen := map[*job]bool{}
	queue := []*job{j}
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		if next == other {
			return true
		}
		for _, k := range next.after {
			if !seen[k] {
				seen[k] = true
				queue = append(queue, k)
			}
		}
	}
	return false
}
