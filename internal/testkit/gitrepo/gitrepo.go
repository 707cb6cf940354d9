// Package gitrepo knows how to make Git repositories for tests: it writes blobs,
// trees, commits and refs as plain objects, also such as Git itself would refuse
// to write, and needs no git binary and no work tree. It never knows what the
// repositories are for.
package gitrepo

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// Repo is a repository with a branch that is worked on and the files of its next
// commit. It is not safe for concurrent use.
type Repo struct {
	Dir    string // what a user would clone
	git    string // where HEAD is
	t      testing.TB
	store  *filesystem.Storage
	branch string
	files  map[string]file
	trees  map[string]plumbing.Hash // of directories that did not change
	when   time.Time
}

type file struct {
	mode filemode.FileMode
	hash plumbing.Hash
}

// New makes an empty repository with a .git in a temporary directory; its
// branch is main.
func New(t testing.TB) *Repo {
	t.Helper()
	return NewAt(t, filepath.Join(t.TempDir(), "repo"))
}

// NewAt makes an empty repository at dir. A dir that ends in .git is a bare one.
func NewAt(t testing.TB, dir string) *Repo {
	t.Helper()
	r := &Repo{
		Dir: dir, git: filepath.Join(dir, ".git"), t: t, branch: "main", files: map[string]file{},
		trees: map[string]plumbing.Hash{}, when: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	if strings.HasSuffix(dir, ".git") {
		r.git = dir
	}
	for _, d := range []string{"objects/info", "objects/pack", "refs/heads", "refs/tags"} {
		r.check(os.MkdirAll(filepath.Join(r.git, d), 0o755))
	}
	r.check(os.WriteFile(filepath.Join(r.git, "config"), []byte("[core]\n\trepositoryformatversion = 0\n"), 0o644))
	r.SetHead("refs/heads/main")
	r.store = filesystem.NewStorage(osfs.New(r.git), cache.NewObjectLRU(cache.MiByte))
	return r
}

func (r *Repo) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("making a test repository: %v", err)
	}
}

// Put stages a regular file.
func (r *Repo) Put(name, content string) { r.PutMode(name, filemode.Regular, content) }

// PutMode stages an entry of any mode; content is a file's content or a link's target.
func (r *Repo) PutMode(name string, mode filemode.FileMode, content string) {
	r.t.Helper()
	r.stage(name, file{mode, r.Object(plumbing.BlobObject, []byte(content))})
}

// Link stages a symbolic link.
func (r *Repo) Link(name, target string) { r.PutMode(name, filemode.Symlink, target) }

// Submodule stages a submodule at a commit of another repository.
func (r *Repo) Submodule(name, commit string) {
	r.stage(name, file{filemode.Submodule, plumbing.NewHash(commit)})
}

func (r *Repo) stage(name string, f file) {
	r.files[name] = f
	r.touch(name)
}

// Remove takes a file, or all below a directory, out of the next commit.
func (r *Repo) Remove(name string) {
	maps.DeleteFunc(r.files, func(n string, _ file) bool { return n == name || strings.HasPrefix(n, name+"/") || name == "." })
	r.touch(name)
	clear(r.trees)
}

func (r *Repo) touch(name string) {
	for dir := name; dir != "."; {
		dir = path.Dir(dir)
		delete(r.trees, dir)
	}
}

// Object stores an object of any type and content.
func (r *Repo) Object(typ plumbing.ObjectType, content []byte) plumbing.Hash {
	r.t.Helper()
	o := r.store.NewEncodedObject()
	o.SetType(typ)
	w, err := o.Writer()
	r.check(err)
	_, err = w.Write(content)
	r.check(err)
	h, err := r.store.SetEncodedObject(o)
	r.check(err)
	return h
}

// Entry is an entry of a tree written by RawTree.
type Entry struct {
	Mode string // octal, as Git writes it
	Name string
	Hash plumbing.Hash
}

// RawTree stores a tree as it is given, however wrong that is.
func (r *Repo) RawTree(entries ...Entry) plumbing.Hash {
	r.t.Helper()
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%s %s\x00%s", e.Mode, e.Name, e.Hash[:])
	}
	return r.Object(plumbing.TreeObject, []byte(b.String()))
}

// Commit commits what is staged to the branch and gives the commit's hash.
func (r *Repo) Commit(message string) string {
	r.t.Helper()
	return r.CommitTree(r.tree(".", slices.Sorted(maps.Keys(r.files))), message)
}

// CommitTree commits a tree to the branch and gives the commit's hash.
func (r *Repo) CommitTree(tree plumbing.Hash, message string) string {
	r.t.Helper()
	r.when = r.when.Add(time.Second)
	who := object.Signature{Name: "Ada", Email: "ada@example.org", When: r.when}
	c := &object.Commit{Author: who, Committer: who, Message: message, TreeHash: tree}
	if tip := r.Tip(r.branch); tip != "" {
		c.ParentHashes = []plumbing.Hash{plumbing.NewHash(tip)}
	}
	o := r.store.NewEncodedObject()
	r.check(c.Encode(o))
	h, err := r.store.SetEncodedObject(o)
	r.check(err)
	r.SetRef("refs/heads/"+r.branch, h.String())
	return h.String()
}

// tree writes the tree of dir; names are those of all files below it, sorted.
func (r *Repo) tree(dir string, names []string) plumbing.Hash {
	r.t.Helper()
	if h, ok := r.trees[dir]; ok {
		return h
	}
	t := &object.Tree{}
	for i := 0; i < len(names); {
		name := names[i]
		rest := name
		if dir != "." {
			rest = strings.TrimPrefix(name, dir+"/")
		}
		first, _, deeper := strings.Cut(rest, "/")
		if !deeper {
			t.Entries = append(t.Entries, object.TreeEntry{Name: first, Mode: r.files[name].mode, Hash: r.files[name].hash})
			i++
			continue
		}
		sub, end := path.Join(dir, first), i
		for end < len(names) && strings.HasPrefix(names[end], sub+"/") {
			end++
		}
		t.Entries = append(t.Entries, object.TreeEntry{Name: first, Mode: filemode.Dir, Hash: r.tree(sub, names[i:end])})
		i = end
	}
	slices.SortFunc(t.Entries, func(a, b object.TreeEntry) int { return strings.Compare(sortName(a), sortName(b)) })
	o := r.store.NewEncodedObject()
	r.check(t.Encode(o))
	h, err := r.store.SetEncodedObject(o)
	r.check(err)
	r.trees[dir] = h
	return h
}

func sortName(e object.TreeEntry) string {
	if e.Mode == filemode.Dir {
		return e.Name + "/"
	}
	return e.Name
}

// Pack puts all objects into one pack, as `git gc` does.
func (r *Repo) Pack() {
	r.t.Helper()
	var all []plumbing.Hash
	r.check(r.store.ForEachObjectHash(func(h plumbing.Hash) error { all = append(all, h); return nil }))
	w, err := r.store.PackfileWriter()
	r.check(err)
	_, err = packfile.NewEncoder(w, r.store, false).Encode(all, 10)
	r.check(err)
	r.check(w.Close())
	for _, h := range all {
		r.check(os.Remove(filepath.Join(r.git, "objects", h.String()[:2], h.String()[2:])))
	}
	r.store = filesystem.NewStorage(osfs.New(r.git), cache.NewObjectLRU(cache.MiByte))
}
