package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abide-agent/abide/units"
	"github.com/abide-agent/abide/units/process/spec"
)

// job is what has to be done about one unit of a batch, or about one that the
// batch brings along or a hand starts, which has no target and is run from what
// is placed. Its plan isn't changed once work on the batch has begun; the rest is
// the worker's own until done is closed.
type job struct {
	name   string
	target *units.Target
	deps   units.Deps

	stops      bool // it has to be stopped first, as far as could be foreseen
	wantsStart bool // it has to run in the end
	removes    bool
	loads      bool // placed, and not running

	after, before []*job // whom it comes after, and who comes after it

	compiled spec.Compiled
	meaning  string // see supervisor.Status
	fault    error  // why the engine can't run it

	placed    bool
	restarted bool

	stopped chan struct{} // closed when nothing of it runs that should not
	done    chan struct{} // closed when it is as wanted, or err says why not
	busy    chan struct{} // closed when it was reported as busy

	did    []string
	err    error
	launch string // of the unit's run when it was done
}

func newJob(name string, t *units.Target) *job {
	return &job{name: name, target: t, stopped: make(chan struct{}), done: make(chan struct{}), busy: make(chan struct{})}
}

func (j *job) say(what ...string) { j.did = append(j.did, what...) }

// plan judges a target before anything of it is touched.
func (e *Engine) plan(t *units.Target) *job {
	j := newJob(t.Name, t)
	if j.err = checkNames(*t); j.err != nil {
		return j
	}
	if t.Remove || t.Want == units.Inactive {
		j.removes, j.stops = true, true
		if k, ours := e.marks.get(t.Name); ours {
			j.deps = e.depsOf(k)
		}
		return j
	}
	j.deps = units.DepsOf(t.Name, units.Effective(t.Text, t.DropIns))
	j.meaning = units.MeaningfulDigest(t.Text, t.DropIns)
	switch {
	case units.IsTemplate(t.Name):
		_, j.fault = Check(t.Name, t.Text, t.DropIns)
		return j
	case t.Want == units.Loaded:
		j.loads, j.stops = true, true
	default:
		j.wantsStart = true
		j.stops = j.outdated(e.run(t.Name))
	}
	j.compiled, j.fault = compile(t.Name, t.Text, t.DropIns)
	if j.fault != nil { // what runs of it is left alone
		j.loads, j.stops, j.wantsStart = false, false, false
	}
	return j
}

// outdated says that a run has to be ended for the target's content.
func (j *job) outdated(r run) bool {
	return j.target != nil && j.wantsStart && j.target.Restart && (r.kind == running || r.kind == abandoned) && r.Meaning != j.meaning
}

// checkNames refuses names that can't be files of the unit directory.
func checkNames(t units.Target) error {
	const longest = 255
	if err := units.ValidateName(t.Name); err != nil {
		return fmt.Errorf("%q can't be placed: %w", t.Name, err)
	}
	if len(t.Name) > longest {
		return fmt.Errorf("%.40s… can't be placed: its name has %d bytes, and a file's can have %d; shorten it", t.Name, len(t.Name), longest)
	}
	for _, d := range t.DropIns {
		if filepath.Base(d.Name) != d.Name || strings.HasPrefix(d.Name, ".") || !strings.HasSuffix(d.Name, ".conf") {
			return fmt.Errorf("%q is no name for a drop-in of %s; write one such as 10-memory.conf", d.Name, t.Name)
		}
	}
	return nil
}

// placeFiles puts the files of a job's target in place, once; the unit's lock
// must be held. A unit that can't be run is placed too, so that it can be seen
// and says why, unless it runs as it was before.
func (e *Engine) placeFiles(j *job) error {
	if j.placed || j.target == nil || j.removes {
		return nil
	}
	if r := e.run(j.name); j.fault != nil && (r.kind == running || r.kind == abandoned) {
		return j.fault
	}
	j.placed = true
	did, err := e.place(*j.target)
	j.say(did...)
	return errors.Join(err, j.fault)
}

// work does a job, in its turn. It closes the job's channels.
func (e *Engine) work(ctx context.Context, j *job) {
	defer close(j.done)
	if j.err == nil {
		j.err = e.join(ctx, j)
	}
	if j.err == nil {
		j.err = e.down(ctx, j)
	}
	close(j.stopped)
	if j.err == nil && j.wantsStart {
		j.err = e.raise(ctx, j)
	}
	j.launch = e.run(j.name).Launch
	e.touched(j.name)
}

// join waits for work on the very same wish that went on after somebody had
// waited long enough, and gives its error: he has not heard it yet.
func (e *Engine) join(ctx context.Context, j *job) error {
	if j.target == nil {
		return nil
	}
	e.mu.Lock()
	old := e.late[j.name]
	delete(e.late, j.name)
	e.mu.Unlock()
	if old == nil || j.removes || old.target.Want != j.target.Want || old.target.Digest != j.target.Digest {
		return nil
	}
	if err := wait(ctx, old.done); err != nil {
		return err
	}
	if old.err == nil || errors.Is(old.err, context.Canceled) || errors.Is(old.err, errReplaced) || old.launch != e.run(j.name).Launch {
		return nil
	}
	return old.err
}

// down places the unit's files and stops it, where it has to be, after those
// that have to stop before it. Nobody waits for another unit with a lock in his
// hands.
func (e *Engine) down(ctx context.Context, j *job) error {
	if !j.placed && j.target != nil && !j.removes {
		if err := e.withLock(ctx, j, func() error { return e.placeFiles(j) }); err != nil {
			return err
		}
	}
	if !j.stops && !j.outdated(e.run(j.name)) {
		return nil
	}
	for _, other := range j.before {
		if err := wait(ctx, other.stopped); err != nil {
			return err
		}
	}
	return e.withLock(ctx, j, func() error { return e.end(ctx, j) })
}

// withLock waits for whoever works on the unit. Who only waits for its start
// with other content is told to give up.
func (e *Engine) withLock(ctx context.Context, j *job, act func() error) error {
	if j.target != nil || j.stops {
		digest := ""
		if j.target != nil && j.wantsStart {
			digest = j.target.Digest
		}
		e.locks.interrupt(j.name, digest)
	}
	unlock, err := e.locks.take(ctx, j.name)
	if err != nil {
		return err
	}
	defer unlock()
	return act()
}

// end stops the unit and takes away what is not to stay.
func (e *Engine) end(ctx context.Context, j *job) error {
	did, err := e.stop(ctx, j.name)
	if err != nil {
		return err
	}
	if j.restarted = did && j.wantsStart; did && !j.restarted {
		j.say("stopped")
	}
	switch {
	case j.removes:
		select {
		case <-j.busy: // he was told that it is still there, and asks again
			return nil
		default:
		}
		did, err := e.erase(j.name)
		if did {
			j.say("removed")
		}
		return err
	case j.loads:
		return e.forget(j.name)
	}
	return nil
}

func wait(ctx context.Context, ch <-chan struct{}) error {
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// needed says whether all is up that the unit requires.
func (e *Engine) needed(j *job) error {
	for _, name := range needs(j.deps) {
		i := slices.IndexFunc(j.after, func(o *job) bool { return o.name == name })
		if i >= 0 {
			if other := j.after[i]; other.err != nil || !other.wantsStart {
				return fmt.Errorf("%s was not started, because it requires %s, which is not running (dependency); mend that one first", j.name, name)
			}
			continue
		}
		if _, placed := e.marks.get(name); !placed {
			return fmt.Errorf("%s was not started, because it requires %s, which abide has not placed here; add it, or take Requires= out", j.name, name)
		}
	}
	return nil
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
