package store

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/abide-agent/abide/internal/atomicfile"
)

// BackupPath gives the path of the backup that belongs to the state file at
// path.
func BackupPath(path string) string { return path + ".bak" }

// LoadBackup reads a backup or an export, whole and checked. A missing file
// gives an error that wraps [fs.ErrNotExist].
func LoadBackup(path string) ([]Entry, error) {
	d, err := loadDump(path)
	return d.entries, err
}

func loadDump(path string) (dump, error) {
	f, err := os.Open(path)
	if err != nil {
		return dump{}, fmt.Errorf("the backup cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }()
	d, err := readDump(f)
	if err != nil {
		return dump{}, fmt.Errorf("the backup %s cannot be used: %w", path, err)
	}
	return d, nil
}

// Export writes all entries, as of one moment, in the form that Import reads:
// JSON lines, the first a header, the last a count and a checksum.
func (b *Bolt) Export(ctx context.Context, w io.Writer) error {
	entries, rev, err := b.List(ctx, "", "", 0)
	if err != nil {
		return err
	}
	buf := bufio.NewWriter(w)
	d := dump{dumpHeader: dumpHeader{State: b.identity, Revision: rev}, entries: entries}
	if err := d.write(buf); err != nil {
		return err
	}
	return buf.Flush()
}

// Import puts all entries of an export or a backup in one commit, or none when
// it is damaged, and gives their number. Other keys stay. The revision grows
// beyond both this store's and the export's, so that no revision ever means
// two things.
func (b *Bolt) Import(ctx context.Context, r io.Reader) (int, error) {
	d, err := readDump(r)
	if err != nil {
		return 0, fmt.Errorf("nothing was imported: %w", err)
	}
	return b.importDump(ctx, d, nil)
}

// Restore imports the backup that lies beside the file, gives the number of its
// entries, and carries out the ops of also after them in the same commit. It is
// the first commit to make on a store that is [Bolt.Recovered] or
// [Bolt.Created]: one that touches a backup prefix before it moves the backup
// aside. No backup is no error.
func (b *Bolt) Restore(ctx context.Context, also ...Op) (int, error) {
	d, err := loadDump(BackupPath(b.path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	return b.importDump(ctx, d, also)
}

func (b *Bolt) importDump(ctx context.Context, d dump, also []Op) (int, error) {
	ops := make([]Op, 0, len(d.entries)+len(also))
	for _, e := range d.entries {
		ops = append(ops, Put(e.Key, e.Value))
	}
	if _, err := b.commit(ctx, d.Revision, append(ops, also...)); err != nil {
		return 0, err
	}
	return len(d.entries), nil
}

// needsBackup says whether a change touches what the backup holds.
func (b *Bolt) needsBackup(c Change) bool {
	return slices.ContainsFunc(b.opts.BackupPrefixes, func(p string) bool { return strings.HasPrefix(c.Key, p) })
}

// backupOf gives the backup of the state in tx, which will be revision rev.
func (b *Bolt) backupOf(tx *bolt.Tx, rev Revision) (dump, error) {
	d := dump{dumpHeader: dumpHeader{State: b.identity, Revision: rev, Prefixes: b.opts.BackupPrefixes}}
	for _, prefix := range b.opts.BackupPrefixes {
		entries, err := b.list(tx, prefix, "", 0)
		if err != nil {
			return dump{}, err
		}
		d.entries = append(d.entries, entries...)
	}
	// Prefixes may overlap, and their order is the caller's.
	slices.SortFunc(d.entries, byKey)
	d.entries = slices.CompactFunc(d.entries, func(a, b Entry) bool { return a.Key == b.Key })
	return d, nil
}

func byKey(a, b Entry) int { return strings.Compare(a.Key, b.Key) }

func (b *Bolt) writeBackup(d dump) error {
	if err := b.saveBackup(d); err != nil {
		return fmt.Errorf("the backup cannot be written: %w", err)
	}
	return nil
}

func (b *Bolt) saveBackup(d dump) error {
	if err := b.step("backup"); err != nil {
		return err
	}
	if err := b.keepForeign(d); err != nil {
		return err
	}
	var buf bytes.Buffer
	buf.Grow(b.lines.size)
	if err := d.writeLines(&buf, b.lines.of); err != nil {
		return err
	}
	b.lines.wrote(buf.Len(), len(d.entries))
	if err := atomicfile.WriteFile(BackupPath(b.path), buf.Bytes(), 0o600); err != nil {
		return err
	}
	b.backupForeign = false
	return nil
}

// lines keeps how the entries of the last backup were written, so that the next
// one, which differs in a few of them, costs little more than those.
type lines struct {
	known map[string]knownLine // by key
	size  int                  // of the last backup, in bytes
}

type knownLine struct {
	revision Revision
	text     []byte
}

// of gives an entry's line. A key and a revision stand for one value, except
// after a write that failed: see forget.
func (l *lines) of(e Entry) ([]byte, error) {
	if k, ok := l.known[e.Key]; ok && k.revision == e.Revision {
		return k.text, nil
	}
	text, err := encodeEntry(e)
	if err == nil {
		if l.known == nil {
			l.known = map[string]knownLine{}
		}
		l.known[e.Key] = knownLine{e.Revision, text}
	}
	return text, err
}

// wrote notes the size of a backup, and makes room when most of what is kept has
// left it.
func (l *lines) wrote(size, entries int) {
	l.size = size
	if len(l.known) > 2*entries+64 {
		l.forget()
	}
}

func (l *lines) forget() { l.known = nil }

// keepForeign looks after a backup that is not of this state: it belongs to one
// that was lost. When it cannot be read or holds a key that next has not, then
// it was not restored, and it is moved aside rather than overwritten.
func (b *Bolt) keepForeign(next dump) error {
	if !b.backupForeign {
		return nil
	}
	old, err := LoadBackup(BackupPath(b.path))
	lost := func(e Entry) bool {
		_, found := slices.BinarySearchFunc(next.entries, e, byKey)
		return !found
	}
	if errors.Is(err, fs.ErrNotExist) || err == nil && !slices.ContainsFunc(old, lost) {
		return nil
	}
	_, err = moveAside(BackupPath(b.path), "unused", b.opts.Now())
	return err
}

// freshenBackup makes the backup agree with the file that was opened: it may be
// missing, from before a crash, or of other prefixes. One of another state is
// left for [Bolt.Restore] as long as this state has nothing to back up.
func (b *Bolt) freshenBackup() error {
	if len(b.opts.BackupPrefixes) == 0 {
		return nil
	}
	old, err := loadDump(BackupPath(b.path))
	missing := errors.Is(err, fs.ErrNotExist)
	b.backupForeign = !missing && (err != nil || old.State != b.identity)
	return b.view(context.Background(), func(tx *bolt.Tx) error {
		now, err := b.backupOf(tx, b.rev)
		if err != nil {
			return err
		}
		if len(now.entries) == 0 && (missing || b.backupForeign) || !b.backupForeign && slices.EqualFunc(old.entries, now.entries, sameEntry) {
			return nil
		}
		// A disk that is full now must not keep the agent from starting; the
		// next commit has to write it.
		b.backupStale = b.writeBackup(now) != nil
		return nil
	})
}

func sameEntry(a, b Entry) bool {
	return a.Key == b.Key && a.Revision == b.Revision && bytes.Equal(a.Value, b.Value)
}
