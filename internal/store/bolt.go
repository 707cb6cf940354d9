package store

import (
	"fmt"
	"os"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/abide-agent/abide/internal/failpoint"
)

// Options say how to open a [Bolt]. The zero value is good.
type Options struct {
	// BackupPrefixes name the keys that cannot be rebuilt from anything else.
	// Whenever a commit touches one, all entries below these prefixes are
	// written to `<path>.bak` before that commit is acknowledged.
	BackupPrefixes []string

	// Recovered, when not nil, is called by Open when the file was damaged,
	// with the name under which it was set aside and what was wrong with it.
	Recovered func(setAside string, err error)

	// LockTimeout is how long Open waits for another process to let go of the
	// file; 0 means one second.
	LockTimeout time.Duration

	// Now is the clock that names files set aside; nil means time.Now.
	Now func() time.Time

	// step is the tests' way to make a write fail at a named place.
	step func(name string) error
	// maxSize limits the file in bytes, for tests that fill it up.
	maxSize int
}

// Bolt is the [Store] of one machine: one bbolt file, written by one goroutine
// that gathers the commits waiting at the same time into one transaction with
// one fsync. A write that fails leaves the state as it was, and the next one is
// tried afresh. A damaged page met later makes the calls that meet it fail with
// a [*CorruptError]; the next Open sets the file aside.
type Bolt struct {
	path      string
	opts      Options
	identity  string // drawn when the state was made
	created   bool
	recovered string

	mu   sync.RWMutex // guards db, file and down: readers hold it while they read
	db   *bolt.DB
	file *os.File // the file below db, to be closed when bbolt cannot
	down error    // why db is nil

	hub hub

	queue  queue
	writer sync.WaitGroup

	// These belong to the writer goroutine.
	rev           Revision
	backupStale   bool // the backup may differ from what the file says
	backupForeign bool // the backup is of another state, see keepForeign
	lines         lines
}

var _ Store = (*Bolt)(nil)

// Open opens the state in the file at path and makes it when it is missing,
// together with its directory. It never panics on a damaged file and never
// deletes one: what is not a sound state file is renamed to
// `<path>.corrupt-<UTC time>`, and a fresh one takes its place; ask
// [Bolt.Recovered]. A file of a newer format, or one that cannot be read for
// another reason, is an error and stays untouched.
//
// The caller holds the lock of the directory, see [AcquireLock].
func Open(path string, opts Options) (*Bolt, error) {
	if opts.LockTimeout == 0 {
		opts.LockTimeout = time.Second
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	b := &Bolt{path: path, opts: opts}
	if err := b.openOrCreate(); err != nil {
		return nil, err
	}
	if err := b.freshenBackup(); err != nil {
		b.shutDB(ErrClosed)
		return nil, err
	}
	b.hub.reset(b.rev)
	b.queue.init()
	b.writer.Go(b.write)
	return b, nil
}

// Created says whether Open found no file, or one that was made then and has
// not seen a commit since: the answer outlives a crash before the first commit.
func (b *Bolt) Created() bool { return b.created }

// Recovered gives the name under which a damaged file was set aside, or "". The
// store is empty then, and says so until its first commit, also over a crash;
// [Bolt.Restore] brings back what has a backup.
func (b *Bolt) Recovered() string { return b.recovered }

// Path gives the path of the file.
func (b *Bolt) Path() string { return b.path }

// Close waits for the commits that were called before it, ends all watches
// and closes the file. Closing twice is no error.
func (b *Bolt) Close() error {
	b.queue.close()
	b.writer.Wait()
	b.hub.close()
	return b.shutDB(ErrClosed)
}

// shutDB closes the bbolt file and makes further calls fail with why. The
// first reason stays.
func (b *Bolt) shutDB(why error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	db := b.db
	b.db, b.file = nil, nil
	b.down = why
	if db == nil {
		return nil
	}
	return guard(db.Close)
}

// abandonDB is shutDB for a bbolt whose locks may be stuck after a panic: its
// Close would hang. The mapping of the file stays until the process ends.
func (b *Bolt) abandonDB(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.db != nil {
		letGo(b.file)
	}
	b.db, b.file = nil, nil
	b.down = why
}

// step is where a test can make a write fail, or kill the process.
func (b *Bolt) step(name string) error {
	if b.opts.step != nil {
		if err := b.opts.step(name); err != nil {
			return err
		}
	}
	return failpoint.Hit(name)
}

// CorruptError says that the state file is damaged.
type CorruptError struct {
	Path string
	Err  error
}

// Error names the file, the damage, and what to do.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("the state file %s is damaged: %v; restart the agent, which sets the file aside and starts from its backup", e.Path, e.Err)
}

// Unwrap gives what was found.
func (e *CorruptError) Unwrap() error { return e.Err }
