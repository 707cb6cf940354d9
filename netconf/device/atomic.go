package device

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// applyAll changes every device of an instance or none. Instances that share
// devices go in one transaction as long as nothing stands in the way.
func (m *Manager) applyAll(ctx context.Context, jobs []*job, patience time.Duration) map[string]Result {
	results := map[string]Result{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, part := range m.parts(jobs) {
		wg.Go(func() {
			got := m.applyPart(ctx, part, patience)
			mu.Lock()
			defer mu.Unlock()
			for owner, r := range got {
				results[owner] = r
			}
		})
	}
	wg.Wait()
	return results
}

// parts puts jobs together that share a device, directly or through others.
func (m *Manager) parts(jobs []*job) [][]*job {
	var parts [][]*job
	at := map[*device]int{} // index into parts
	for _, j := range jobs {
		mine := -1
		for _, d := range m.touched(j) {
			other, ok := at[d]
			switch {
			case !ok || other == mine:
			case mine < 0:
				mine = other
			default:
				parts[mine] = append(parts[mine], parts[other]...)
				parts[other] = nil
				for d, i := range at {
					if i == other {
						at[d] = mine
					}
				}
			}
			if mine < 0 {
				parts = append(parts, nil)
				mine = len(parts) - 1
			}
			at[d] = mine
		}
		if mine < 0 {
			parts = append(parts, nil)
			mine = len(parts) - 1
		}
		parts[mine] = append(parts[mine], j)
	}
	return slices.DeleteFunc(parts, func(p []*job) bool { return len(p) == 0 })
}

// applyPart applies jobs together. When that fails for a reason that is the fault of
// some of them, the others are applied without: those that need a device which
// is not there are set aside at once; who is refused is found by halves.
func (m *Manager) applyPart(ctx context.Context, jobs []*job, patience time.Duration) map[string]Result {
	results := map[string]Result{}
	failed := m.attempt(ctx, jobs, patience, results)
	if len(failed) > 0 && len(failed) < len(jobs) {
		// What was refused may have needed what came after it, or had to wait until it
		// was gone.
		for _, j := range failed {
			if err := results[j.owner].Err; !permanent(err) || clashing(err, failed, j) {
				continue
			}
			delete(results, j.owner)
			m.attempt(ctx, []*job{j}, patience, results)
		}
	}
	return results
}

// attempt gives the jobs that failed.
func (m *Manager) attempt(ctx context.Context, jobs []*job, patience time.Duration, results map[string]Result) []*job {
	if len(jobs) == 0 {
		return nil
	}
	pending, err := m.transact(ctx, jobs, patience)
	if err == nil {
		for _, j := range jobs {
			results[j.owner] = Result{Pending: m.pendingOf(j, pending)}
		}
		return nil
	}
	if lost, ok := errors.AsType[*UnreachableError](err); ok && ctx.Err() == nil {
		var without, failed []*job
		for _, j := range jobs {
			if slices.ContainsFunc(m.touched(j), func(d *device) bool { return d.name == lost.Device }) {
				failed = append(failed, j)
				results[j.owner] = Result{Err: err}
			} else {
				without = append(without, j)
			}
		}
		if len(failed) > 0 {
			return append(failed, m.attempt(ctx, without, patience, results)...)
		}
	}
	if _, ok := errors.AsType[*ConflictError](err); ok {
		var without, failed []*job
		for _, j := range jobs {
			if clashing(err, []*job{j}, nil) { // none of them wins for being tried alone
				failed = append(failed, j)
				results[j.owner] = Result{Err: err}
			} else {
				without = append(without, j)
			}
		}
		if len(failed) > 0 {
			return append(failed, m.attempt(ctx, without, patience, results)...)
		}
	}
	if len(jobs) == 1 || !permanent(err) {
		for _, j := range jobs {
			results[j.owner] = Result{Err: err}
		}
		return jobs
	}
	half := len(jobs) / 2
	return append(m.attempt(ctx, jobs[:half], patience, results), m.attempt(ctx, jobs[half:], patience, results)...)
}

// clashing says whether an error is a conflict with one of the jobs, other than
// but.
func clashing(err error, jobs []*job, but *job) bool {
	c, ok := errors.AsType[*ConflictError](err)
	return ok && slices.ContainsFunc(c.Conflicts, func(one Conflict) bool {
		return slices.ContainsFunc(jobs, func(j *job) bool { return j != but && slices.Contains(one.Owners[:], j.owner) })
	})
}

// pendingOf gives the devices that have yet to follow to what j wants.
func (m *Manager) pendingOf(j *job, pending []string) []string {
	var out []string
	for _, d := range m.touched(j) {
		if slices.Contains(pending, d.name) || d.spec().Disabled {
			out = append(out, d.name)
		}
	}
	return out
}

// transact applies the jobs in one transaction over all of their devices.
func (m *Manager) transact(ctx context.Context, jobs []*job, patience time.Duration) (pending []string, err error) {
	t := m.transaction()
	t.outs, t.patience = outputsOf(jobs), patience
	t.wishes = map[string]wish{}
	for _, j := range jobs {
		if m.isNew(j) {
			t.wishes[j.owner] = wish{j.want, j.of}
		}
	}
	targets := m.targets(jobs)
	var devices []*device
	for d := range targets {
		if !d.spec().Disabled { // what it is to have is recorded, for when it is enabled
			devices = append(devices, d)
		}
	}
	slices.SortFunc(devices, byName)
	if err := m.take(ctx, devices, patience); err != nil {
		return nil, err
	}
	defer func() {
		for _, d := range devices {
			d.release()
			if !d.record().Settled() {
				d.kick()
			}
		}
	}()
	for _, d := range devices {
		t.pushes = append(t.pushes, d.push(nil, t, targets[d]))
	}
	if err := parallel(t.pushes, func(p *push) (err error) {
		p.s, err = p.d.ready(ctx)
		p.f = p.d.f
		return err
	}); err != nil {
		return nil, err
	}
	return t.run(ctx)
}

// take gets the turns of devices, in their order so that nobody waits in a
// circle, or of none.
func (m *Manager) take(ctx context.Context, devices []*device, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, min(patience, m.config.ConnectTimeout))
	defer cancel()
	for i, d := range devices {
		if err := d.acquire(ctx); err != nil {
			for _, got := range devices[:i] {
				got.release()
			}
			return err
		}
	}
	return nil
}
