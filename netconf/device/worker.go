package device

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// Waits between attempts to reach a device, and between repairs of a device on
// which somebody undoes them.
const (
	firstWait   = time.Second
	longestWait = 5 * time.Minute
	// oftenest is how often everything is looked at on a device that changes all the time.
	oftenest = time.Second
)

// backoff gives the wait after n failures, at random within a fifth.
func backoff(n int) time.Duration {
	wait := longestWait
	if n < 10 {
		wait = min(longestWait, firstWait<<max(n-1, 0))
	}
	return wait - wait/10 + rand.N(wait/5)
}

// work is the device's worker: it looks at the device whenever something may be
// to do, until ctx ends or the device is gone.
func (d *device) work(ctx context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(d.left, func() { cancel(errRetired) })()
	for ctx.Err() == nil {
		wait := d.round(ctx)
		d.sleep(ctx, wait)
	}
	waiters, _ := d.asked()
	answer(waiters)
	if d.acquire(context.WithoutCancel(ctx)) == nil {
		d.hangUp()
		d.release()
	}
}

// sleep waits until there may be something to do.
func (d *device) sleep(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	d.mu.Lock()
	s := d.session
	d.mu.Unlock()
	var ended <-chan struct{}
	var notes <-chan *tree.Node
	if s != nil {
		ended, notes = s.Done(), s.Notifications()
	}
	for {
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-d.wake:
		case <-ended:
		case n, ok := <-notes:
			if !ok {
				notes = nil
				continue
			}
			if !changedBy(n, s.ID()) {
				continue
			}
			for len(notes) > 0 {
				<-notes // one look is enough for all
			}
			d.mu.Lock()
			d.suspect = true
			d.mu.Unlock()
		}
		return
	}
}

// round looks at the device once, and gives how long nothing is to do then.
func (d *device) round(ctx context.Context) time.Duration {
	waiters, again := d.asked()
	defer func() { answer(waiters) }()
	if d.acquire(ctx) != nil {
		return 0
	}
	defer d.release()
	if d.spec().Disabled {
		d.hangUp()
		return time.Hour
	}
	err := d.follow(ctx, again)
	answer(waiters)
	waiters = nil
	if err == nil {
		err = d.watch(ctx)
	}
	if err != nil {
		d.retries++
		d.noteError(err)
		return backoff(d.retries)
	}
	d.retries = 0
	if d.hint.useful() && !d.f.events {
		return min(d.m.config.Hint, time.Until(d.checkAt))
	}
	return time.Until(d.checkAt)
}

// follow makes the device have what is wanted of it.
func (d *device) follow(ctx context.Context, again []string) error {
	if _, err := d.ready(ctx); err != nil {
		return err
	}
	if len(again) > 0 {
		d.retry(again)
	}
	for {
		r, wants := d.record(), d.m.book.wantsOf(d.name)
		if stale := r.stale(wants); len(stale) > 0 {
			d.retry(stale)
		}
		behind := r.Behind(wants)
		if len(behind) == 0 {
			return nil
		}
		target := map[string]string{}
		for _, owner := range behind {
			target[owner] = wants[owner]
		}
		if err := d.bring(ctx, target); err != nil {
			return err
		}
	}
}

// bring makes the device have the outputs of target, or notes what it refuses:
// of several owners just those that are to blame.
func (d *device) bring(ctx context.Context, target map[string]string) error {
	no, err := d.halves(ctx, target)
	if err != nil {
		return err
	}
	if len(no) > 0 && len(no) < len(target) {
		// What was refused may have needed what came after it, or had to wait until it
		// was gone.
		for _, owner := range sortedKeys(no) {
			again, err := d.halves(ctx, map[string]string{owner: target[owner]})
			if err != nil {
				return err
			}
			if delete(no, owner); again[owner] != nil {
				no[owner] = again[owner]
			}
		}
	}
	if len(no) == 0 {
		return nil
	}
	r, e := d.record(), d.m.book.entry()
	for _, owner := range sortedKeys(no) {
		d.refused(owner, no[owner])
		r = r.Refuse(owner, Refusal{Digest: target[owner], Text: no[owner].Error(), At: time.Now()})
	}
	e.record(d.name, r)
	return e.commit(ctx)
}

