package device

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// ready gives an open session with the device, and sees to what an earlier one
// left behind. With the turn.
func (d *device) ready(ctx context.Context) (Session, error) {
	s, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	return s, d.recover(ctx, s)
}

// connect gives an open session with the device. With the turn.
func (d *device) connect(ctx context.Context) (Session, error) {
	d.mu.Lock()
	s, stale, desc := d.session, d.stale, d.desc
	d.stale = false
	d.mu.Unlock()
	if s != nil && stale {
		d.hangUp()
		s = nil
	}
	if s != nil {
		select {
		case <-s.Done():
			_ = d.drop(s, errors.New("the device has ended it"))
		default:
			return s, nil
		}
	}
	if desc.Disabled {
		return nil, &UnreachableError{Device: d.name, Err: errors.New("the inventory says that it is not enabled")}
	}
	s, err := d.dial(ctx, desc)
	if err != nil {
		return nil, d.drop(nil, err)
	}
	ctx, cancel := context.WithTimeout(ctx, d.m.config.Timeout)
	defer cancel()
	return s, d.greet(ctx, s, desc)
}

// dial opens a session, as one of the few that are opened at the same time.
func (d *device) dial(ctx context.Context, desc Device) (Session, error) {
	select {
	case d.m.dials <- struct{}{}:
		defer func() { <-d.m.dials }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, d.m.config.ConnectTimeout)
	defer cancel()
	return d.m.config.Dial(ctx, desc)
}

// greet makes a new session the device's own.
func (d *device) greet(ctx context.Context, s Session, desc Device) error {
	c := s.Capabilities()
	d.f = featuresOf(c, desc)
	if !d.f.candidate && !c.Has(":writable-running") {
		err := d.drop(s, errors.New("it offers neither :candidate nor :writable-running, so nothing can be changed on it"))
		return err
	}
	d.spaces = nil
	if err := d.learn(ctx, s, d.m.book.treesOf(d.name)...); err != nil {
		return d.drop(s, err)
	}
	if d.f.events {
		if err := s.Subscribe(ctx, "NETCONF"); err != nil && !answered(err) {
			return d.drop(s, err)
		}
	}
	d.mu.Lock()
	now := time.Now()
	d.session, d.since, d.seen, d.lost, d.problem = s, now, now, false, ""
	d.mu.Unlock()
	d.checkAt = time.Time{}
	d.hint.seen("", now)
	d.tell(Event{Type: DeviceConnected, Level: Info, Message: "device " + d.name + " is connected", Fields: map[string]any{
		"candidate": d.f.candidate, "confirmed_commit": d.f.confirmed, "notifications": d.f.events,
	}})
	return nil
}

// recover brings a device of which it isn't known what it has to its end: a
// transaction that was decided is confirmed, another is cancelled, and then the
// device is read and made to have what is wanted, or else what it held before.
func (d *device) recover(ctx context.Context, s Session) error {
	r := d.record()
	if r.Settled() {
		return nil
	}
	if r.Push != "" && d.f.persist {
		if err := d.endCommit(ctx, s, r); err != nil {
			return err
		}
	}
	wants := d.m.book.wantsOf(d.name)
	target, held := map[string]string{}, map[string]string{}
	refused := map[string]Refusal{}
	for owner := range r.Next {
		target[owner], held[owner] = wants[owner], r.Held[owner]
		if no, ok := r.Refused[owner]; ok && no.Digest == wants[owner] {
			target[owner], refused[owner] = r.Held[owner], no
		}
	}
	err := d.single(ctx, s, target)
	if permanent(err) {
		d.refused("", err)
		err = d.single(ctx, s, held)
	}
	if err != nil {
		return err
	}
	d.m.forget()
	if len(refused) > 0 {
		r := d.record()
		for owner, no := range refused {
			r = r.Refuse(owner, no)
		}
		e := d.m.book.entry()
		e.record(d.name, r)
		e.later()
	}
	d.tell(Event{Type: TransactionRecovered, Level: Info, Owners: sortedKeys(target), Message: "device " + d.name + " was left in the middle of a change, and is at its end now", Fields: map[string]any{"transaction": r.Push}})
	return nil
}

// endCommit confirms or cancels the confirmed commit that was left behind, if it
// is still there. As long as that isn't known nothing may be built on what the
// device has: its timer would take it away.
func (d *device) endCommit(ctx context.Context, s Session, r Record) error {
	ctx, cancel := context.WithTimeout(ctx, d.m.config.Timeout)
	defer cancel()
	var err error
	if d.m.book.decided(r.Push) {
		err = s.Commit(ctx, netconf.CommitOptions{PersistID: r.Push})
	} else {
		err = s.CancelCommit(ctx, r.Push)
	}
	over := err == nil || netconf.HasTag(err, "invalid-value") // there is none, or one of another name
	if !over && answered(err) && !busy(err) {
		// It may mean anything. A name that nobody uses is invalid only if there is one.
		probe := s.CancelCommit(ctx, d.m.transaction().id)
		if over = probe == nil || answered(probe) && !busy(probe) && !netconf.HasTag(probe, "invalid-value"); !over && !answered(probe) {
			err = probe
		}
	}
	switch {
	case over || answered(err) && time.Now().After(r.Until):
		return nil
	case answered(err):
		return fmt.Errorf("device %s doesn't end an earlier change: %w", d.name, err)
	}
	return d.drop(s, err)
}

// forget takes decisions away that no device needs any more.
func (m *Manager) forget() {
	e := m.book.entry()
	for _, id := range m.book.ended() {
		e.decide(id, nil)
	}
	e.later()
}

// single is a transaction over this device alone, of wishes that are recorded.
func (d *device) single(ctx context.Context, s Session, target map[string]string) error {
	t := d.m.transaction()
	t.pushes = []*push{d.push(s, t, target)}
	_, err := t.run(ctx)
	return err
}

func (d *device) push(s Session, t *transaction, target map[string]string) *push {
	return &push{d: d, s: s, f: d.f, id: t.id, target: target, outs: t.outs, timeout: d.m.config.ConfirmTimeout}
}

// refused notes that the device said no to an owner's wish, or to a repair.
func (d *device) refused(owner string, err error) {
	e := Event{Type: DeviceRefused, Level: Error, Message: err.Error()}
	if owner != "" {
		e.Owners = []string{owner}
		d.mu.Lock()
		d.no[owner] = err
		d.mu.Unlock()
	}
	d.tell(e)
}

// changedBy says whether a notification tells of a change that somebody else made.
func changedBy(n *tree.Node, own uint32) bool {
	const space = "urn:ietf:params:xml:ns:yang:ietf-netconf-notifications" // RFC 6470
	name := func(local string) tree.Name { return tree.Name{Space: space, Local: local} }
	change := n.Child(name("netconf-config-change"))
	if change == nil {
		return false
	}
	id := change.Child(name("changed-by")).Child(name("session-id"))
	return id == nil || id.Value != fmt.Sprint(own)
}
