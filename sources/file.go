package sources

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// File is a source that is one file, named on purpose. The tree of its snapshots
// is the directory it stands in, so that what it copies and builds from is there;
// nothing else in that directory is desired state, nor watched.
type File struct {
	path, dir, base string
	cache           digestCache
	root            heldRoot
}

var _ Source = (*File)(nil)

// NewFile takes the path of the file. What is wrong with the file itself is the
// error of a Snapshot.
func NewFile(path string) (*File, error) {
	if path == "" {
		return nil, errors.New("the path of the file is empty; name a file")
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("the file %s: %w", path, err)
	}
	return &File{path: full, dir: filepath.Dir(full), base: filepath.Base(full), cache: digestCache{now: time.Now}, root: heldRoot{path: filepath.Dir(full)}}, nil
}

// Name implements Source: it is the file's name.
func (f *File) Name() string { return f.base }

// Location implements Source.
func (f *File) Location() string { return f.path }

// Only is the name of the file in the tree of the snapshots.
func (f *File) Only() string { return f.base }

// Snapshot implements Source. The revision is the digest of the file alone.
func (f *File) Snapshot(ctx context.Context) (*Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, say(fs.ErrNotExist, "the file %s does not exist; correct the path", f.path)
	case err != nil:
		return nil, fmt.Errorf("the file %s cannot be read: %w", f.path, unwrapPath(err))
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory, not a file; watch it as one", f.path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file; to read from a pipe use -f -", f.path)
	}
	root, err := f.root.open()
	if err != nil {
		return nil, err
	}
	scan := &dirScan{root: root, max: defaultMaxFiles, cache: &f.cache, lazy: true}
	top, err := scan.begin()
	if err != nil {
		return nil, dirError(f.dir, err)
	}
	e, at, err := resolve(top, "open", f.base, true)
	if errors.Is(err, ErrOutside) {
		return nil, say(ErrOutside, "%s is a link that leaves its directory; name the file that it points to", f.path)
	}
	if err != nil {
		return nil, fmt.Errorf("the file %s cannot be read: %w", f.path, unwrapPath(err))
	}
	sum, err := scan.digest(e.(*dirNode))
	if err != nil {
		return nil, fmt.Errorf("the file %s cannot be read: %w", filepath.Join(f.dir, at), unwrapPath(err))
	}
	rev := "sha256:" + hex.EncodeToString(sum[:])
	return &Snapshot{Source: f.base, Revision: rev, Content: rev, Only: f.base, Tree: &tree{root: top}}, nil
}

// At implements Source. A file keeps no history.
func (f *File) At(ctx context.Context, revision string) (*Snapshot, error) {
	snap, err := f.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if snap.Revision != revision {
		return nil, fmt.Errorf("the file %s: %w", f.path, ErrGone)
	}
	return snap, nil
}

// Run implements Source: it watches the directory for what happens to the file,
// since editors put a new one in its place.
func (f *File) Run(ctx context.Context, hint func()) error {
	w := &watcher{
		settle: 100 * time.Millisecond, maxWait: time.Second,
		every: func() time.Duration { return jitter(time.Minute, nil) },
		note:  func(string) {}, what: f.path,
		dirs: func(yield func(string) bool) {
			if yield(nearest(f.dir)) {
				yield(f.dir)
			}
		},
		below: func(dir string, yield func(string) bool) {
			if within(dir, f.dir) {
				_ = yield(nearest(f.dir)) && yield(f.dir)
			}
		},
		matters: func(name string) bool { return within(name, f.path) },
	}
	return w.run(ctx, hint)
}

// Close gives up the directory.
func (f *File) Close() error { return f.root.close() }
