package sources

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"
)

// Reader is a source whose one file was read from somewhere beforehand, such as
// standard input. It never changes.
type Reader struct{ snap Snapshot }

var _ Source = (*Reader)(nil)

// NewReader makes a source of data, as a file called name. data must not be
// changed afterwards.
func NewReader(name string, data []byte) *Reader {
	name = path.Base(name)
	if !fs.ValidPath(name) || name == "." || name == "-" {
		name = "stdin"
	}
	sum := sha256.Sum256(data)
	rev := "sha256:" + hex.EncodeToString(sum[:])
	file := &memFile{nm: name, data: data, sum: rev, when: time.Now()}
	return &Reader{Snapshot{Source: name, Revision: rev, Content: rev, Only: name, Tree: &tree{root: &memDir{file}}}}
}

// Name implements Source.
func (r *Reader) Name() string { return r.snap.Source }

// Location implements Source.
func (r *Reader) Location() string { return r.snap.Source }

// Only is the name of the file in the tree of the snapshot.
func (r *Reader) Only() string { return r.snap.Only }

// Snapshot implements Source; it is always the same.
func (r *Reader) Snapshot(ctx context.Context) (*Snapshot, error) {
	snap := r.snap
	return &snap, ctx.Err()
}

// At implements Source.
func (r *Reader) At(ctx context.Context, revision string) (*Snapshot, error) {
	if revision != r.snap.Revision {
		return nil, fmt.Errorf("%s: %w", r.snap.Source, ErrGone)
	}
	return r.Snapshot(ctx)
}

// Run implements Source: there is nothing to hint at.
func (r *Reader) Run(ctx context.Context, _ func()) error {
	<-ctx.Done()
	return nil
}

// Close implements Source.
func (r *Reader) Close() error { return nil }

// memDir is the root of a tree that holds one file.
type memDir struct{ file *memFile }

func (d *memDir) name() string                 { return "." }
func (d *memDir) mode() fs.FileMode            { return fs.ModeDir | 0o755 }
func (d *memDir) modTime() time.Time           { return d.file.when }
func (d *memDir) size() (int64, error)         { return 0, nil }
func (d *memDir) target() (string, error)      { return "", fs.ErrInvalid }
func (d *memDir) children() ([]entry, error)   { return []entry{d.file}, nil }
func (d *memDir) open(string) (fs.File, error) { return nil, fs.ErrInvalid }

func (d *memDir) hash() (string, error) {
	sum := sha256.Sum256([]byte(d.file.nm + "\x00" + d.file.sum))
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

func (d *memDir) child(name string) (entry, error) {
	if name == d.file.nm {
		return d.file, nil
	}
	return nil, nil
}

// memFile is that file.
type memFile struct {
	nm, sum string
	data    []byte
	when    time.Time
}

func (f *memFile) name() string                { return f.nm }
func (f *memFile) mode() fs.FileMode           { return 0o644 }
func (f *memFile) modTime() time.Time          { return f.when }
func (f *memFile) size() (int64, error)        { return int64(len(f.data)), nil }
func (f *memFile) hash() (string, error)       { return f.sum, nil }
func (f *memFile) target() (string, error)     { return "", fs.ErrInvalid }
func (f *memFile) child(string) (entry, error) { return nil, nil }
func (f *memFile) children() ([]entry, error)  { return nil, nil }

func (f *memFile) open(string) (fs.File, error) {
	info, err := infoOf(f)
	return &openFile{body: io.NopCloser(bytes.NewReader(f.data)), info: info}, err
}
