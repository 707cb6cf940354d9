package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/abide-agent/abide/internal/atomicfile"
	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/sse"
)

// openMemory keeps nothing: for `apply -f FILE`. Its containers carry no
// agent's id; the executor tells by their owner process which are orphans.
func (a *parts) openMemory() error {
	a.store = store.Mem()
	a.onClose(a.store.Close)
	return a.openLog(sse.Options{Version: versionText()})
}

// openState takes the lock of the state directory and opens what is in it.
func (a *parts) openState(ctx context.Context, daemon, dry bool) error {
	dir, warning, err := a.settings.StateDir()
	if err != nil {
		return err
	}
	if warning != "" {
		a.warn(warning)
	}
	a.dir = dir
	lock, err := store.AcquireLock(dir, store.LockInfo{Socket: a.endpoint(daemon)})
	if err != nil {
		return err
	}
	a.onClose(lock.Release)
	if err := a.openStore(ctx); err != nil {
		return err
	}
	if dry {
		return a.openLog(sse.Options{Version: versionText()})
	}
	return a.openLog(sse.Options{
		Dir: filepath.Join(dir, "events"), RunDir: a.runDir, Version: versionText(),
		Retain:  int64(a.settings.Retention.Events) * averageEvent,
		OnError: func(err error) { a.warn("the event log can't be written: " + err.Error()) },
	})
}

func (a *parts) openLog(o sse.Options) (err error) {
	if a.log, err = sse.Open(o); err == nil {
		a.onClose(a.log.Close)
	}
	return err
}

// frozen is a store that takes no writes: what a plan works out stays in its
// own memory.
type frozen struct{ store.Store }

func (frozen) Commit(context.Context, ...store.Op) (store.Revision, error) { return 0, nil }

const (
	// socketFile is where the daemon always listens, beside what it was told.
	socketFile = "abide.sock"
	// idFile holds the id that containers are labelled with. It lies beside the
	// database, so that losing that one does not make orphans of them.
	idFile = "agent-id"
	// averageEvent turns a number of events into bytes.
	averageEvent = 512
)

func (a *parts) openStore(ctx context.Context) error {
	db, err := store.Open(filepath.Join(a.dir, "abide.db"), store.Options{BackupPrefixes: append(reconcile.NotRebuildable(), keyRegistry, keyDevices)})
	if err != nil {
		return err
	}
	a.store = db
	a.onClose(db.Close)
	path := filepath.Join(a.dir, idFile)
	known, err := a.readID(path)
	if err != nil {
		return err
	}
	why := ""
	switch {
	case db.Recovered() != "":
		why = "the record file was damaged and is set aside as " + db.Recovered()
	case known && db.Created():
		why = "the record file is missing, while this state directory was in use before"
	case known:
		return nil
	default:
		// A first commit before the id: a crash between the two must not look
		// like a lost record file.
		if _, err := db.Commit(ctx, store.Put("meta/agent", []byte(versionText()))); err != nil {
			return err
		}
		a.id = newAgentID()
		return atomicfile.WriteFile(path, []byte(a.id+"\n"), 0o600)
	}
	n, err := db.Restore(ctx, reconcile.LostState(why+"; look at `abide plan`, then `abide resume`", time.Now()))
	if err != nil {
		return fmt.Errorf("the backup of the state can't be read: %w; move abide.db.bak away to do without", err)
	}
	a.warn(fmt.Sprintf("%s: nothing runs until `abide resume` (%d entries came back from the backup)", why, n))
	return nil
}

// readID reads the id of the state directory and says whether there is one.
func (a *parts) readID(path string) (known bool, err error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("the agent's id can't be read: %w; mend %s", err, path)
	}
	a.id = strings.TrimSpace(string(text))
	return a.id != "", nil
}

// history yields the events of a run that the log holds now.
func history(log *sse.Log) func(context.Context, string) iter.Seq2[sse.Event, error] {
	return func(ctx context.Context, run string) iter.Seq2[sse.Event, error] {
		return func(yield func(sse.Event, error) bool) {
			r := log.Read(0, sse.Filter{Run: run})
			defer r.Close()
			r.Finish()
			for {
				frames, err := r.Next(ctx)
				if errors.Is(err, io.EOF) {
					return
				}
				if err != nil {
					yield(sse.Event{}, err)
					return
				}
				for _, f := range frames {
					if ev, err := f.Event(); err == nil && !yield(ev, nil) {
						return
					}
				}
			}
		}
	}
}
