package sources_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/internal/testkit/gitrepo"
	"github.com/abide-agent/abide/sources"
)

// TestHostileNames puts names into a tree that Git would never write.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	r := gitrepo.New(t)
	blob := r.Object(plumbing.BlobObject, []byte("x"))
	sub := r.RawTree(gitrepo.Entry{Mode: "100644", Name: "f", Hash: blob})
	bad := []string{"..", ".", ".git", ".GIT", "git~1", ".g\u200cit", ".git ", "a/b", "../../etc/passwd", "/abs"}
	entries := []gitrepo.Entry{{Mode: "100644", Name: "good", Hash: blob}, {Mode: "100644", Name: "twice", Hash: blob}, {Mode: "120000", Name: "twice", Hash: blob}}
	for _, n := range bad {
		entries = append(entries, gitrepo.Entry{Mode: "40000", Name: n, Hash: sub})
	}
	entries = append(entries, gitrepo.Entry{Mode: "40000", Name: "also", Hash: sub})
	r.CommitTree(r.RawTree(entries...), "hostile")
	s := snap(t, newGit(t, sources.GitOptions{URL: r.Dir}))

	var seen []string
	var refused []string
	err := fs.WalkDir(s.Tree, ".", func(name string, _ fs.DirEntry, err error) error {
		if re, ok := errors.AsType[*sources.RefusedError](err); ok {
			refused = append(refused, re.Names...)
			wantErr(t, err, "names that are refused", "rename them")
			return nil
		}
		seen = append(seen, name)
		return err
	})
	check(t, err)
	if diff := cmp.Diff([]string{".", "also", "also/f", "good"}, seen); diff != "" {
		t.Errorf("seen (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(append(bad, "twice", "twice"), refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	for _, n := range append(bad, "twice") {
		if _, err := s.Tree.Open(n); err == nil && n != "." {
			t.Errorf("%q can be opened", n)
		}
		if n != "." && fs.ValidPath(n) {
			if _, err := s.Tree.Open(n + "/f"); err == nil {
				t.Errorf("%q can be walked into", n)
			}
		}
	}
}

// TestHostileObjects points where nothing, or the wrong thing, is.
func TestHostileObjects(t *testing.T) {
	t.Parallel()
	r := gitrepo.New(t)
	blob := r.Object(plumbing.BlobObject, []byte("x"))
	gone := plumbing.NewHash(strings.Repeat("ab", 20))
	broken := r.Object(plumbing.TreeObject, []byte("100644 truncated\x00abc"))
	long := r.Object(plumbing.BlobObject, []byte(strings.Repeat("a/", 5000)))
	deep := r.RawTree(gitrepo.Entry{Mode: "100644", Name: "bottom", Hash: blob})
	for range 300 {
		deep = r.RawTree(gitrepo.Entry{Mode: "40000", Name: "d", Hash: deep})
	}
	r.CommitTree(r.RawTree(
		gitrepo.Entry{Mode: "100644", Name: "fine", Hash: blob},
		gitrepo.Entry{Mode: "100644", Name: "gone", Hash: gone},
		gitrepo.Entry{Mode: "40000", Name: "gonedir", Hash: gone},
		gitrepo.Entry{Mode: "40000", Name: "isblob", Hash: blob},
		gitrepo.Entry{Mode: "100644", Name: "istree", Hash: deep},
		gitrepo.Entry{Mode: "40000", Name: "broken", Hash: broken},
		gitrepo.Entry{Mode: "120000", Name: "long", Hash: long},
		gitrepo.Entry{Mode: "120000", Name: "emptylink", Hash: r.Object(plumbing.BlobObject, nil)},
		gitrepo.Entry{Mode: "40000", Name: "deep", Hash: deep},
	), "hostile")
	s := snap(t, newGit(t, sources.GitOptions{URL: r.Dir}))
	for _, n := range []string{"gone", "isblob/f", "gonedir/f", "istree", "broken/f", "long", "emptylink"} {
		if f, err := s.Tree.Open(n); err == nil {
			t.Errorf("%s opens as %v", n, f)
		} else {
			t.Log(err)
		}
	}
	if got, err := fs.ReadFile(s.Tree, "fine"); string(got) != "x" || err != nil {
		t.Errorf("the one that is fine: %q, %v", got, err)
	}
	if got, err := fs.ReadFile(s.Tree, "deep"+strings.Repeat("/d", 300)+"/bottom"); string(got) != "x" || err != nil {
		t.Errorf("300 directories deep: %q, %v", got, err)
	}
}

