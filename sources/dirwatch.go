package sources

import (
	"context"
	"io/fs"
	"path/filepath"
	"strings"
	"time"
)

// Run implements Source: changes are hinted at when they have settled, and a
// full scan is due every so often, whatever the events said. Where the system
// allows no more watches, a note says so and the directory is polled.
func (d *Dir) Run(ctx context.Context, hint func()) error {
	w := &watcher{
		settle: d.opt.Settle, maxWait: d.opt.MaxWait, after: d.opt.After,
		every: func() time.Duration { return jitter(d.opt.Interval, d.opt.Rand) },
		note:  d.opt.Note, what: d.path,
		dirs: func(yield func(string) bool) {
			if yield(nearest(d.path)) {
				d.walk(d.path, yield)
			}
		},
		below: func(dir string, yield func(string) bool) {
			switch {
			case within(dir, d.path) && dir != d.path: // on the way to a root that is missing
				yield(nearest(d.path))
				d.walk(d.path, yield)
			case within(d.path, dir):
				d.walk(dir, yield)
			}
		},
		matters: d.matters,
	}
	return w.run(ctx, hint)
}

// matters leaves out what is hidden, all below it, and the file that Vim makes
// for a moment to see whether it may write.
func (d *Dir) matters(name string) bool {
	if within(name, d.path) {
		return true // the root, or what it lies in, came or went
	}
	below, err := filepath.Rel(d.path, name)
	if err != nil || below == ".." || strings.HasPrefix(below, "../") {
		return false // beside the root
	}
	if filepath.Base(name) == "4913" {
		return false
	}
	for part := range strings.SplitSeq(below, "/") {
		if hidden(part) {
			return false
		}
	}
	return true
}

// walk yields a directory and those below it that are part of the content.
func (d *Dir) walk(root string, yield func(string) bool) {
	count := 0
	if root == d.path {
		root += "/" // the root itself may be a link; no other is followed
	}
	_ = filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil && e != nil && e.IsDir():
			return fs.SkipDir
		case err != nil:
			return nil
		case name != root && hidden(e.Name()):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !e.IsDir():
			return nil
		}
		if count++; count > d.opt.MaxFiles || !yield(name) {
			return fs.SkipAll
		}
		return nil
	})
}
