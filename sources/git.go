package sources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"weak"

	"github.com/go-git/go-git/v5/plumbing"
)

// GitOptions says which commits of which repository are wanted.
type GitOptions struct {
	Name     string        // default: the last element of URL
	URL      string        // a path, file:// or http(s)://, see ParseLocation
	Ref      Ref           // default: the branch of HEAD
	Path     string        // what lies above it is not seen; default: everything
	Interval time.Duration // between polls, ±10 %; default 30 s
	Dir      string        // where the clone of a remote repository is kept (made with mode 0700); default: a temporary directory
	MaxBytes int64         // of a clone; default 2 GiB
	MaxBlob  int64         // of one object, when it is fetched; default 512 MiB
	Timeout  time.Duration // without a byte from the server; default 60 s

	// Transport carries the requests to a remote repository; default: one that
	// honours the proxy settings of the environment.
	Transport http.RoundTripper
	Rand      func() float64                       // for jitter, in [0,1); default math/rand
	After     func(time.Duration) <-chan time.Time // default time.After
	Note      func(text string)                    // told what is worth a log line; default: nobody
}

// Git is a source that follows a ref of a Git repository. It executes no git,
// and checks nothing out.
type Git struct {
	opt   GitOptions
	loc   Location
	turn  chan struct{} // held by the one Snapshot that is under way
	clone *mirror       // nil for a repository on this machine
	trees treeCache

	mu     sync.Mutex
	closed bool
	store  *objectStore
	last   *Snapshot
	olds   []weak.Pointer[objectStore] // replaced, but perhaps still read from
}

var _ Source = (*Git)(nil)

// NewGit checks the options. It touches neither the repository nor the network:
// what is wrong there is the error of a Snapshot, and may mend.
func NewGit(opt GitOptions) (*Git, error) {
	loc, err := ParseLocation(opt.URL)
	if err != nil {
		return nil, err
	}
	if opt.Ref, err = opt.Ref.normalize(); err != nil {
		return nil, fmt.Errorf("source %s: %w", loc, err)
	}
	if opt.Path, err = cleanScope(opt.Path); err != nil {
		return nil, fmt.Errorf("source %s: %w", loc, err)
	}
	if p, local := loc.Local(); local {
		if loc.path, err = filepath.Abs(p); err != nil {
			return nil, fmt.Errorf("source %s: %w", loc, err)
		}
	}
	if opt.Name == "" {
		opt.Name = loc.Base()
	}
	if opt.Note == nil {
		opt.Note = func(string) {}
	}
	g := &Git{opt: opt, loc: loc, turn: make(chan struct{}, 1)}
	if _, local := loc.Local(); !local {
		if g.clone, err = newMirror(opt, loc); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// cleanScope brings a source's path into the form of an fs path.
func cleanScope(p string) (string, error) {
	clean := path.Clean(strings.TrimLeft(filepath.ToSlash(p), "/"))
	if p == "" || clean == "." {
		return ".", nil
	}
	if !fs.ValidPath(clean) || strings.ContainsRune(clean, 0) {
		return "", fmt.Errorf("the path %q leaves the repository; give one below its root", p)
	}
	return clean, nil
}

// Name implements Source.
func (g *Git) Name() string { return g.opt.Name }

// Location implements Source.
func (g *Git) Location() string { return g.loc.String() }

// Snapshot implements Source. For a remote repository it asks the server first.
func (g *Git) Snapshot(ctx context.Context) (*Snapshot, error) {
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	store, tip, err := g.tip(ctx)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", g.loc, err)
	}
	g.mu.Lock()
	last := g.last
	g.mu.Unlock()
	if last != nil && last.Revision == tip.String() && last.Tree.(*tree).root.(*gitEntry).view.store == store {
		snap := *last
		return &snap, nil
	}
	snap, err := g.show(store, tip)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.last = snap
	g.mu.Unlock()
	out := *snap
	return &out, nil
}

// tip finds the commit that is wanted now, and the store that holds it.
func (g *Git) tip(ctx context.Context) (*objectStore, plumbing.Hash, error) {
	if g.clone == nil {
		paths, err := findRepo(g.loc.path)
		if err != nil {
			return nil, plumbing.ZeroHash, err
		}
		store, err := g.use(paths)
		if err != nil {
			return nil, plumbing.ZeroHash, err
		}
		tip, err := store.find(g.opt.Ref)
		return store, tip, err
	}
	tip, err := g.clone.update(ctx, g.use)
	if err != nil {
		return nil, plumbing.ZeroHash, err
	}
	store, err := g.use(g.clone.paths())
	return store, tip, err
}

// use gives the store of the repository: the one that is open, unless its packs
// have changed.
func (g *Git) use(paths repoPaths) (*objectStore, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, fs.ErrClosed
	}
	if g.store != nil && g.store.paths == paths && !g.store.stale(false) {
		return g.store, nil
	}
	if g.store != nil { // snapshots may still read from it; the garbage collector closes its files after the last
		live := g.olds[:0]
		for _, p := range append(g.olds, weak.Make(g.store)) {
			if p.Value() != nil {
				live = append(live, p)
			}
		}
		g.olds = live
	}
	g.store = openStore(paths, &g.trees)
	return g.store, nil
}

