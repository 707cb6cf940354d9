package process

import (
	"context"
	"maps"
	"reflect"
	"time"

	"github.com/abide-agent/abide/units"
	"github.com/abide-agent/abide/units/process/supervisor"
)

// States implements [units.Engine]. Memory is kept true by what the hub hears
// of; with fresh, every file and process is looked at.
func (e *Engine) States(ctx context.Context, fresh bool) (map[string]units.Status, error) {
	all := e.marks.all()
	e.mu.Lock()
	look := maps.Clone(e.dirty)
	if fresh || e.hub.deaf() {
		for name := range all {
			look[name] = true
		}
	}
	e.mu.Unlock()
	for name := range look {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e.look(name)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.memory), nil
}

// look observes one unit and remembers what it saw. It says whether that is
// something new.
func (e *Engine) look(name string) bool {
	// Cleared first: what happens from here on is looked at again.
	e.mu.Lock()
	delete(e.dirty, name)
	e.mu.Unlock()
	k, ours := e.marks.get(name)
	var s units.Status
	if ours {
		s = e.observe(k)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	old, known := e.memory[name]
	if !ours {
		delete(e.memory, name)
		return known
	}
	e.memory[name] = s
	return !known || !reflect.DeepEqual(old, s)
}

// observe asks the files and processes of one unit.
func (e *Engine) observe(k mark) units.Status {
	d := e.read(k.Name, k.DropIns)
	s := units.Status{Name: k.Name, Placed: k.Digest, Load: "loaded", Active: "inactive", Sub: "dead", Enabled: k.Install && d.there && !d.masked}
	switch {
	case !d.there:
		s.Missing, s.Load = true, "not-found"
	case d.masked:
		s.Masked, s.Load = true, "masked"
	case d.err != nil:
		s.Load = "error"
	default:
		s.Digest = d.digest()
		if e.know(k.Name, s.Digest, d).fault != nil {
			s.Load = "bad-setting"
		}
	}
	s.Foreign = d.foreign
	s.Disabled = k.Install && k.Want == units.Launched && !s.Enabled
	r := e.run(k.Name)
	if r.kind == never {
		return s
	}
	s.Active, s.Sub, s.Result, s.Since, s.OneShot = r.Active, r.Sub, r.Result, r.Since, r.OneShot
	s.Exit, s.PID, s.Skipped = r.Exit, r.Main.PID, r.Skipped
	if r.Signal != 0 {
		s.Exit = 128 + r.Signal // as shells say it
	}
	if r.OneShot && (r.Stopped || r.Skipped) {
		s.Since = time.Time{} // or it would look as if it had done its work
	}
	switch s.Active {
	case "activating":
		s.Job = "start"
	case "deactivating":
		s.Job = "stop"
	}
	return s
}

// kind is how a unit's last status is to be taken.
type kind int

const (
	never     kind = iota // nothing ran in this life of the machine
	ended                 // the supervisor has said its last word
	running               // the supervisor lives
	abandoned             // the supervisor was killed
)

// run is what is known of a unit's run.
type run struct {
	supervisor.Status
	kind kind
}

// run reads the status of a unit and makes sure that who wrote it still lives.
func (e *Engine) run(name string) run {
	st, err := supervisor.ReadStatus(e.layout.Status(name))
	if err != nil || st.Life != supervisor.Life() {
		return run{kind: never}
	}
	r := run{Status: st, kind: running}
	switch {
	case st.Ended():
		r.kind = ended
	case !st.Supervisor.Alive():
		// It may have written its last word between the two looks.
		if again, err := supervisor.ReadStatus(e.layout.Status(name)); err == nil && again.Ended() {
			return run{again, ended}
		}
		r.kind = abandoned
	default:
		e.deaths.add(name, st.Supervisor)
	}
	return r
}

// touched says that something about a unit may have changed.
func (e *Engine) touched(name string) {
	e.mu.Lock()
	e.dirty[name] = true
	e.mu.Unlock()
	e.hub.tell(name)
}

// died is told when a supervisor has ended.
func (e *Engine) died(name string) {
	e.touched(name)
	if e.run(name).kind == abandoned {
		e.done.Go(func() { e.rescue(name) })
	}
}

// sweep looks at everything from time to time, and once at the start, which
// finds the supervisors of an earlier agent and replaces those that were killed.
func (e *Engine) sweep() {
	ticker := time.NewTicker(e.opts.Sweep)
	defer ticker.Stop()
	for {
		for name := range e.marks.all() {
			if e.ctx.Err() != nil {
				return
			}
			if e.look(name) {
				e.hub.tell(name)
			}
			if e.run(name).kind == abandoned {
				e.done.Go(func() { e.rescue(name) })
			}
		}
		select {
		case <-ticker.C:
		case <-e.ctx.Done():
			return
		}
	}
}

// Watch implements [units.Engine].
func (e *Engine) Watch(ctx context.Context, changed func(name string)) error {
	return e.hub.watch(ctx, e.ctx, changed)
}
