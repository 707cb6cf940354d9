package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/abide-agent/abide/internal/atomicfile"
)

// formatVersion is the format that this package writes: a bucket "meta" with
// the keys below, and a bucket "kv" with values as encodeValue makes them.
const formatVersion = 1

var (
	metaBucket = []byte("meta")
	kvBucket   = []byte("kv")

	formatKey    = []byte("format")    // uint64, big endian
	revisionKey  = []byte("revision")  // uint64, big endian
	identityKey  = []byte("identity")  // text
	recoveredKey = []byte("recovered") // text, until the first commit; see Bolt.Recovered
)

// errDamaged marks what is wrong with the content of a file, in contrast to
// what kept us from reading it.
var errDamaged = errors.New("not a sound state file")

// openOrCreate opens the file, makes it, or sets it aside and makes it.
func (b *Bolt) openOrCreate() error {
	if err := os.MkdirAll(filepath.Dir(b.path), 0o700); err != nil {
		return fmt.Errorf("the state directory cannot be made: %w", err)
	}
	info, err := os.Stat(b.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return b.create("")
	case err != nil:
		return fmt.Errorf("the state file cannot be read: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("the state file %s is not a regular file; move it away or choose another state directory", b.path)
	}
	return b.openExisting(b.setAside)
}

// create makes an empty state, in place of the file that was set aside as
// recovered if there was one. It does so under another name first, so that a
// crash on the way cannot leave half a file that the next start would take for
// damage.
func (b *Bolt) create(recovered string) error {
	fresh := b.path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the state file cannot be made: %w", err)
	}
	if err := initialize(fresh, recovered); err != nil {
		_ = os.Remove(fresh)
		return fmt.Errorf("the state file cannot be made: %w", err)
	}
	if err := os.Rename(fresh, b.path); err != nil {
		return fmt.Errorf("the state file cannot be made: %w", err)
	}
	if err := atomicfile.SyncDir(filepath.Dir(b.path)); err != nil {
		return err
	}
	return b.openExisting(nil)
}

func initialize(path, recovered string) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		meta, err := tx.CreateBucket(metaBucket)
		if err != nil {
			return err
		}
		if err := meta.Put(formatKey, binary.BigEndian.AppendUint64(nil, formatVersion)); err != nil {
			return err
		}
		if err := meta.Put(identityKey, []byte(rand.Text())); err != nil {
			return err
		}
		if recovered != "" {
			if err := meta.Put(recoveredKey, []byte(recovered)); err != nil {
				return err
			}
		}
		if err := putRevision(tx, 0); err != nil {
			return err
		}
		_, err = tx.CreateBucket(kvBucket)
		return err
	})
	return errors.Join(err, db.Close())
}

// openExisting opens the file below a lock of its own. When the content is
// damaged and setAside is not nil, that decides what to do.
func (b *Bolt) openExisting(setAside func(damage error) error) error {
	f, err := os.OpenFile(b.path, os.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("the state file cannot be opened: %w", err)
	}
	if err := flockWithin(f, b.opts.LockTimeout); err != nil {
		_ = f.Close()
		return fmt.Errorf("the state file %s is in use by another process; stop that one first: %w", b.path, err)
	}
	err = f.Chmod(0o600) // also where somebody has copied it here
	if err == nil {
		err = b.openChecked(f)
	}
	if err == nil {
		return nil
	}
	defer letGo(f)
	switch {
	case !errors.Is(err, errDamaged) && !panicked(err):
		return fmt.Errorf("the state file %s cannot be opened: %w", b.path, err)
	case setAside == nil:
		return &CorruptError{Path: b.path, Err: err}
	}
	return setAside(err)
}

// openChecked checks the pages before bbolt sees them, since bbolt trusts its
// file: on a damaged one it panics, also in goroutines of its own, or recurses
// without end. On an error the caller closes f.
func (b *Bolt) openChecked(f *os.File) error {
	if err := checkFile(f); err != nil {
		return err
	}
	var db *bolt.DB
	err := guard(func() (err error) {
		db, err = bolt.Open(b.path, 0o600, &bolt.Options{
			Timeout:      b.opts.LockTimeout,
			FreelistType: bolt.FreelistMapType,
			NoStatistics: true,
			MaxSize:      b.opts.maxSize,
			// The file that is locked and checked, not whatever has its name by now.
			OpenFile: func(string, int, os.FileMode) (*os.File, error) { return f, nil },
		})
		if err != nil {
			return err
		}
		return db.View(b.readMeta)
	})
	if err != nil {
		if db != nil && !panicked(err) {
			_ = db.Close()
		}
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.db, b.file, b.down = db, f, nil
	return nil
}

// readMeta takes the revision over and refuses a format it does not know.
func (b *Bolt) readMeta(tx *bolt.Tx) error {
	meta := tx.Bucket(metaBucket)
	if meta == nil || tx.Bucket(kvBucket) == nil || len(meta.Get(formatKey)) != 8 || len(meta.Get(revisionKey)) != 8 {
		return fmt.Errorf("%w: it is a bbolt file of another program", errDamaged)
	}
	if v := binary.BigEndian.Uint64(meta.Get(formatKey)); v > formatVersion {
		return fmt.Errorf("it has format %d and this abide knows formats up to %d, so a newer abide has written it; run that one, or move the file away to start anew", v, formatVersion)
	}
	b.rev = revisionOf(tx)
	if b.identity == "" { // not when the file is opened again after a failure
		b.identity = string(meta.Get(identityKey))
		b.recovered = string(meta.Get(recoveredKey))
		b.created = b.rev == 0 && b.recovered == ""
	}
	return nil
}

// revisionOf gives the revision that a transaction shows.
func revisionOf(tx *bolt.Tx) Revision {
	return Revision(binary.BigEndian.Uint64(tx.Bucket(metaBucket).Get(revisionKey)))
}

func putRevision(tx *bolt.Tx, rev Revision) error {
	return tx.Bucket(metaBucket).Put(revisionKey, binary.BigEndian.AppendUint64(nil, uint64(rev)))
}

// setAside renames the damaged file and starts afresh.
func (b *Bolt) setAside(damage error) error {
	aside, err := moveAside(b.path, "corrupt", b.opts.Now())
	if err != nil {
		return fmt.Errorf("the state file %s is damaged (%w) and cannot be set aside; rename it by hand: %w", b.path, damage, err)
	}
	if err := b.create(aside); err != nil {
		return err
	}
	if b.opts.Recovered != nil {
		b.opts.Recovered(aside, damage)
	}
	return nil
}

// moveAside renames path to `<path>.<why>-<UTC time>`, with a number behind it
// when that name is taken.
func moveAside(path, why string, now time.Time) (string, error) {
	base := fmt.Sprintf("%s.%s-%s", path, why, now.UTC().Format("20060102T150405Z"))
	aside := base
	for n := 2; ; n++ {
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
		aside = fmt.Sprintf("%s-%d", base, n)
	}
	if err := os.Rename(path, aside); err != nil {
		return "", err
	}
	return aside, atomicfile.SyncDir(filepath.Dir(path))
}

// flockWithin takes the lock that bbolt takes too, on the same open file.
func flockWithin(f *os.File, timeout time.Duration) error {
	deadline := time.After(timeout)
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EWOULDBLOCK && err != syscall.EINTR {
			return err
		}
		select {
		case <-deadline:
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// letGo unlocks and closes f. Closing alone would not do: after a panic in
// bbolt the mapping stays, and with it the lock.
func letGo(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	_ = f.Close()
}
