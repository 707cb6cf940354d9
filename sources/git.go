package sources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"weak"

	"github.com/go-git/go-git/v5/plumbing"
)

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
		return nil, g.fail(err)
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

// fail names the repository in an error, unless the error does so already.
func (g *Git) fail(err error) error {
	if strings.Contains(err.Error(), g.loc.String()) {
		return err
	}
	return fmt.Errorf("%s: %w", g.loc, err)
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
		return nil, g.fail(err)
	}
	view := &gitView{store: store, when: c.Committer.When}
	at, parent, err := view.scope(c.TreeHash, g.opt.Path)
	if err != nil {
		return nil, g.fail(fmt.Errorf("the path %q in commit %s: %w", g.opt.Path, short(tip), err))
	}
	snap := &Snapshot{
		Source: g.opt.Name, Revision: tip.String(), Content: at.rec.hash.String(),
		Commit: &Commit{Hash: tip.String(), Author: c.Author.String(), Subject: subject(c.Message), When: c.Committer.When},
	}
	if !at.mode().IsDir() {
		snap.Only, at = at.rec.name, parent
	} else if names, err := at.names(); err != nil {
		return nil, g.fail(fmt.Errorf("commit %s: %w", short(tip), err))
	} else if len(names.records) == 0 {
		return nil, g.fail(say(ErrEmpty, "commit %s holds no file at all; what was last in force stays", short(tip)))
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
		return nil, g.fail(fmt.Errorf("%q is not a whole commit hash: %w", revision, ErrGone))
	}
	paths, err := g.here()
	if g.clone != nil && errors.Is(err, fs.ErrNotExist) {
		err = ErrGone
	}
	if err != nil {
		return nil, g.fail(err)
	}
	store, err := g.use(paths)
	if err != nil {
		return nil, g.fail(err)
	}
	snap, err := g.show(store, plumbing.NewHash(revision))
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, g.fail(fmt.Errorf("commit %s: %w", revision, ErrGone))
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
