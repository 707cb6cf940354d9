package systemd

import (
	"context"
	"errors"
	"time"

	"github.com/abide-agent/abide/units"
	"github.com/abide-agent/abide/units/probe"
)

// verb is what is to be done with a unit.
type verb string

const (
	none    verb = ""
	start   verb = "start"
	stop    verb = "stop"
	restart verb = "restart"
)

// decide says what has to be done with a unit, from what is known. Nothing is
// asked, so that nothing costs where nothing is to be done.
func (e *Engine) decide(s *step) verb {
	u, ours := e.memory.get(s.target.Name)
	switch {
	case s.err != nil || !ours || units.IsTemplate(s.target.Name):
		return none
	case s.removes() || s.want() == units.Loaded:
		if u.run.job == "" && (u.run.active == "" || u.run.active == "inactive" || u.run.active == "failed") {
			return none
		}
		return stop
	}
	switch u.run.active {
	case "active", "reloading":
		if s.content && s.owned || u.startedBefore() {
			return restart
		}
		if u.run.job == "stop" {
			return start // after the stop that is under way
		}
		return none
	case "activating":
		if s.content && s.owned || u.startedBefore() {
			return restart
		}
		return start // joins the job that is under way
	case "", "inactive":
		if !s.content && u.status().State() == units.Launched {
			return none // a one-shot that did its work
		}
	}
	return start
}

// startedBefore says whether what runs was started before its content came, by
// an agent that died in between or gave up waiting.
func (u *unit) startedBefore() bool {
	return u.mark.Boot == bootID() && u.run.entered != 0 && u.run.entered < u.mark.Placed
}

// carry takes a unit to the end of what was begun, and says what came of it.
func (e *Engine) carry(ctx context.Context, s *step) error {
	name := s.target.Name
	if s.sent != nil {
		result, err := e.await(ctx, s.sent)
		if remote(err) == "org.freedesktop.systemd1.BadUnitSetting" {
			e.memory.update(name, func(u *unit) { u.run.load = "bad-setting" })
		}
		u, _ := e.memory.get(name)
		if err = verdict(s.verb, name, result, err, u.run); err != nil {
			return err
		}
		if s.verb == stop || !u.run.skipped {
			s.note(past[s.verb])
		}
	}
	switch {
	case s.removes():
		return nil
	case s.want() != units.Launched:
		return errors.Join(e.resting(ctx, s), s.linkErr)
	}
	if s.verb != none {
		if err := e.settled(ctx, name); err != nil {
			return err
		}
	}
	if u, _ := e.memory.get(name); s.target.Probe != nil && !u.run.skipped {
		if err := probe.WaitSince(ctx, *s.target.Probe, u.run.since, func() error { return e.alive(name) }); err != nil {
			return unwell(name, err)
		}
	}
	return errors.Join(e.markDone(name), s.linkErr)
}

var past = map[verb]string{start: "started", stop: "stopped", restart: "restarted"}

// resting sees to a unit that is placed and not run: that systemd takes its
// file, and that a one-shot's work no longer counts.
func (e *Engine) resting(ctx context.Context, s *step) error {
	name := s.target.Name
	if err := e.unmarkDone(name); err != nil || !s.wrote || units.IsTemplate(name) {
		return err
	}
	return e.loads(ctx, name)
}

// settled watches a service that systemd calls started before its program runs:
// one that can't even be executed fails a moment later.
func (e *Engine) settled(ctx context.Context, name string) error {
	timer := time.NewTimer(e.opts.Settle)
	defer timer.Stop()
	for {
		u, moved := e.memory.next(name)
		if !u.disk.quick {
			return nil
		}
		if err := e.alive(name); err != nil {
			return err
		}
		select {
		case <-moved:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return nil // it was started, and that is what was to be waited for
		}
	}
}

// alive gives an error when a unit that was started has failed.
func (e *Engine) alive(name string) error {
	u, _ := e.memory.get(name)
	if u.run.active == "failed" || u.run.active == "activating" && u.run.sub == "auto-restart" {
		return fellOver(name, u.run)
	}
	return nil
}

// markDone remembers that a one-shot did its work, for systemd will forget.
func (e *Engine) markDone(name string) error {
	u, ours := e.memory.get(name)
	if !ours || !u.disk.oneShot || u.mark.Done == bootID() || u.run.active == "active" || u.status().State() != units.Launched {
		return nil
	}
	k := u.mark
	k.Done, k.DoneAt = bootID(), u.status().Since
	return e.remark(k)
}

// unmarkDone is for a one-shot that is to be done no longer.
func (e *Engine) unmarkDone(name string) error {
	u, ours := e.memory.get(name)
	if !ours || u.status().State() != units.Launched || u.run.active == "active" {
		return nil
	}
	e.memory.update(name, func(u *unit) { u.run.ran = false })
	if u.mark.Done == "" {
		return nil
	}
	k := u.mark
	k.Done, k.DoneAt = "", time.Time{}
	return e.remark(k)
}

// remark replaces the mark of a unit that was not placed anew meanwhile.
func (e *Engine) remark(k mark) error {
	if err := e.lockPlacing(e.ctx); err != nil {
		return err
	}
	defer func() { <-e.placing }()
	u, ours := e.memory.get(k.Name)
	if !ours || u.mark.Digest != k.Digest {
		return nil
	}
	if err := e.marks.append(k); err != nil {
		return err
	}
	e.memory.own(k)
	return nil
}
