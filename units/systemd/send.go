package systemd

import (
	"context"
	"strings"

	"github.com/godbus/dbus/v5"
)

// sent is a call that makes a job, and the wait for that job's end.
type sent struct {
	verb   verb
	name   string
	bus    *bus
	call   *pending
	reset  *pending // the call before it that lets a failed unit start again
	failed error    // it was not even sent
	path   dbus.ObjectPath
	result <-chan string
}

var methods = map[verb]string{start: "StartUnit", stop: "StopUnit", restart: "RestartUnit"}

// send sends the call and doesn't wait. Calls are made in the order of sending.
func (e *Engine) send(ctx context.Context, b *bus, v verb, name string) *sent {
	s := &sent{verb: v, name: name, bus: b}
	if err := e.jobs.begin(ctx); err != nil {
		s.failed = err
		return s
	}
	e.memory.update(name, func(u *unit) { u.asked = string(v) })
	if u, _ := e.memory.get(name); u.run.active == "failed" && v != stop {
		// A start that systemd refuses for coming too often is none.
		s.reset = b.send(ctx, managerPath, manager+"ResetFailedUnit", name)
	}
	s.call = b.send(ctx, managerPath, manager+methods[v], name, "replace")
	return s
}

// answered takes the answer to the call: the job's path.
func (e *Engine) answered(ctx context.Context, s *sent) error {
	if s.reset != nil {
		_, _ = s.reset.wait(ctx) // it may have gone from memory, which is as good
	}
	body, err := s.call.wait(ctx)
	s.call = nil
	if err == nil {
		err = dbus.Store(body, &s.path)
	}
	s.result = e.jobs.end(s.path)
	e.memory.update(s.name, func(u *unit) { u.asked = "" })
	return err
}

// await waits for the end of the job, over as many connections as it takes, and
// gives its result as systemd calls it.
func (e *Engine) await(ctx context.Context, s *sent) (string, error) {
	for {
		if s.failed != nil {
			return "", s.failed
		}
		if s.call != nil {
			err := e.answered(ctx, s)
			if isLost(err) {
				if err := e.redo(ctx, s); err != nil {
					return "", err
				}
				continue
			}
			if err != nil {
				return "", err
			}
		}
		select {
		case result := <-s.result:
			return result, nil
		case <-ctx.Done():
			e.jobs.forget(s.path, s.result)
			return "", context.Cause(ctx)
		case <-e.ctx.Done():
			return "", errClosed
		case <-s.bus.lost():
		}
		result, ended, err := e.resume(ctx, s)
		if ended || err != nil {
			return result, err
		}
	}
}

// redo sends a call again whose answer was lost with the connection.
func (e *Engine) redo(ctx context.Context, s *sent) error {
	b, err := e.link.wait(ctx, nil)
	if err != nil {
		return err
	}
	*s = *e.send(ctx, b, s.verb, s.name)
	return nil
}

// resume goes on waiting over a new connection. A job that ended meanwhile is
// judged by the state that its unit is in.
func (e *Engine) resume(ctx context.Context, s *sent) (result string, ended bool, err error) {
	old := s.result
	s.result = e.jobs.again(s.path)
	e.jobs.forget(s.path, old)
	if s.bus, err = e.link.wait(ctx, nil); err != nil {
		return "", false, err
	}
	// It must have begun after jobs.again, and one does for all of a batch. It is
	// nobody's own, so it does not end with ctx.
	if err := e.resumed.do(func() error { return e.sweep(e.ctx, s.bus) }); err != nil {
		return "", false, nil // lost again
	}
	u, _ := e.memory.get(s.name)
	if u.run.jobPath == s.path {
		return "", false, nil
	}
	select {
	case result := <-s.result:
		return result, true, nil
	default:
	}
	e.jobs.forget(s.path, s.result)
	return u.judge(s.verb), true, nil
}

// judge gives the result of a job that nobody saw the end of.
func (u *unit) judge(v verb) string {
	active := u.run.active
	stopped := active == "" || active == "inactive" || active == "failed"
	if v == stop && stopped || v != stop && (active == "active" || active == "reloading" || u.disk.oneShot && active == "inactive") {
		return "done"
	}
	return "failed"
}

// loads makes systemd read a unit's file, which starts nothing, and gives an
// error when it refuses it.
func (e *Engine) loads(ctx context.Context, name string) error {
	b, err := e.link.get(ctx)
	if err != nil {
		return err
	}
	if _, err := b.call(ctx, managerPath, manager+"LoadUnit", name); err != nil {
		return refused(name, sentence(err).Error())
	}
	var load string
	var why struct{ Name, Message string }
	for property, to := range map[string]any{"LoadState": &load, "LoadError": &why} {
		body, err := b.call(ctx, unitPath(name), properties+".Get", unitIface, property)
		if err != nil {
			return sentence(err)
		}
		var value dbus.Variant
		if err := dbus.Store(body, &value); err != nil {
			return err
		}
		if err := value.Store(to); err != nil {
			return err
		}
	}
	e.memory.update(name, func(u *unit) { u.run.load = load })
	if load != "loaded" {
		return refused(name, strings.TrimSpace(load+" "+why.Message))
	}
	return nil
}
