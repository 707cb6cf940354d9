package sources

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// DirOptions says which directory is watched.
type DirOptions struct {
	Name     string        // default: the last element of Path
	Path     string        // the directory
	Settle   time.Duration // of quiet after a change before it is looked at; default 100 ms
	MaxWait  time.Duration // for that quiet; default 1 s
	Interval time.Duration // between full scans, ±10 %; default 60 s
	MaxFiles int           // default 200,000

	Rand  func() float64                       // for jitter, in [0,1); default math/rand
	Now   func() time.Time                     // default time.Now
	After func(time.Duration) <-chan time.Time // default time.After
	Note  func(text string)                    // told what is worth a log line; default: nobody
}

// Dir is a source that follows a directory. Its snapshots list the names and
// metadata of the time they were taken; the content of a file is what is there
// when it is opened.
type Dir struct {
	opt   DirOptions
	path  string
	cache digestCache
	turn  chan struct{} // held by the one scan that is under way

	root heldRoot

	mu   sync.Mutex
	last *Snapshot
}

var _ Source = (*Dir)(nil)

// NewDir checks the options. What is wrong with the directory itself is the
// error of a Snapshot, and may mend.
func NewDir(opt DirOptions) (*Dir, error) {
	if opt.Path == "" {
		return nil, errors.New("the path of the directory to watch is empty; name a directory")
	}
	full, err := filepath.Abs(opt.Path)
	if err != nil {
		return nil, fmt.Errorf("the directory %s: %w", opt.Path, err)
	}
	if opt.Name == "" {
		if opt.Name = filepath.Base(full); opt.Name == "/" {
			opt.Name = "root"
		}
	}
	opt.Settle = orDefault(opt.Settle, 100*time.Millisecond)
	opt.MaxWait = orDefault(opt.MaxWait, time.Second)
	opt.Interval = orDefault(opt.Interval, time.Minute)
	opt.MaxFiles = orDefault(opt.MaxFiles, defaultMaxFiles)
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Note == nil {
		opt.Note = func(string) {}
	}
	return &Dir{opt: opt, path: full, cache: digestCache{now: opt.Now}, root: heldRoot{path: full}, turn: make(chan struct{}, 1)}, nil
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// Name implements Source.
func (d *Dir) Name() string { return d.opt.Name }

// Location implements Source.
func (d *Dir) Location() string { return d.path }

// Snapshot implements Source: it scans the whole directory, but reads only the
// files whose size, times or inode have changed.
func (d *Dir) Snapshot(ctx context.Context) (*Snapshot, error) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	root, err := d.root.open()
	if err != nil {
		return nil, err
	}
	scan := &dirScan{root: root, max: int64(d.opt.MaxFiles), cache: &d.cache}
	node, err := scan.begin()
	if err != nil {
		return nil, dirError(d.path, err)
	}
	files, err := node.force(ctx)
	if err != nil {
		return nil, dirError(d.path, err)
	}
	d.cache.next()
	if files == 0 {
		return nil, say(ErrEmpty, "the directory %s holds no file at all; what was last in force stays", d.path)
	}
	sum, err := node.hash()
	if err != nil {
		return nil, dirError(d.path, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil || d.last.Revision != sum || d.last.Tree.(*tree).root.(*dirNode).scan.root != root {
		d.last = &Snapshot{Source: d.opt.Name, Revision: sum, Content: sum, Tree: &tree{root: node}}
	}
	snap := *d.last
	return &snap, nil
}

// At implements Source. A directory keeps no history.
func (d *Dir) At(ctx context.Context, revision string) (*Snapshot, error) {
	snap, err := d.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if snap.Revision != revision {
		return nil, fmt.Errorf("the directory %s: %w", d.path, ErrGone)
	}
	return snap, nil
}

// Close gives up the directory. Files cannot be opened afterwards.
func (d *Dir) Close() error {
	return d.root.close()
}
