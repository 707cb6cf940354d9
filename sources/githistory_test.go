package sources_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/abide-agent/abide/internal/testkit/gitrepo"
	"github.com/abide-agent/abide/internal/testkit/gitserver"
	"github.com/abide-agent/abide/internal/testkit/gitssh"
	"github.com/abide-agent/abide/sources"
)

// ways are the transports that a repository is followed by: each gives options
// for the repository at dir.
var ways = map[string]func(t *testing.T, dir string) sources.GitOptions{
	"file": func(_ *testing.T, dir string) sources.GitOptions { return sources.GitOptions{URL: dir} },
	"http": func(t *testing.T, dir string) sources.GitOptions {
		return sources.GitOptions{URL: gitserver.New(t, filepath.Dir(dir)).URL + "/" + filepath.Base(dir)}
	},
	"ssh": func(t *testing.T, dir string) sources.GitOptions {
		s := gitssh.New(t, "AcceptEnv GIT_PROTOCOL")
		return sources.GitOptions{URL: s.URL(dir), Auth: keyAuth(s)}
	},
	"ssh v1": func(t *testing.T, dir string) sources.GitOptions {
		s := gitssh.New(t, "")
		return sources.GitOptions{URL: s.URL(dir), Auth: keyAuth(s)}
	},
}

// TestHistories takes a source that works and does to its repository what
// people do. A step that is refused says why, leaves the last commit readable,
// and is forgotten once it is undone.
func TestHistories(t *testing.T) {
	t.Parallel()
	type step struct {
		do   func(r *gitrepo.Repo)
		want string // the content of a; or, where fault is set, what the error says
		kind error
	}
	fault := func(do func(r *gitrepo.Repo), want string, kind error) step { return step{do, "!" + want, kind} }
	push := func(content string) func(r *gitrepo.Repo) {
		return func(r *gitrepo.Repo) { r.Put("a", content); r.Commit(content) }
	}
	back := func(r *gitrepo.Repo) { r.SetRef("refs/heads/main", readTag(r)) }
	for name, c := range map[string]struct {
		ref   sources.Ref
		steps []step
	}{
		"forced back":       {sources.Ref{Branch: "main"}, []step{{push("2"), "2", nil}, {back, "1", nil}}},
		"rewritten":         {sources.Ref{}, []step{{push("2"), "2", nil}, {func(r *gitrepo.Repo) { back(r); push("3")(r) }, "3", nil}}},
		"unrelated history": {sources.Ref{}, []step{{func(r *gitrepo.Repo) { r.DeleteRef("refs/heads/main"); push("new")(r) }, "new", nil}}},
		"deleted branch": {sources.Ref{Branch: "main"}, []step{
			fault(func(r *gitrepo.Repo) { r.SetRef("refs/heads/other", readTag(r)); r.DeleteRef("refs/heads/main") }, `no branch "main"; it has: other`, nil),
			{back, "1", nil},
		}},
		"deleted default branch": {sources.Ref{}, []step{
			fault(func(r *gitrepo.Repo) { r.SetRef("refs/heads/other", readTag(r)); r.DeleteRef("refs/heads/main") }, `it has: other`, nil),
			{func(r *gitrepo.Repo) { r.SetHead("refs/heads/other") }, "1", nil},
		}},
		"no branch left": {sources.Ref{}, []step{
			fault(func(r *gitrepo.Repo) { r.DeleteRef("refs/heads/main"); r.DeleteRef("refs/tags/one") }, "no commit yet", sources.ErrEmpty),
			{func(r *gitrepo.Repo) { push("2")(r) }, "2", nil},
		}},
		"emptied": {sources.Ref{}, []step{
			fault(func(r *gitrepo.Repo) { r.Remove("."); r.Commit("nothing") }, "holds no file at all", sources.ErrEmpty),
			{push("2"), "2", nil},
		}},
		"moved tag": {sources.Ref{Tag: "one"}, []step{
			{func(r *gitrepo.Repo) { push("2")(r); r.SetRef("refs/tags/one", r.Tip("main")) }, "2", nil},
			{func(r *gitrepo.Repo) { push("3")(r); r.Tag("one", r.Tip("main"), plumbing.CommitObject) }, "3", nil},
			fault(func(r *gitrepo.Repo) { r.DeleteRef("refs/tags/one") }, `no tag "one"`, nil),
		}},
		"branch at a tag object": {sources.Ref{}, []step{
			{func(r *gitrepo.Repo) {
				push("2")(r)
				r.SetRef("refs/heads/main", r.Tag("two", r.Tip("main"), plumbing.CommitObject))
			}, "2", nil},
		}},
		"gone": {sources.Ref{}, []step{
			fault(func(r *gitrepo.Repo) { must(os.Rename(r.Dir, r.Dir+".gone")) }, "", nil),
			{func(r *gitrepo.Repo) { must(os.Rename(r.Dir+".gone", r.Dir)) }, "1", nil},
		}},
	} {
		for way, options := range ways {
			if way == "ssh v1" {
				continue // it differs in how a poll is made, see TestSSHFollowsRewrittenHistory
			}
			t.Run(name+"/"+way, func(t *testing.T) {
				t.Parallel()
				r := gitrepo.NewAt(t, filepath.Join(t.TempDir(), "app.git"))
				push("1")(r)
				r.SetRef("refs/tags/one", r.Tip("main"))
				must(os.WriteFile(filepath.Join(r.GitDir(), "description"), []byte(r.Tip("main")), 0o644))
				opt := options(t, r.Dir)
				opt.Ref = c.ref
				g := newGit(t, opt)
				last := snap(t, g)
				for i, s := range c.steps {
					s.do(r)
					for range 2 {
						got, err := g.Snapshot(t.Context())
						if s.want == "" || s.want[0] != '!' {
							check(t, err)
							if last = got; readFile(t, got, "a") != s.want {
								t.Errorf("step %d: %q, want %q", i, readFile(t, got, "a"), s.want)
							}
							continue
						}
						if wantErr(t, err, s.want[1:]); err == nil {
							t.Errorf("step %d is taken for good", i)
						}
						if s.kind != nil && !errors.Is(err, s.kind) {
							t.Errorf("step %d: %v is not %v", i, err, s.kind)
						}
						if way != "file" || name != "gone" { // there it is read from the repository itself
							readFile(t, last, "a")
						}
					}
				}
			})
		}
	}
}

