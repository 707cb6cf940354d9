package systemd

import (
	"context"
	"fmt"
	"time"

	"github.com/abide-agent/abide/units"
)

// perUnit is how much longer a batch may take for each unit in it. systemd takes
// some 5 ms for a job, and does one after the other.
const perUnit = 20 * time.Millisecond

// pace says when a batch has waited long enough: when none of its units has come
// to an end for as long as one may take. Among many the last is long in coming
// although nothing holds it up, and to give up on it would only begin anew.
type pace struct {
	wait  time.Duration
	end   time.Time // of the batch, whatever moves
	timer *time.Timer
}

// newPace gives a context that ends with the batch's patience. The caller calls
// stop.
func newPace(ctx context.Context, wait time.Duration, n int) (_ context.Context, p *pace, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	p = &pace{wait: wait, end: time.Now().Add(wait + time.Duration(n-1)*perUnit)}
	p.timer = time.AfterFunc(wait, func() { cancel(fmt.Errorf("%w after %v", units.ErrBusy, wait)) })
	return ctx, p, func() {
		p.timer.Stop()
		cancel(nil)
	}
}

// moved notes that a unit came to its end.
func (p *pace) moved() {
	if p != nil {
		p.timer.Reset(max(min(p.wait, time.Until(p.end)), 0))
	}
}
