package device

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/abide-agent/abide/netconf/tree"
)

// job is the change of one owner, on its way.
type job struct {
	owner string
	want  map[string]string // device → digest; nil: the instance is gone
	of    string            // what that was made of
	outs  []output
	err   error
}

// Apply makes the devices have what the changes say, and gives the result of
// each by its owner. What is the case already costs nothing. Changes that share
// no device go on side by side. Several changes of one owner are a fault.
func (m *Manager) Apply(ctx context.Context, changes []Change, o Options) map[string]Result {
	if o.Patience <= 0 {
		o.Patience = m.config.Timeout
	}
	jobs := m.jobs(changes)
	results := map[string]Result{}
	var open []*job
	for _, j := range jobs {
		if j.err != nil {
			results[j.owner] = Result{Err: j.err}
		} else {
			j.of = o.Of[j.owner]
			open = append(open, j)
		}
	}
	give, err := m.hold(ctx, names(open))
	if err != nil {
		for _, j := range open {
			results[j.owner] = Result{Err: err}
		}
		return results
	}
	defer give()
	if o.Mode == PerDevice {
		maps.Copy(results, m.applyEach(ctx, open, o.Patience))
	} else {
		maps.Copy(results, m.applyAll(ctx, open, o.Patience))
	}
	return results
}

func names(jobs []*job) []string {
	var out []string
	for _, j := range jobs {
		out = append(out, j.owner)
	}
	return out
}

// jobs gives the changes with the digests of their outputs. Instances often
// want one and the same tree of many devices.
func (m *Manager) jobs(changes []Change) []*job {
	known := map[*tree.Node]output{}
	seen := map[string]*job{}
	var out []*job
	for _, c := range changes {
		if twin := seen[c.Owner]; twin != nil {
			twin.err = fmt.Errorf("%s is changed twice at the same time; make one change of it", c.Owner)
			continue
		}
		j := &job{owner: c.Owner}
		seen[c.Owner] = j
		out = append(out, j)
		if c.Outputs == nil {
			continue
		}
		j.want = map[string]string{}
		for _, name := range sortedKeys(c.Outputs) {
			n := c.Outputs[name]
			if n == nil || len(n.Children) == 0 {
				continue
			}
			if _, err := m.device(name); err != nil {
				j.err = err
				break
			}
			o, ok := known[n]
			if !ok {
				o = newOutput(n)
				known[n] = o
			}
			j.want[name] = o.digest
			j.outs = append(j.outs, o)
		}
	}
	return out
}

// touched gives the devices of the inventory on which the job has something to
// do, in order.
func (m *Manager) touched(j *job) []*device {
	all := map[string]bool{}
	for name := range j.want {
		all[name] = true
	}
	for _, name := range m.book.holders(j.owner) {
		all[name] = true
	}
	var out []*device
	for _, name := range sortedKeys(all) {
		d, err := m.device(name)
		if err != nil {
			continue // it is looked at again should it come back
		}
		if r := m.book.recordOf(name); r.Held[j.owner] != j.want[name] || r.Next[j.owner] != nil {
			out = append(out, d)
		}
	}
	return out
}

// applyEach records what is wanted and lets every device follow by itself.
func (m *Manager) applyEach(ctx context.Context, jobs []*job, patience time.Duration) map[string]Result {
	results := map[string]Result{}
	jobs = m.withoutConflicts(jobs, results)
	e := m.book.entry()
	e.outputs = outputsOf(jobs)
	targets := map[*device][]string{}
	touched := map[*job][]*device{}
	for _, j := range jobs {
		if m.isNew(j) {
			e.wish(j.owner, wish{j.want, j.of})
		}
		touched[j] = m.touched(j)
		for _, d := range touched[j] {
			targets[d] = append(targets[d], j.owner)
		}
	}
	if len(e.writes) > 0 {
		if err := errors.Join(m.step("device.before-wish"), e.commit(ctx), m.step("device.wished")); err != nil {
			for _, j := range jobs {
				results[j.owner] = Result{Err: err}
			}
			return results
		}
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	var waits []<-chan struct{}
	for d, owners := range targets {
		waits = append(waits, d.ask(owners...))
	}
wait:
	for _, w := range waits {
		select {
		case <-w:
		case <-timer.C:
			break wait
		case <-ctx.Done():
			break wait
		}
	}
	for _, j := range jobs {
		results[j.owner] = m.result(j, touched[j])
	}
	return results
}

// isNew says whether the job's wish has yet to be recorded.
func (m *Manager) isNew(j *job) bool {
	w, known := m.book.wishOf(j.owner)
	if !known || j.want == nil {
		return known != (j.want != nil)
	}
	return w.Of != j.of || !maps.Equal(w.Outputs, j.want)
}

// result gives how far a job's devices have come.
func (m *Manager) result(j *job, devices []*device) (out Result) {
	for _, d := range devices {
		r := d.record()
		no, refused := r.Refused[j.owner]
		switch {
		case r.Next[j.owner] == nil && r.Held[j.owner] == j.want[d.name]:
		case refused && no.Digest == j.want[d.name]:
			err := d.whyNot(j.owner, no)
			if out.Refused == nil {
				out.Refused, out.Err = map[string]error{}, err
			}
			out.Refused[d.name] = err
		default:
			out.Pending = append(out.Pending, d.name)
		}
	}
	return out
}

// whyNot gives the refusal of a wish, with all that the device said if it was
// in the life of this process.
func (d *device) whyNot(owner string, no Refusal) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.no[owner]; err != nil && err.Error() == no.Text {
		return err
	}
	return &RefusedError{Device: d.name, Step: "change", Err: errors.New(no.Text)}
}

// targets gives what the jobs want of each device, by owner.
func (m *Manager) targets(jobs []*job) map[*device]map[string]string {
	out := map[*device]map[string]string{}
	for _, j := range jobs {
		for _, d := range m.touched(j) {
			if out[d] == nil {
				out[d] = map[string]string{}
			}
			out[d][j.owner] = j.want[d.name]
		}
	}
	return out
}

// outputsOf gives the trees of all jobs.
func outputsOf(jobs []*job) []output {
	var out []output
	seen := map[string]bool{}
	for _, j := range jobs {
		for _, o := range j.outs {
			if !seen[o.digest] {
				seen[o.digest] = true
				out = append(out, o)
			}
		}
	}
	return out
}

// withoutConflicts gives the jobs that agree with each other and with all that
// is wanted, as far as the schemas of their devices are known. The others have
// their result.
func (m *Manager) withoutConflicts(jobs []*job, results map[string]Result) []*job {
	for {
		found := map[string]*ConflictError{}
		for d, target := range m.targets(jobs) {
			wants := m.book.wantsOf(d.name)
			for _, owner := range d.record().Behind(wants) {
				if _, ours := target[owner]; !ours {
					target[owner] = wants[owner]
				}
			}
			for _, c := range d.ledger.check(m.book.treeOr(outputsOf(jobs)), target) {
				for _, owner := range c.Owners {
					if found[owner] == nil {
						found[owner] = &ConflictError{}
					}
					found[owner].Conflicts = append(found[owner].Conflicts, Conflict{d.name, c.Path, c.Owners, c.Values})
				}
			}
		}
		left := slices.DeleteFunc(slices.Clone(jobs), func(j *job) bool {
			if found[j.owner] == nil {
				return false
			}
			results[j.owner] = Result{Err: found[j.owner].once()}
			return true
		})
		if len(left) == len(jobs) {
			return left
		}
		jobs = left
	}
}
