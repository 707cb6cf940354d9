package process

import (
	"context"
	"errors"
	"fmt"

	"github.com/abide-agent/abide/units"
)

// raise starts the unit in its turn, unless it runs already.
func (e *Engine) raise(ctx context.Context, j *job) error {
	for _, other := range j.before {
		if !other.stops {
			continue
		}
		if err := wait(ctx, other.stopped); err != nil {
			return err
		}
	}
	for _, other := range j.after {
		if err := wait(ctx, other.done); err != nil {
			return err
		}
	}
	if err := e.needed(j); err != nil {
		return err
	}
	return e.withLock(ctx, j, func() error {
		digest := ""
		if j.target != nil {
			digest = j.target.Digest
			if k, ours := e.marks.get(j.name); !ours || k.Digest != digest {
				return fmt.Errorf("%s was not started: %w", j.name, errReplaced)
			}
		}
		within, done := e.locks.interruptible(ctx, j.name, digest)
		defer done()
		err := e.bring(within, j)
		if cause := context.Cause(within); err != nil && errors.Is(cause, errReplaced) {
			return fmt.Errorf("%s was not waited for: %w", j.name, cause)
		}
		return err
	})
}

// bring makes the unit run and asks its probe.
func (e *Engine) bring(ctx context.Context, j *job) error {
	if err := e.adopt(ctx, j.name); err != nil {
		return err
	}
	r := e.run(j.name)
	stops := r.kind == running && r.Active == "deactivating" // as somebody else wants it
	if old := j.outdated(r); stops || old {
		if _, err := e.stop(ctx, j.name); err != nil {
			return err
		}
		j.restarted = j.restarted || old
		r = e.run(j.name)
	}
	again := r.kind == ended && j.target != nil && j.target.Restart && r.Meaning != j.meaning
	switch {
	case !r.up() || again:
		if err := e.begin(ctx, j); err != nil {
			return err
		}
	case r.kind == running && r.Start == "":
		if err := e.awaitStart(ctx, j.name, r.Launch); err != nil {
			return err
		}
	case fallen(r):
		return startError(r)
	}
	return e.probe(ctx, j)
}

// begin starts the unit.
func (e *Engine) begin(ctx context.Context, j *job) error {
	if j.target == nil {
		if err := e.fromDisk(j); err != nil {
			return err
		}
	}
	if err := e.start(ctx, j.compiled, j.meaning); err != nil {
		return err
	}
	switch {
	case e.run(j.name).Skipped:
	case j.restarted:
		j.say("restarted")
	default:
		j.say("started")
	}
	return nil
}

// fromDisk takes what is placed for what is to run.
func (e *Engine) fromDisk(j *job) (err error) {
	k, _ := e.marks.get(j.name)
	d := e.read(j.name, k.DropIns)
	if d.err != nil || !d.there || d.masked {
		return errors.Join(d.err, fmt.Errorf("%s can't be started: its file is missing or masked; place it again", j.name))
	}
	j.compiled, err = compile(j.name, d.text, d.dropIns)
	j.meaning = units.MeaningfulDigest(d.text, d.dropIns)
	return err
}
