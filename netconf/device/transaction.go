package device

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// transaction changes one device or several of them, all or none. The caller
// holds their turns.
//
// What is durable at each step, and what a crash after it leads to:
//
//	begun      every record says what may be on its device    undone: cancelled by name, read, put back
//	decided    the decision, and the owners' wishes           every device is confirmed by name, or pushed to
//	finished   every record says what is on its device        nothing is left to do
//
// A transaction over one device needs no decision of its own: its owners'
// wishes, which decide what it is brought to after a crash, are written when
// the device has confirmed.
type transaction struct {
	m        *Manager
	id       string
	pushes   []*push
	wishes   map[string]wish // what the owners want once it is decided; nil: they want it already
	outs     []output
	patience time.Duration // with devices that hang before anything is sent; 0 is that of a request
}

func (m *Manager) transaction() *transaction {
	return &transaction{m: m, id: "abide-" + rand.Text()}
}

// run carries the transaction out. Without an error it is decided; devices that
// have yet to follow, which their workers see to, are in pending.
func (t *transaction) run(ctx context.Context) (pending []string, err error) {
	defer t.release(ctx)
	if err := t.prepare(ctx); err != nil {
		return nil, t.abort(ctx, nil, err)
	}
	var todo []*push
	for _, p := range t.pushes {
		if !p.quiet() {
			todo = append(todo, p)
		}
	}
	if len(todo) == 0 {
		return nil, t.settle(ctx)
	}
	t.tell(TransactionStarted, Info, "a change of "+t.names()+" begins", nil)
	if err := t.begin(ctx, todo); err != nil {
		return nil, t.abort(ctx, nil, err)
	}
	if err := t.change(ctx, todo); err != nil {
		return nil, t.abort(ctx, todo, err)
	}
	return t.finish(ctx, todo)
}

// prepare looks at all devices, as long as the caller has patience.
func (t *transaction) prepare(ctx context.Context) error {
	if t.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.patience)
		defer cancel()
	}
	return t.each(ctx, t.pushes, (*push).prepare)
}

// begin journals what is about to be sent.
func (t *transaction) begin(ctx context.Context, todo []*push) error {
	e := t.m.book.entry()
	e.outputs = t.outs
	until := time.Now().Add(2 * t.m.config.ConfirmTimeout) // changes are sent in the first half of one
	for _, p := range todo {
		e.record(p.d.name, p.before.Begin(t.id, until, p.target, p.baseMeanwhile()))
	}
	if err := t.m.step("device.before-begin"); err != nil {
		return err
	}
	return e.commit(ctx)
}

// change makes all devices have what is wanted, so that they can still go back.
// Those that go back by themselves come first: a device without confirmed
// commits is touched when all others have said yes.
func (t *transaction) change(ctx context.Context, todo []*push) error {
	ctx, cancel := context.WithTimeout(ctx, t.m.config.ConfirmTimeout/2)
	defer cancel()
	if err := t.m.step("device.begun"); err != nil {
		return err
	}
	if err := t.each(ctx, todo, (*push).edit); err != nil {
		return err
	}
	if err := t.m.step("device.edited"); err != nil {
		return err
	}
	for _, confirmed := range []bool{true, false} {
		wave := slices.DeleteFunc(slices.Clone(todo), func(p *push) bool { return p.f.confirmed != confirmed })
		if err := t.each(ctx, wave, (*push).commit); err != nil {
			return err
		}
		if err := t.m.step("device.committed"); err != nil {
			return err
		}
		if err := t.each(ctx, wave, (*push).verify); err != nil {
			return err
		}
	}
	return t.m.step("device.verified")
}

// finish decides, and makes the change final on every device.
func (t *transaction) finish(ctx context.Context, todo []*push) (pending []string, err error) {
	ctx, cancel := t.m.ending(ctx)
	defer cancel()
	if len(t.pushes) > 1 {
		if err := t.decide(ctx); err != nil {
			return nil, t.abort(ctx, todo, err)
		}
	}
	if err := t.m.step("device.decided"); err != nil {
		return nil, err
	}
	confirmErr := t.each(ctx, todo, (*push).confirm)
	if confirmErr != nil && len(t.pushes) == 1 {
		return nil, t.unsure(confirmErr)
	}
	if err := t.m.step("device.confirmed"); err != nil {
		return nil, err
	}
	e := t.m.book.entry()
	for _, p := range t.pushes {
		if p.stage == final || p.quiet() {
			p.done(e)
		} else {
			pending = append(pending, p.d.name)
			p.leave()
		}
	}
	if len(t.pushes) > 1 {
		if pending == nil {
			e.decide(t.id, nil)
		}
		e.later()
	} else {
		t.wish(e)
		if err := e.commit(ctx); err != nil {
			return nil, t.unsure(err)
		}
	}
	t.tell(TransactionCommitted, Info, "the change of "+t.names()+" is made", map[string]any{"pending": pending})
	return pending, t.m.step("device.finished")
}