// show makes the snapshot of a commit.
func (g *Git) show(store *objectStore, tip plumbing.Hash) (*Snapshot, error) {
	c, err := store.commit(tip)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", g.loc, err)
	}
	view := &gitView{store: store, when: c.Committer.When}
	at, parent, err := view.scope(c.TreeHash, g.opt.Path)
	if err != nil {
		return nil, fmt.Errorf("source %s: the path %q at %s (commit %s): %w", g.loc, g.opt.Path, g.opt.Ref, short(tip), err)
	}
	snap := &Snapshot{Source: g.opt.Name, Revision: tip.String(), Content: at.rec.hash.String(),
		Commit: &Commit{Hash: tip.String(), Author: c.Author.String(), Subject: subject(c.Message), When: c.Committer.When}}
	if !at.mode().IsDir() {
		snap.Only, at = at.rec.name, parent
	} else if names, err := at.names(); err != nil {
		return nil, fmt.Errorf("source %s: commit %s: %w", g.loc, short(tip), err)
	} else if len(names.records) == 0 {
		return nil, fmt.Errorf("source %s: commit %s: %w", g.loc, short(tip), ErrEmpty)
	}
	root := *at
	root.rec.name = "."
	snap.Tree = &tree{root: &root}
	return snap, nil
}

func short(h plumbing.Hash) string { return h.String()[:12] }

// subject is the first line of a commit's message.
func subject(message string) string {
	line, _, _ := strings.Cut(strings.TrimLeft(message, "\n"), "\n")
	return strings.TrimSpace(line)
}

// At implements Source. Every commit that the repository still holds can be had,
// without asking a server.
func (g *Git) At(ctx context.Context, revision string) (*Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(revision) != hashDigits || strings.Trim(revision, "0123456789abcdef") != "" {
		return nil, fmt.Errorf("source %s: %q is not a whole commit hash: %w", g.loc, revision, ErrGone)
	}
	paths, err := g.here()
	if g.clone != nil && errors.Is(err, fs.ErrNotExist) {
		err = ErrGone
	}
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", g.loc, err)
	}
	store, err := g.use(paths)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", g.loc, err)
	}
	snap, err := g.show(store, plumbing.NewHash(revision))
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, fmt.Errorf("source %s: commit %s: %w", g.loc, revision, ErrGone)
	}
	return snap, err
}

// here gives the repository as it is on this machine.
func (g *Git) here() (repoPaths, error) {
	if g.clone == nil {
		return findRepo(g.loc.path)
	}
	return findRepo(g.clone.dir)
}

// Close gives up the files held and, if it was temporary, the clone. Snapshots
// cannot be read afterwards.
func (g *Git) Close() error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil
	}
	g.closed = true
	if g.store != nil {
		g.store.close()
	}
	for _, p := range g.olds {
		if s := p.Value(); s != nil {
			s.close()
		}
	}
	g.mu.Unlock()
	if g.clone != nil {
		g.clone.end()
		g.turn <- struct{}{} // a fetch that is under way breaks off first
		defer func() { <-g.turn }()
		return g.clone.close()
	}
	return nil
}
