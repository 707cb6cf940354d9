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

// File is a source that is one file, named on purpose. Nothing beside it is
// desired state, nor watched, but what it copies and builds from is in the tree
// of its snapshots. That is the directory that its path starts from: whoever
// writes `-f ci/build.yaml` stands at the top of the project, and pin copied from
// there. A path that says nothing of the kind, being absolute or leading up,
// gives the directory that the file lies in.
type File struct {
	path, dir string // of the file, and of the directory that it lies in
	name      string // below the root
	cache     digestCache
	root      heldRoot
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
	f := &File{path: full, dir: filepath.Dir(full), cache: digestCache{now: time.Now}}
	f.root.path, f.name = startOf(path, full)
	return f, nil
}

// startOf gives the directory that a path starts from, and the file's name below
// it. A link on the way that leads out of it makes the path start where it ends.
func startOf(path, full string) (root, name string) {
	dir, base := filepath.Split(full)
	if path = filepath.Clean(path); filepath.IsLocal(path) {
		start := full[:len(full)-len(path)]
		realStart, err := filepath.EvalSymlinks(start)
		realDir, err2 := filepath.EvalSymlinks(dir)
		if err == nil && err2 == nil && within(realStart, realDir) {
			return filepath.Clean(start), filepath.ToSlash(path)
		}
	}
	return filepath.Clean(dir), base
}

// Name implements Source: it is the file's name.
func (f *File) Name() string { return filepath.Base(f.path) }

// Location implements Source.
func (f *File) Location() string { return f.path }

// Only is the name of the file in the tree of the snapshots.
func (f *File) Only() string { return f.name }

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
		return nil, unreadable("the file "+f.path, err)
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
		return nil, dirError(f.root.path, err)
	}
	e, at, err := resolve(top, "open", f.name, true)
	if errors.Is(err, ErrOutside) {
		return nil, say(ErrOutside, "%s is a link that leaves its directory; name the file that it points to", f.path)
	}
	if err != nil {
		return nil, unreadable("the file "+f.path, err)
	}
	sum, err := scan.digest(e.(*dirNode))
	if err != nil {
		return nil, unreadable("the file "+filepath.Join(f.root.path, at), err)
	}
	rev := "sha256:" + hex.EncodeToString(sum[:])
	return &Snapshot{Source: f.Name(), Revision: rev, Content: rev, Only: f.name, Tree: &tree{root: top}}, nil
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