// decide makes the transaction's end known to whoever comes after a crash.
func (t *transaction) decide(ctx context.Context) error {
	if err := t.m.step("device.before-decision"); err != nil {
		return err
	}
	e := t.m.book.entry()
	e.decide(t.id, &decision{Owners: t.owners(), Devices: t.devices(), At: time.Now()})
	t.wish(e)
	return e.commit(ctx)
}

func (t *transaction) wish(e *entry) {
	for owner, w := range t.wishes {
		e.outputs = t.outs
		e.wish(owner, w)
	}
}

// settle ends a transaction whose devices have all that is wanted.
func (t *transaction) settle(ctx context.Context) error {
	e := t.m.book.entry()
	e.outputs = t.outs
	for _, p := range t.pushes {
		if err := p.save(ctx); err != nil && !p.before.Settled() {
			return t.abort(ctx, nil, err)
		}
		p.done(e)
	}
	t.wish(e)
	if err := e.commit(ctx); err != nil {
		return t.abort(ctx, nil, err)
	}
	return nil
}

// abort takes everything back and gives the reason. Devices that can't be
// asked whether they have gone back stay unsettled: their workers see to them.
func (t *transaction) abort(ctx context.Context, todo []*push, reason error) error {
	ctx, cancel := t.m.ending(ctx)
	defer cancel()
	e := t.m.book.entry()
	var mu sync.Mutex
	var unknown []string
	_ = t.each(ctx, t.pushes, func(p *push, ctx context.Context) error {
		known := p.undo(ctx)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case !slices.Contains(todo, p):
		case known:
			e.record(p.d.name, p.before)
		default:
			unknown = append(unknown, p.d.name)
		}
		return nil
	})
	if todo == nil {
		return reason
	}
	if err := e.commit(ctx); err != nil {
		reason = errors.Join(reason, err)
	}
	t.tell(TransactionAborted, Warning, fmt.Sprintf("the change of %s is undone: %v", t.names(), reason), map[string]any{"unsettled": unknown})
	return reason
}

// unsure leaves a transaction over one device whose last step may have been
// carried out or not. Its worker looks.
func (t *transaction) unsure(reason error) error {
	for _, p := range t.pushes {
		p.leave()
	}
	return reason
}

// release unlocks all devices.
func (t *transaction) release(ctx context.Context) {
	ctx, cancel := t.m.ending(ctx)
	defer cancel()
	_ = t.each(ctx, t.pushes, func(p *push, ctx context.Context) error {
		p.release(ctx)
		return nil
	})
}

// each does a step on several devices at the same time, waits for all, and gives
// the error of the first of them that has one: a refusal before anything else.
func (t *transaction) each(ctx context.Context, pushes []*push, do func(*push, context.Context) error) error {
	return parallel(pushes, func(p *push) error {
		return t.m.bounded(ctx, func(ctx context.Context) error { return do(p, ctx) })
	})
}

func parallel(pushes []*push, do func(*push) error) error {
	errs := make([]error, len(pushes))
	var wg sync.WaitGroup
	for i, p := range pushes {
		if i == len(pushes)-1 {
			errs[i] = do(p) // one alone needs no goroutine
			break
		}
		wg.Go(func() { errs[i] = do(p) })
	}
	wg.Wait()
	var first error
	for _, err := range errs {
		if permanent(err) {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// done records that the device has what is wanted.
func (p *push) done(e *entry) {
	e.record(p.d.name, p.before.Done(p.target, p.base))
}

// names says whose change it is.
func (t *transaction) names() string {
	owners, devices := t.owners(), t.devices()
	who := fmt.Sprintf("%d instances", len(owners))
	switch {
	case len(owners) == 0:
		who = "what has drifted"
	case len(owners) <= 3:
		who = strings.Join(owners, ", ")
	}
	if len(devices) == 1 {
		return who + " on device " + devices[0]
	}
	return fmt.Sprintf("%s on %d devices", who, len(devices))
}

func (t *transaction) tell(kind string, level Level, message string, fields map[string]any) {
	e := Event{Type: kind, Level: level, Owners: t.owners(), Message: message, Fields: map[string]any{"transaction": t.id, "devices": t.devices()}}
	maps.Copy(e.Fields, fields)
	if len(t.pushes) == 1 {
		e.Device = t.pushes[0].d.name
	}
	t.m.config.Tell(e)
}

func (t *transaction) owners() []string {
	all := map[string]bool{}
	for _, p := range t.pushes {
		for o := range p.target {
			all[o] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func (t *transaction) devices() []string {
	var out []string
	for _, p := range t.pushes {
		out = append(out, p.d.name)
	}
	return out
}