// TestHostileRepository holds refs and files that lead nowhere good.
func TestHostileRepository(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		harm func(*testing.T, *gitrepo.Repo)
		want string
	}{
		"HEAD leads nowhere": {func(t *testing.T, r *gitrepo.Repo) { r.SetHead("refs/heads/gone") }, `names "gone", which does not exist; choose a branch, it has: main`},
		"HEAD in a circle":   {func(t *testing.T, r *gitrepo.Repo) { r.SetRef("refs/heads/main", "ref: refs/heads/main") }, "circle"},
		"HEAD escapes":       {func(t *testing.T, r *gitrepo.Repo) { r.SetRef("HEAD", "ref: refs/../../../etc/passwd") }, "refs/../../../etc/passwd"},
		"ref to nothing":     {func(t *testing.T, r *gitrepo.Repo) { r.SetRef("refs/heads/main", strings.Repeat("12", 20)) }, "holds no object 1212"},
		"ref of garbage":     {func(t *testing.T, r *gitrepo.Repo) { r.SetRef("refs/heads/main", "garbage") }, "holds no hash"},
		"empty ref": {func(t *testing.T, r *gitrepo.Repo) {
			check(t, os.WriteFile(filepath.Join(r.GitDir(), "refs/heads/main"), nil, 0o644))
		}, "empty or damaged"},
		"ref to a blob": {func(t *testing.T, r *gitrepo.Repo) {
			r.SetRef("refs/heads/main", r.Object(plumbing.BlobObject, []byte("x")).String())
		}, "names a blob, not a commit"},
		"endless tags": {func(t *testing.T, r *gitrepo.Repo) {
			h, typ := r.Tip("main"), plumbing.CommitObject
			for i := range 20 {
				h, typ = r.Tag(fmt.Sprint("t", i), h, typ), plumbing.TagObject
			}
			r.SetRef("refs/heads/main", h)
		}, "tag of a tag"},
		"refs with odd names": {func(t *testing.T, r *gitrepo.Repo) {
			r.SetRef("refs/heads/\u202egnp.x", r.Tip("main"))
			r.DeleteRef("refs/heads/main")
		}, `"\u202egnp.x"`},
		"broken index": {func(t *testing.T, r *gitrepo.Repo) {
			r.Pack()
			idx, _ := filepath.Glob(filepath.Join(r.GitDir(), "objects/pack/*.idx"))
			check(t, os.WriteFile(idx[0], []byte("\377tOc garbage"), 0o644))
		}, "/repo: "},
		"broken loose object": {func(t *testing.T, r *gitrepo.Repo) {
			h := r.Tip("main")
			name := filepath.Join(r.GitDir(), "objects", h[:2], h[2:])
			check(t, os.Remove(name))
			check(t, os.WriteFile(name, []byte("garbage"), 0o644))
		}, "/repo: "},
		"gitdir to nothing": {func(t *testing.T, r *gitrepo.Repo) {
			check(t, os.RemoveAll(r.GitDir()))
			check(t, os.WriteFile(r.GitDir(), []byte("gitdir: ../../nothing\n"), 0o644))
		}, "is not a Git repository"},
		"gitfile of garbage": {func(t *testing.T, r *gitrepo.Repo) {
			check(t, os.RemoveAll(r.GitDir()))
			check(t, os.WriteFile(r.GitDir(), []byte("hello"), 0o644))
		}, "gitdir: PATH"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := gitrepo.New(t)
			r.Put("a", "1")
			r.Commit("one")
			c.harm(t, r)
			g := newGit(t, sources.GitOptions{URL: r.Dir})
			for range 2 { // also the second time
				_, err := g.Snapshot(t.Context())
				wantErr(t, err, c.want)
			}
		})
	}
}

// TestManyRefs is a repository with a great many branches.
func TestManyRefs(t *testing.T) {
	t.Parallel()
	r := gitrepo.New(t)
	r.Put("a", "1")
	tip := r.Commit("one")
	var b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&b, "%s refs/heads/b%06d\n", tip, i)
	}
	check(t, os.WriteFile(filepath.Join(r.GitDir(), "packed-refs"), []byte(b.String()), 0o644))
	if s := snap(t, newGit(t, sources.GitOptions{URL: r.Dir, Ref: sources.Ref{Branch: "b099999"}})); s.Revision != tip {
		t.Errorf("the last branch is at %s", s.Revision)
	}
	_, err := newGit(t, sources.GitOptions{URL: r.Dir, Ref: sources.Ref{Branch: "nope"}}).Snapshot(t.Context())
	wantErr(t, err, "b000000, b000001", "and 99991 more")
}

// TestRepositoryIsNeverWrittenTo compares every file before and after.
func TestRepositoryIsNeverWrittenTo(t *testing.T) {
	t.Parallel()
	r := gitrepo.New(t)
	r.Put("a", strings.Repeat("x", 3<<20))
	r.Commit("one")
	r.Pack()
	r.Put("b", "loose")
	r.Commit("two")
	state := func() map[string]string {
		out := map[string]string{}
		check(t, filepath.WalkDir(r.Dir, func(p string, d fs.DirEntry, err error) error {
			if err == nil {
				info, ierr := d.Info()
				out[p], err = fmt.Sprint(info.Mode(), info.ModTime(), info.Size()), ierr
			}
			return err
		}))
		return out
	}
	before := state()
	g := newGit(t, sources.GitOptions{URL: r.Dir})
	s := snap(t, g)
	for _, n := range []string{"a", "b"} {
		_, err := fs.ReadFile(s.Tree, n)
		check(t, err)
	}
	_, err := g.At(t.Context(), s.Revision)
	check(t, err)
	check(t, g.Close())
	if diff := cmp.Diff(before, state()); diff != "" {
		t.Errorf("the repository changed:\n%s", diff)
	}
}
