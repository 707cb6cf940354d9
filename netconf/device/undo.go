package device

import (
	"context"
	"fmt"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// undo takes back what the push has done so far. It gives true when the device
// is known to have what it had: it was asked, or was never touched.
func (p *push) undo(ctx context.Context) bool {
	if p.moved {
		p.d.ledger.back(p.before, p.deltas)
		p.moved = false
	}
	if p.lost {
		return p.stage == untouched // an edit that is left in the candidate has to go, too
	}
	switch {
	case p.stage == untouched:
		return true
	case p.stage == edited:
		if err := p.s.Discard(ctx); err != nil {
			p.fail("discard-changes", err)
		}
		return true
	case p.f.confirmed:
		return p.cancel(ctx) && p.undone(ctx)
	}
	return p.reverse(ctx) && p.undone(ctx)
}

// cancel ends a confirmed commit that is not to last. Where that can't be asked
// for, ending the session does it (RFC 4741, section 8.4).
func (p *push) cancel(ctx context.Context) bool {
	if !p.f.persist {
		p.lost = true
		_ = p.d.drop(p.s, errCancelled)
		return false
	}
	err := p.s.CancelCommit(ctx, p.id)
	if err != nil && !answered(err) {
		p.fail("cancel-commit", err)
		return false
	}
	if err := p.s.Discard(ctx); err != nil {
		p.fail("discard-changes", err)
	}
	return !p.lost // what a no means, the look at the device tells
}

// reverse sends the edit that was computed to undo the change.
func (p *push) reverse(ctx context.Context) bool {
	if p.plan.Reverse == nil {
		return true
	}
	o := p.runningEdit()
	if p.f.candidate {
		if err := p.s.Discard(ctx); err != nil {
			p.fail("discard-changes", err)
			return false
		}
		o = netconf.EditOptions{Target: netconf.Candidate}
	}
	err := p.s.EditConfig(ctx, o, p.plan.Reverse)
	if err == nil && p.f.candidate {
		err = p.s.Commit(ctx, netconf.CommitOptions{})
	}
	if err != nil {
		p.fail("reverse edit", err)
		return false
	}
	return p.save(ctx) == nil
}

// undone looks whether the device has again what it had, as far as the owners go.
func (p *push) undone(ctx context.Context) bool {
	now, _, err := p.s.GetConfig(ctx, netconf.Running, p.filter)
	if err != nil {
		p.fail("get-config", err)
		return false
	}
	if !p.before.Settled() {
		return false // it wasn't known before
	}
	var back []tree.Delta // of a look at everything: none
	if !p.all {
		back = reversed(p.deltas)
	}
	was := p.d.plan(p.observed, p.plan.Base, back)
	is := p.d.plan(now, p.plan.Base, back)
	return tree.Equal(was.Edit, is.Edit)
}

// leave gives the push up as it is: the device's worker begins anew, by the
// record. A confirmed commit that nobody can name later ends with its session.
func (p *push) leave() {
	p.d.ledger.back(p.before, p.deltas)
	p.moved = false
	if p.f.confirmed && !p.f.persist && !p.lost {
		p.lost = true
		_ = p.d.drop(p.s, errCancelled)
	}
}

// release gives the lock back, whatever happened.
func (p *push) release(ctx context.Context) {
	if p.locked && !p.lost {
		if err := p.s.Unlock(ctx, p.f.store()); err != nil {
			p.lost = true // whose lock goes with it
			_ = p.d.drop(p.s, fmt.Errorf("unlock: %w", err))
		}
	}
	p.locked = false
}