// readTag gives the first commit, also when nothing leads to it any more.
func readTag(r *gitrepo.Repo) string {
	text, err := os.ReadFile(filepath.Join(r.GitDir(), "description"))
	must(err)
	return string(text)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// TestManyRefsAtAServer follows one of 100,000 branches.
func TestManyRefsAtAServer(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"http", "ssh v1"} {
		r := gitrepo.NewAt(t, filepath.Join(t.TempDir(), "app.git"))
		r.Put("a", "1")
		tip := r.Commit("one")
		manyRefs(t, r, 100_000)
		opt := ways[way](t, r.Dir)
		opt.Ref = sources.Ref{Branch: "b099999"}
		g := newGit(t, opt)
		for range 2 {
			if got := snap(t, g); got.Revision != tip {
				t.Errorf("%s: %s", way, got.Revision)
			}
		}
		opt.Ref = sources.Ref{Branch: "nope"}
		_, err := newGit(t, opt).Snapshot(t.Context())
		wantErr(t, err, "b000000, b000001", "and 99991 more")
	}
}

// TestSubmodulesAndLFS names what is not in the repository as what it is, and
// reads it from nowhere.
func TestSubmodulesAndLFS(t *testing.T) {
	t.Parallel()
	outside := gitrepo.New(t)
	outside.Put("f", "outside")
	r := gitrepo.New(t)
	r.Put(".gitmodules", "[submodule \"sub\"]\n\tpath = sub\n\turl = "+outside.Dir+"\n[submodule \"evil\"]\n\tpath = evil\n\turl = --upload-pack=touch /tmp/evil\n")
	r.Submodule("sub", outside.Commit("one"))
	r.Link("into", "sub/f")
	pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("ab", 32) + "\nsize 12345\n"
	r.Put("large.bin", pointer)
	r.Commit("one")
	s := snap(t, newGit(t, sources.GitOptions{URL: r.Dir}))
	for _, name := range []string{"sub/f", "sub/d/f", "into"} {
		_, err := fs.ReadFile(s.Tree, name)
		wantErr(t, err, `submodule "sub"`, "is not followed", "a source of its own")
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v is not ErrNotExist", name, err)
		}
	}
	if list, err := fs.ReadDir(s.Tree, "sub"); len(list) != 0 || err != nil {
		t.Errorf("the submodule lists %v, %v; want an empty directory", list, err)
	}
	if got := readFile(t, s, "large.bin"); got != pointer || !sources.IsLFSPointer([]byte(got)) {
		t.Errorf("the pointer reads %q", got)
	}
	for _, text := range []string{"", "version https://git-lfs.github.com/spec/v1", "version 1\noid sha256:ab\n", pointer + strings.Repeat("x", 1024)} {
		if sources.IsLFSPointer([]byte(text)) {
			t.Errorf("%q is taken for a pointer", text)
		}
	}
}
