package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// repository is the demo's Git repository with its work tree.
type repository struct {
	dir string
	git *git.Repository
}

// newRepository copies examples/ to a new repository, image standing where the
// examples name the public one ("" leaves it: nothing will pull it).
func newRepository(dir, image string) (*repository, error) {
	r := &repository{dir: filepath.Join(dir, "app")}
	err := fs.WalkDir(os.DirFS("examples"), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && name == "network" {
			return fs.SkipDir // it joins later
		}
		if err != nil || e.IsDir() {
			return err
		}
		if e.Type() == fs.ModeSymlink {
			return r.link(name)
		}
		text, err := os.ReadFile(filepath.Join("examples", name))
		if err != nil {
			return err
		}
		if image != "" && filepath.Ext(name) == ".yaml" {
			text = bytes.ReplaceAll(text, []byte("image: "+publicImage), []byte("image: "+image))
		}
		return r.write(name, string(text))
	})
	if err != nil {
		return nil, fmt.Errorf("examples/ can't be copied: %w", err)
	}
	r.git, err = git.PlainInitWithOptions(r.dir, &git.PlainInitOptions{InitOptions: git.InitOptions{DefaultBranch: plumbing.Main}})
	return r, err
}

// link copies a link of examples/ as a link: an instance of a unit is one.
func (r *repository) link(name string) error {
	to, err := os.Readlink(filepath.Join("examples", name))
	if err != nil {
		return err
	}
	file := filepath.Join(r.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.Symlink(to, file)
}

func (r *repository) write(name, text string) error {
	file := filepath.Join(r.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

// remove takes away a file, or a directory with all in it.
func (r *repository) remove(name string) error {
	return os.RemoveAll(filepath.Join(r.dir, filepath.FromSlash(name)))
}

// checkout goes to a branch, a new one where that is asked for.
func (r *repository) checkout(branch string, create bool) error {
	tree, err := r.git.Worktree()
	if err != nil {
		return err
	}
	return tree.Checkout(&git.CheckoutOptions{Branch: plumbing.NewBranchReferenceName(branch), Create: create, Keep: create})
}

// forward moves a branch to a commit and goes to it.
func (r *repository) forward(branch, commit string) error {
	ref := plumbing.NewHashReference(plumbing.NewBranchReferenceName(branch), plumbing.NewHash(commit))
	if err := r.git.Storer.SetReference(ref); err != nil {
		return err
	}
	return r.checkout(branch, false)
}

// commit commits the whole work tree and gives the commit's hash.
func (r *repository) commit(message string) (string, error) {
	tree, err := r.git.Worktree()
	if err != nil {
		return "", err
	}
	if err := tree.AddWithOptions(&git.AddOptions{All: true}); err != nil {
		return "", err
	}
	hash, err := tree.Commit(message, &git.CommitOptions{
		Author: &object.Signature{Name: "Demo", Email: "demo@example.org", When: time.Now()},
	})
	return hash.String(), err
}
