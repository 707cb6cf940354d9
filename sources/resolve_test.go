package sources

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeNode is a tree in memory, to look names up in.
type fakeNode struct {
	nm, to string // to is a link's target
	kids   map[string]*fakeNode
}

func (n *fakeNode) name() string               { return n.nm }
func (n *fakeNode) modTime() time.Time         { return time.Time{} }
func (n *fakeNode) size() (int64, error)       { return 0, nil }
func (n *fakeNode) hash() (string, error)      { return n.nm, nil }
func (n *fakeNode) target() (string, error)    { return n.to, nil }
func (n *fakeNode) children() ([]entry, error) { return nil, nil }
func (n *fakeNode) open(string) (fs.File, error) {
	return nil, errors.New("not meant to be opened")
}

func (n *fakeNode) mode() fs.FileMode {
	switch {
	case n.kids != nil:
		return fs.ModeDir
	case n.to != "":
		return fs.ModeSymlink
	}
	return 0
}

func (n *fakeNode) child(name string) (entry, error) {
	if k, ok := n.kids[name]; ok {
		return k, nil
	}
	return nil, nil
}

// FuzzResolve compares the lookup with what os.Root does for the same links on
// a real disk: both find the same file, or neither finds one.
func FuzzResolve(f *testing.F) {
	for _, s := range [][3]string{
		{"a", "d/l", "l"},
		{"../a", "d/../d/f", "d/l"},
		{"d", "../x", "l/f"},
		{"/etc", "l", "l"},
		{"l2", "l", "l"},
		{"d/f/../f", "", "l"},
		{"..", "d/..", "d/l/f"},
		{"./d//f", "f/", "l"},
		{"missing/../d", "l/.", "l/f"},
	} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, one, two, name string) {
		for _, target := range []string{one, two} {
			if len(target) > 200 || strings.ContainsRune(target, 0) {
				return // no link can have it
			}
		}
		if len(name) > 200 || strings.ContainsRune(name, 0) {
			return // no file can have it
		}
		disk := t.TempDir()
		root := &fakeNode{nm: ".", kids: map[string]*fakeNode{
			"d": {nm: "d", kids: map[string]*fakeNode{"f": {nm: "f"}}}, "f": {nm: "f"},
		}}
		if err := errors.Join(os.Mkdir(filepath.Join(disk, "d"), 0o755), os.WriteFile(filepath.Join(disk, "d/f"), []byte("d/f"), 0o644),
			os.WriteFile(filepath.Join(disk, "f"), []byte("f"), 0o644)); err != nil {
			t.Fatal(err)
		}
		for at, target := range map[string]string{"l": one, "d/l": two} {
			if target == "" || os.Symlink(target, filepath.Join(disk, at)) != nil {
				continue
			}
			in := root
			if dir := path.Dir(at); dir != "." {
				in = root.kids[dir]
			}
			in.kids["l"] = &fakeNode{nm: "l", to: target}
		}
		e, at, err := resolve(root, "open", name, true)
		if err == nil && (!fs.ValidPath(at) || strings.Contains("/"+at+"/", "/l/")) {
			t.Fatalf("%q resolves to %q", name, at)
		}
		r, rerr := os.OpenRoot(disk)
		if rerr != nil {
			t.Fatal(rerr)
		}
		defer r.Close()
		if !fs.ValidPath(name) {
			if err == nil {
				t.Fatalf("%q resolves, though it is not a valid name", name)
			}
			return
		}
		if err != nil || e.mode().IsDir() {
			return // stricter than the system in what a link may say is fine
		}
		want, rerr := r.ReadFile(name)
		if rerr != nil || string(want) != at {
			t.Fatalf("%q resolves to %q, but on a disk it is %q, %v (links: %q, %q)", name, at, want, rerr, one, two)
		}
	})
}

func TestDotGitInDisguise(t *testing.T) {
	t.Parallel()
	for _, name := range []string{".git", ".GIT", ".gIt", ".git.", ".git ", ".git . .", "git~1", "GIT~1", ".git::$INDEX_ALLOCATION", ".g\u200cit", "\ufeff.git", `a\.git`, "..", ".", "", "a/b", "/"} {
		if !badName(name) {
			t.Errorf("%q is let through", name)
		}
	}
	for _, name := range []string{".gitignore", "git", ".github", "a.git", ".git2", "git~2", "...", "..a", `a\b`, "4913", "日本"} {
		if badName(name) {
			t.Errorf("%q is refused", name)
		}
	}
}
