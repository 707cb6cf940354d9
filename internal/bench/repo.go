package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// repository is a bare Git repository of directories with files in them, one
// level deep: d/f. It is written without a work tree, so that large ones cost
// little.
type repository struct {
	dir   string
	store *filesystem.Storage
	dirs  map[string]map[string]plumbing.Hash // "" holds the files of the root
	trees map[string]plumbing.Hash            // of directories that did not change
	tip   plumbing.Hash
}

const branchRef = "refs/heads/main"

func (r *rig) repository() (*repository, error) {
	dir, err := r.fresh("repo")
	if err != nil {
		return nil, err
	}
	dir += ".git"
	p := &repository{dir: dir, dirs: map[string]map[string]plumbing.Hash{}, trees: map[string]plumbing.Hash{}}
	for _, sub := range []string{"objects/info", "objects/pack", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	p.store = filesystem.NewStorage(osfs.New(dir), cache.NewObjectLRUDefault())
	config := "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o644); err != nil {
		return nil, err
	}
	return p, os.WriteFile(filepath.Join(dir, "HEAD"), []byte("ref: "+branchRef+"\n"), 0o644)
}

// put stages a file.
func (p *repository) put(name, text string) error {
	dir, base := filepath.Split(name)
	dir = strings.TrimSuffix(dir, "/")
	h, err := p.object(plumbing.BlobObject, []byte(text))
	if err != nil {
		return err
	}
	if p.dirs[dir] == nil {
		p.dirs[dir] = map[string]plumbing.Hash{}
	}
	p.dirs[dir][base] = h
	delete(p.trees, dir)
	return nil
}

// remove takes a staged file away.
func (p *repository) remove(name string) {
	dir, base := filepath.Split(name)
	dir = strings.TrimSuffix(dir, "/")
	delete(p.dirs[dir], base)
	delete(p.trees, dir)
	if len(p.dirs[dir]) == 0 {
		delete(p.dirs, dir)
	}
}

func (p *repository) object(kind plumbing.ObjectType, text []byte) (plumbing.Hash, error) {
	o := p.store.NewEncodedObject()
	o.SetType(kind)
	w, err := o.Writer()
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if _, err := w.Write(text); err != nil {
		return plumbing.ZeroHash, err
	}
	return p.store.SetEncodedObject(o)
}

// commit writes what is staged and moves the branch as Git does, by a lock file
// that is renamed over it. It gives the moment just before that.
func (p *repository) commit(message string) (moved time.Time, err error) {
	root := &object.Tree{}
	for dir, files := range p.dirs {
		if dir == "" {
			for name, h := range files {
				root.Entries = append(root.Entries, object.TreeEntry{Name: name, Mode: filemode.Regular, Hash: h})
			}
			continue
		}
		if _, known := p.trees[dir]; !known {
			t := &object.Tree{}
			for name, h := range files {
				t.Entries = append(t.Entries, object.TreeEntry{Name: name, Mode: filemode.Regular, Hash: h})
			}
			if p.trees[dir], err = p.tree(t); err != nil {
				return moved, err
			}
		}
		root.Entries = append(root.Entries, object.TreeEntry{Name: dir, Mode: filemode.Dir, Hash: p.trees[dir]})
	}
	h, err := p.tree(root)
	if err != nil {
		return moved, err
	}
	who := object.Signature{Name: "Bench", Email: "bench@example.org", When: time.Now()}
	c := &object.Commit{Author: who, Committer: who, Message: message, TreeHash: h}
	if !p.tip.IsZero() {
		c.ParentHashes = []plumbing.Hash{p.tip}
	}
	o := p.store.NewEncodedObject()
	if err := c.Encode(o); err != nil {
		return moved, err
	}
	if p.tip, err = p.store.SetEncodedObject(o); err != nil {
		return moved, err
	}
	ref := filepath.Join(p.dir, branchRef)
	if err := os.WriteFile(ref+".lock", []byte(p.tip.String()+"\n"), 0o644); err != nil {
		return moved, err
	}
	moved = time.Now()
	return moved, os.Rename(ref+".lock", ref)
}

func (p *repository) tree(t *object.Tree) (plumbing.Hash, error) {
	sortEntries(t.Entries)
	o := p.store.NewEncodedObject()
	if err := t.Encode(o); err != nil {
		return plumbing.ZeroHash, err
	}
	return p.store.SetEncodedObject(o)
}

// fill stages n files of size bytes in directories of 50.
func (p *repository) fill(n, size int) error {
	return spread(n, size, p.put)
}

// spread makes n files of size bytes, each different, in directories of 50.
func spread(n, size int, put func(name, text string) error) error {
	for i := range n {
		text := strings.Repeat(fmt.Sprintf("file %d of the tree that is measured\n", i), size/36+1)[:size]
		if err := put(fmt.Sprintf("d%03d/f%05d.txt", i/50, i), text); err != nil {
			return err
		}
	}
	return nil
}

// sortEntries puts entries into Git's order: a directory sorts as if its name
// ended in a slash.
func sortEntries(entries []object.TreeEntry) {
	key := func(e object.TreeEntry) string {
		if e.Mode == filemode.Dir {
			return e.Name + "/"
		}
		return e.Name
	}
	slices.SortFunc(entries, func(a, b object.TreeEntry) int { return strings.Compare(key(a), key(b)) })
}
