package sources

import (
	"context"
	"io/fs"
	"path/filepath"
	"strings"
	"time"
)

// A commit writes its ref by renaming a lock file over it, so there is next to
// nothing to wait for; the few milliseconds join what one command does.
const (
	gitSettle  = 3 * time.Millisecond
	gitMaxWait = 15 * time.Millisecond
)

// maxRefDirs bounds the directories of refs that are watched.
const maxRefDirs = 10_000

// Run implements Source. A repository on this machine is watched, and polled in
// case an event is lost; a remote one is polled.
func (g *Git) Run(ctx context.Context, hint func()) error {
	every := func() time.Duration { return jitter(g.interval(), g.opt.Rand) }
	after := g.opt.After
	if after == nil {
		after = time.After
	}
	if g.clone != nil {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-after(every()):
				hint()
			}
		}
	}
	w := &watcher{
		settle: gitSettle, maxWait: gitMaxWait, every: every, after: after,
		note: g.opt.Note, what: g.loc.String(),
		dirs: g.watchDirs, below: g.watchBelow, matters: g.matters,
	}
	return w.run(ctx, hint)
}

func (g *Git) interval() time.Duration {
	if g.opt.Interval <= 0 {
		return DefaultInterval
	}
	return g.opt.Interval
}

// watchDirs yields the directories in which HEAD, packed-refs and the refs are.
// Where the repository is missing, that is what it would come back in.
func (g *Git) watchDirs(yield func(string) bool) {
	root := g.loc.path
	if !yield(nearest(root)) {
		return
	}
	paths, err := findRepo(root)
	if err != nil {
		// What is missing may come piece by piece: watch the pieces that are there.
		_ = yield(root) && yield(filepath.Join(root, ".git"))
		walkDirs(filepath.Join(root, ".git", "refs"), yield)
		return
	}
	if paths.git != root && !yield(root) { // .git may be removed
		return
	}
	if !yield(paths.git) || (paths.common != paths.git && !yield(paths.common)) {
		return
	}
	walkDirs(filepath.Join(paths.common, "refs"), yield)
}

// watchBelow follows new directories of refs ("feature/…"), and anything on the
// way to a repository that is being made.
func (g *Git) watchBelow(dir string, yield func(string) bool) {
	paths, err := findRepo(g.loc.path)
	switch {
	case err != nil, dir == g.loc.path, dir == paths.git, dir == paths.common:
		g.watchDirs(yield)
	case within(filepath.Join(paths.common, "refs"), dir):
		walkDirs(dir, yield)
	}
}

// matters leaves out what a commit writes besides the ref, and what Git does
// that moves no ref: objects, the index, locks, messages.
func (g *Git) matters(name string) bool {
	if strings.HasSuffix(name, ".lock") {
		return false
	}
	root := g.loc.path
	if name == root || within(name, root) || name == filepath.Join(root, ".git") {
		return true // the repository, or what it lies in, came or went
	}
	switch filepath.Base(name) {
	case "HEAD", "packed-refs", "refs", "config":
		return true
	}
	return strings.Contains(filepath.ToSlash(name), "/refs/")
}

// within tells whether path is dir or below it.
func within(dir, path string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// walkDirs yields a directory and all below it, without following links.
func walkDirs(root string, yield func(string) bool) {
	count := 0
	_ = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if count++; count > maxRefDirs || !yield(name) {
			return fs.SkipAll
		}
		return nil
	})
}
