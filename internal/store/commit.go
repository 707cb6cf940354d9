package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// Commit is [Store.Commit]. When ctx ends while the commit waits, Commit
// returns early; its error says whether the commit may still happen. An error
// of the disk leaves the state as it was, unless it says otherwise, and later
// commits are tried afresh.
func (b *Bolt) Commit(ctx context.Context, ops ...Op) (Revision, error) {
	return b.commit(ctx, 0, ops)
}

// write is the writer goroutine.
func (b *Bolt) write() {
	for group := b.queue.next(); group != nil; group = b.queue.next() {
		b.commitGroup(group)
	}
}

// commitGroup makes one transaction of a group and answers its callers. When
// that fails without a trace, each is tried alone, so that one commit which
// the disk or a damaged page refuses does not take the others with it.
func (b *Bolt) commitGroup(group []*request) {
	g := &groupTx{b: b, rev: b.rev}
	err := g.run(group)
	if err == nil {
		b.rev, b.backupStale = g.rev, b.backupStale && !g.staged
		b.hub.publish(g.changes)
		for i, r := range group {
			r.done <- g.outcomes[i]
		}
		return
	}
	before := b.rev
	b.lines.forget() // its revisions will be given anew
	g.repair(err)
	if len(group) > 1 && b.rev == before && b.db != nil {
		for _, r := range group {
			b.commitGroup([]*request{r})
		}
		return
	}
	err = b.explain(err, b.rev != before)
	for _, r := range group {
		r.done <- outcome{err: err}
	}
}

// explain makes a sentence of a failed write.
func (b *Bolt) explain(err error, landed bool) error {
	switch {
	case landed:
		return fmt.Errorf("writing the state file %s failed at its end, so the change may or may not be kept; read it again before you go on: %w", b.path, err)
	case panicked(err):
		return &CorruptError{Path: b.path, Err: err}
	}
	if _, ok := errors.AsType[*CorruptError](err); ok {
		return err
	}
	return fmt.Errorf("the state file %s could not be written and is as before; make room or mend the disk, then try again: %w", b.path, err)
}

// groupTx is one transaction that carries out a group of commits.
type groupTx struct {
	b        *Bolt
	rev      Revision
	outcomes []outcome
	changes  []Change
	staged   bool // all is written to the transaction: an error is one of its commit
}

// errUnchanged rolls a transaction back that has nothing to write.
var errUnchanged = errors.New("nothing to write")

func (g *groupTx) run(group []*request) error {
	if err := g.b.reopen(); err != nil {
		return err
	}
	err := guard(func() error {
		return g.b.db.Update(func(tx *bolt.Tx) error {
			for _, r := range group {
				if err := g.one(tx, r); err != nil {
					return err
				}
			}
			return g.finish(tx)
		})
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err != nil {
		return err
	}
	return g.b.step("store.after-commit")
}

// one carries out one commit, or finds that its conditions do not hold. An
// error is one of the whole group.
func (g *groupTx) one(tx *bolt.Tx, r *request) error {
	kv := tx.Bucket(kvBucket)
	for _, op := range r.ops {
		if op.If != nil && storedRevision(kv.Get([]byte(op.Key))) != *op.If {
			g.outcomes = append(g.outcomes, outcome{err: conflict(op.Key)})
			return nil
		}
	}
	rev, before := max(g.rev, r.above)+1, len(g.changes)
	for _, op := range r.ops {
		key := []byte(op.Key)
		change := Change{Entry: Entry{Key: op.Key, Revision: rev}, Deleted: op.Delete}
		var err error
		switch {
		case !op.Delete:
			change.Value = op.Value
			err = kv.Put(key, encodeValue(op.Key, op.Value, rev))
		case kv.Get(key) == nil:
			continue
		default:
			err = kv.Delete(key)
		}
		if err != nil {
			return err
		}
		g.changes = append(g.changes, change)
	}
	if len(g.changes) > before {
		g.rev = rev
	}
	g.outcomes = append(g.outcomes, outcome{rev: g.rev})
	return nil
}

func conflict(key string) error { return fmt.Errorf("%s: %w", key, ErrConflict) }

// finish writes what belongs to the group as a whole.
func (g *groupTx) finish(tx *bolt.Tx) error {
	if len(g.changes) == 0 {
		return errUnchanged
	}
	if err := putRevision(tx, g.rev); err != nil {
		return err
	}
	if err := tx.Bucket(metaBucket).Delete(recoveredKey); err != nil {
		return err
	}
	if g.b.backupStale || slices.ContainsFunc(g.changes, g.b.needsBackup) {
		// Before the transaction, so that a backup that cannot be written fails
		// the commit. Should the transaction fail then, the backup is ahead.
		g.b.backupStale = true
		d, err := g.b.backupOf(tx, g.rev)
		if err == nil {
			err = g.b.writeBackup(d)
		}
		if err != nil {
			return err
		}
	}
	if err := g.b.step("store.before-commit"); err != nil {
		return err
	}
	g.staged = true
	return nil
}

// repair brings the store back to what the file says after a failed
// transaction. What bbolt has in memory cannot be trusted when its commit
// failed or when it panicked, so the file is opened anew; should that fail
// too, the next commit tries again.
func (g *groupTx) repair(err error) {
	b := g.b
	switch {
	case b.db == nil:
		return
	case panicked(err):
		b.abandonDB(&CorruptError{Path: b.path, Err: err})
	case g.staged:
		_ = b.shutDB(fmt.Errorf("the state file %s is being opened again after a failed write: %w", b.path, err))
	default:
		return
	}
	_ = b.reopen()
}

// reopen opens the file again when a failed write has closed it.
func (b *Bolt) reopen() error {
	if b.db != nil {
		return nil
	}
	before := b.rev
	if err := b.openExisting(nil); err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.down = err
		return err
	}
	if b.rev != before {
		b.hub.reset(b.rev) // the watchers have missed something
	}
	return nil
}
