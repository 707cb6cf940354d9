package device

import (
	"context"
	"fmt"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// stage is how far a push has come.
type stage int

const (
	untouched stage = iota
	edited          // the candidate has the edit
	sent            // running may have it: the request to change it was sent
	changed         // running has it, for now where the commit is a confirmed one
	final           // running has it for good
)

// push is a transaction's part on one device, whose turn the caller holds. The
// methods are its steps, in order; each gives an error that says what to do
// about it: a *[RefusedError], *[UnreachableError] or *[ConflictError].
type push struct {
	d       *device
	s       Session
	f       features
	id      string            // the transaction's
	target  map[string]string // owner → digest, "" for none
	outs    []output          // trees of target that may not be kept yet
	all     bool              // look at everything that is claimed, not just at what target touches
	timeout time.Duration     // of the confirmed commit

	before   Record
	deltas   []tree.Delta
	moved    bool
	filter   *tree.Node
	plan     tree.Plan
	observed *tree.Node
	locked   bool
	stage    stage
	found    *tree.Node // what was there before any owner, as known before this
	base     string     // the same when it is done
	lost     bool       // the session is of no use any more
}

// prepare locks the device, reads what the transaction touches, and makes the
// plan. A stale edit in the candidate would make some devices refuse the lock.
func (p *push) prepare(ctx context.Context) error {
	if p.f.candidate {
		if err := p.s.Discard(ctx); err != nil {
			return p.fail("discard-changes", err)
		}
	}
	if err := p.s.Lock(ctx, p.f.store()); err != nil {
		if lockedBy(err) == fmt.Sprint(p.s.ID()) {
			p.lost = true // it said that it had given the lock back
			return p.d.drop(p.s, fmt.Errorf("lock: %w", err))
		}
		return p.fail("lock", err)
	}
	p.locked = true
	return p.read(ctx)
}

// read makes the plan out of what the device has.
func (p *push) read(ctx context.Context) error {
	d := p.d
	p.before = d.record()
	for owner := range p.before.Next {
		if _, ok := p.target[owner]; !ok { // what it may have there would be forgotten
			return fmt.Errorf("an earlier change of device %s is not at its end yet; it is seen to by itself, so try again later", d.name)
		}
	}
	if err := p.widen(ctx); err != nil {
		return err
	}
	deltas, conflicts := d.ledger.move(d.m.book.treeOr(p.outs), p.before, p.target)
	if conflicts != nil {
		return conflictError(d.name, conflicts)
	}
	p.deltas, p.moved = deltas, true
	base, err := parseBase(p.before)
	if err != nil {
		return fmt.Errorf("the record of device %s is damaged: %w; restore the state from its backup", d.name, err)
	}
	if p.all {
		d.ledger.with(func(c *tree.Claims) { p.filter = c.FilterAll() })
	} else if len(deltas) > 0 {
		d.ledger.with(func(c *tree.Claims) { p.filter = c.Filter(deltas...) })
	}
	if p.filter == nil || len(p.filter.Children) == 0 {
		p.observed = &tree.Node{Name: tree.Name{Local: "config"}}
	} else {
		var modified string
		if p.observed, modified, err = p.s.GetConfig(ctx, netconf.Running, p.filter); err != nil {
			return p.fail("get-config", err)
		}
		d.hint.read(modified, time.Now())
	}
	p.found, p.plan = base, p.look(p.observed, base)
	p.base = baseText(p.plan.Base)
	p.mask()
	return nil
}

// widen sees that the device's models are known of all that target brings.
func (p *push) widen(ctx context.Context) error {
	find := p.d.m.book.treeOr(p.outs)
	for _, digest := range p.target {
		if n := find(digest); n != nil && !covered(n, p.d.spaces) {
			if err := p.d.learn(ctx, p.s, n); err != nil {
				p.lost = true
				return p.d.drop(p.s, err)
			}
		}
	}
	return nil
}

// baseMeanwhile is the base as long as the device may have what it had, or what
// is wanted.
func (p *push) baseMeanwhile() string {
	return baseText(union(p.plan.Base, p.found, p.d.ledger.schema))
}

// look says what would have to be done to the device if it has observed: all of
// it or, without anything that target changes, nothing.
func (p *push) look(observed, base *tree.Node) tree.Plan {
	if !p.all && len(p.deltas) == 0 {
		return tree.Plan{Base: base}
	}
	return p.d.plan(observed, base, p.deltas)
}

// mask takes out of the plan what the device's policies leave as it is: leaves
// whose wish is not new and whose value the device, or somebody on it, chose.
func (p *push) mask() {
	rules := p.d.spec().Drift
	if len(rules) == 0 || p.plan.Edit == nil || !p.all {
		return
	}
	var left [][]tree.Step
	for _, c := range p.plan.Changes {
		if c.Op != tree.OpSet || policyOf(rules, c.Path) == Revert {
			continue
		}
		if steps, err := tree.ParsePath(c.Path); err == nil {
			left = append(left, steps)
		}
	}
	p.plan.Edit = without(p.plan.Edit, left)
}

// quiet says that the device has all that is wanted already.
func (p *push) quiet() bool { return p.plan.Edit == nil }

// edit puts the change into the candidate. Devices without one are changed by
// commit.
func (p *push) edit(ctx context.Context) error {
	if !p.f.candidate {
		return nil
	}
	p.stage = edited
	if err := p.s.EditConfig(ctx, netconf.EditOptions{Target: netconf.Candidate}, p.plan.Edit); err != nil {
		return p.fail("edit-config", err)
	}
	if !p.f.validate {
		return nil
	}
	if err := p.s.Validate(ctx, netconf.Candidate); err != nil {
		return p.fail("validate", err)
	}
	return nil
}

// commit changes running: for now where the device has confirmed commits.
func (p *push) commit(ctx context.Context) error {
	before := p.stage
	p.stage = sent
	var err error
	step := "commit"
	switch {
	case !p.f.candidate:
		step = "edit-config"
		err = p.s.EditConfig(ctx, p.runningEdit(), p.plan.Edit)
	case p.f.confirmed:
		o := netconf.CommitOptions{Confirmed: true, Timeout: p.timeout}
		if p.f.persist {
			o.Persist = p.id
		}
		err = p.s.Commit(ctx, o)
	default:
		err = p.s.Commit(ctx, netconf.CommitOptions{})
	}
	if err != nil {
		if p.f.candidate && answered(err) {
			p.stage = before // a commit that was refused has changed nothing
		}
		return p.fail(step, err)
	}
	p.stage = changed
	return nil
}

// runningEdit are the options of an edit of running, which should not be left half done.
func (p *push) runningEdit() netconf.EditOptions {
	o := netconf.EditOptions{Target: netconf.Running}
	if p.f.rollback {
		o.ErrorOption = "rollback-on-error"
	}
	return o
}

// verify reads back what was changed. A device that says ok and has done
// something else, or nothing, is one that refuses.
func (p *push) verify(ctx context.Context) error {
	now, modified, err := p.s.GetConfig(ctx, netconf.Running, p.filter)
	if err != nil {
		return p.fail("get-config", err)
	}
	p.d.hint.read(modified, time.Now())
	left := p.look(now, p.found)
	rules := p.d.spec().Drift
	for _, c := range left.Changes {
		if c.Op != tree.OpSet || policyOf(rules, c.Path) != Ignore && !(p.all && policyOf(rules, c.Path) == Accept) {
			return &RefusedError{Device: p.d.name, Step: "change", Err: fmt.Errorf(
				"it said ok, but %s is not as it was asked to be (%d differences); if the device rewrites the value by itself, give the path the drift policy ignore", c.Path, len(left.Changes))}
		}
	}
	return nil
}

// confirm makes the change final.
func (p *push) confirm(ctx context.Context) error {
	if p.f.confirmed {
		var o netconf.CommitOptions
		if p.f.persist {
			o.PersistID = p.id
		}
		if err := p.s.Commit(ctx, o); err != nil {
			return p.fail("confirming commit", err)
		}
	}
	p.stage = final
	return p.save(ctx)
}

// save makes the change outlive a restart of the device, where that takes a
// step of its own. A no is told and changes nothing: running is as wanted.
func (p *push) save(ctx context.Context) error {
	if !p.f.startup {
		return nil
	}
	err := p.s.CopyConfig(ctx, netconf.Running, netconf.Startup)
	if answered(err) {
		p.d.tell(Event{Type: DeviceRefused, Level: Error, Message: fmt.Sprintf(
			"device %s doesn't save its configuration: %v; it loses the change when it restarts", p.d.name, err)})
		return nil
	}
	if err != nil {
		return p.fail("copy-config", err)
	}
	return nil
}

// fail makes of an error what a caller can act on. After anything but a no the
// session is given up, since nobody knows what comes over it next.
func (p *push) fail(step string, err error) error {
	if refusal(err) {
		return &RefusedError{Device: p.d.name, Step: step, Err: err}
	}
	if busy(err) {
		return fmt.Errorf("device %s is used by another session: %w", p.d.name, err)
	}
	p.lost = true
	return p.d.drop(p.s, fmt.Errorf("%s: %w", step, err))
}