// halves pushes to the device, and finds who is refused by halves. The error
// is one that isn't an owner's.
func (d *device) halves(ctx context.Context, target map[string]string) (no map[string]error, err error) {
	s, err := d.ready(ctx) // what was refused before may have left it unsettled
	if err != nil {
		return nil, err
	}
	err = d.single(ctx, s, target)
	if !permanent(err) {
		return nil, err
	}
	owners := sortedKeys(target)
	no = map[string]error{}
	if len(owners) == 1 {
		no[owners[0]] = err
		return no, nil
	}
	for _, half := range [][]string{owners[:len(owners)/2], owners[len(owners)/2:]} {
		part := map[string]string{}
		for _, o := range half {
			part[o] = target[o]
		}
		more, err := d.halves(ctx, part)
		if err != nil {
			return nil, err
		}
		maps.Copy(no, more)
	}
	return no, nil
}

// permanent says whether an error stays the same until somebody changes something.
func permanent(err error) bool {
	_, refused := errors.AsType[*RefusedError](err)
	_, conflict := errors.AsType[*ConflictError](err)
	return refused || conflict
}

// retry forgets refusals.
func (d *device) retry(owners []string) {
	r := d.record()
	if !slices.ContainsFunc(owners, func(o string) bool { _, ok := r.Refused[o]; return ok }) {
		return
	}
	d.mu.Lock()
	for _, o := range owners {
		delete(d.no, o)
	}
	d.mu.Unlock()
	e := d.m.book.entry()
	e.record(d.name, r.Retry(owners...))
	e.later()
}

func (d *device) noteError(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.problem = err.Error()
}

// watch looks for drift, when it is time or when something hints at it.
func (d *device) watch(ctx context.Context) error {
	s, err := d.connect(ctx) // it may have been lost in the end
	if err != nil {
		return err
	}
	d.mu.Lock()
	suspect := d.suspect
	d.suspect = false
	d.mu.Unlock()
	if len(d.record().Held) == 0 {
		d.checkAt = time.Now().Add(d.m.config.Check)
		return nil
	}
	if next := d.looked.Add(oftenest); suspect && time.Now().Before(next) {
		d.mu.Lock()
		d.suspect = true
		d.mu.Unlock()
		d.checkAt = next
		return nil
	}
	if time.Now().Before(d.checkAt) && !suspect {
		if !d.hint.useful() {
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, d.m.config.Timeout)
		defer cancel()
		_, stamp, err := s.GetConfig(ctx, netconf.Running, &tree.Node{})
		if err != nil && !answered(err) {
			return d.drop(s, err)
		}
		if err != nil || d.hint.unchanged(stamp) {
			return nil
		}
	}
	return d.check(ctx, s)
}

// check compares everything that is owned, and puts it right.
func (d *device) check(ctx context.Context, s Session) error {
	drifts, err := d.look(ctx, s)
	if err != nil {
		return err
	}
	d.looked = time.Now()
	d.checkAt = d.looked.Add(d.m.config.Check)
	mend := slices.ContainsFunc(drifts, func(f Drift) bool { return f.Policy == Revert })
	held := slices.ContainsFunc(drifts, func(f Drift) bool { return slices.ContainsFunc(f.Owners, d.m.config.Held) })
	if !mend || held { // what is put right is all of a device at once
		if time.Since(d.repairAt) > longestWait {
			d.repairs = 0
		}
		return nil
	}
	if wait := time.Until(d.repairAt); wait > 0 {
		d.checkAt = d.repairAt
		return nil
	}
	d.repairs++
	d.repairAt = time.Now().Add(backoff(d.repairs))
	t := d.m.transaction()
	t.pushes = []*push{d.push(s, t, nil)}
	t.pushes[0].all = true
	if _, err := t.run(ctx); err != nil {
		if permanent(err) {
			d.refused("", err)
			return nil // it is looked at again when the time has come
		}
		return err
	}
	d.drifted(slices.DeleteFunc(drifts, func(f Drift) bool { return f.Policy == Revert }))
	d.tell(Event{Type: DeviceRepaired, Level: Info, Message: fmt.Sprintf("device %s has again what is wanted of it", d.name)})
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
