package sources_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/abide-agent/abide/internal/testkit/gitrepo"
	"github.com/abide-agent/abide/internal/testkit/notrun"
	"github.com/abide-agent/abide/sources"
)

// newGit makes a source that is closed at the end.
func newGit(t testing.TB, opt sources.GitOptions) *sources.Git {
	t.Helper()
	g, err := sources.NewGit(opt)
	check(t, err)
	t.Cleanup(func() { g.Close() })
	return g
}

func snap(t testing.TB, s sources.Source) *sources.Snapshot {
	t.Helper()
	out, err := s.Snapshot(t.Context())
	check(t, err)
	return out
}

func wantErr(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("the error is %v, want one with %q", err, p)
		}
	}
}

// git runs the git binary on a repository.
func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		notrun.Because(t, "there is no git binary to compare with")
	}
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=Ada", "-c", "user.email=ada@example.org"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestGitSelectsARef(t *testing.T) {
	t.Parallel()
	r := gitrepo.New(t)
	r.Put("a", "one")
	one := r.Commit("one\n\nbody")
	r.SetRef("refs/tags/light", one)
	r.Tag("nested", r.Tag("annotated", one, plumbing.CommitObject), plumbing.TagObject)
	r.On("feature/deep")
	r.Put("a", "two")
	two := r.Commit("\n  two  \nmore")
	r.SetRef("refs/heads/main", one)
	for _, packed := range []bool{false, true} {
		if packed {
			r.PackRefs()
			r.Pack()
		}
		for name, c := range map[string]struct {
			ref  sources.Ref
			want string
		}{
			"HEAD":           {sources.Ref{}, one},
			"branch":         {sources.Ref{Branch: "feature/deep"}, two},
			"full branch":    {sources.Ref{Branch: "refs/heads/feature/deep"}, two},
			"tag":            {sources.Ref{Tag: "light"}, one},
			"annotated tag":  {sources.Ref{Tag: "annotated"}, one},
			"tag of a tag":   {sources.Ref{Tag: "nested"}, one},
			"commit":         {sources.Ref{Commit: two}, two},
			"capital commit": {sources.Ref{Commit: strings.ToUpper(two)}, two},
			"short commit":   {sources.Ref{Commit: two[:7]}, two},
		} {
			if got := snap(t, newGit(t, sources.GitOptions{URL: "file://" + r.Dir, Ref: c.ref})); got.Revision != c.want {
				t.Errorf("%s (packed: %v): %s, want %s", name, packed, got.Revision, c.want)
			}
		}
	}
	got := snap(t, newGit(t, sources.GitOptions{URL: r.Dir, Name: "x", Ref: sources.Ref{Commit: two}}))
	want := &sources.Commit{Hash: two, Author: "Ada <ada@example.org>", Subject: "two", When: got.Commit.When}
	if diff := cmp.Diff(want, got.Commit); diff != "" || got.Source != "x" {
		t.Errorf("the commit (-want +got):\n%s", diff)
	}
}

func TestGitSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	r := gitrepo.New(t)
	r.Put("d/a", "1")
	r.Link("l", "d")
	r.Submodule("sub", strings.Repeat("1", 40))
	tip := r.Commit("one")
	r.SetRef("refs/heads/other", tip)
	r.SetRef("refs/tags/tree", r.RawTree().String())
	empty, plain, file := gitrepo.New(t), t.TempDir(), filepath.Join(t.TempDir(), "f")
	check(t, os.WriteFile(file, nil, 0o644))
	check(t, os.MkdirAll(filepath.Join(r.Dir, "d"), 0o755))
	sha256 := gitrepo.New(t)
	check(t, os.WriteFile(filepath.Join(sha256.GitDir(), "config"), []byte("[extensions]\n\tobjectFormat = sha256\n"), 0o644))
	for name, c := range map[string]struct {
		opt   sources.GitOptions
		parts []string
		kind  error
	}{
		"no branch":   {sources.GitOptions{Ref: sources.Ref{Branch: "nope"}}, []string{`no branch "nope"; it has: main, other`}, nil},
		"no tag":      {sources.GitOptions{Ref: sources.Ref{Tag: "v1"}}, []string{`no tag "v1"; it has: tree`}, nil},
		"tag of tree": {sources.GitOptions{Ref: sources.Ref{Tag: "tree"}}, []string{"names a tree, not a commit"}, nil},
		"no commit":   {sources.GitOptions{Ref: sources.Ref{Commit: "12345678"}}, []string{"no commit 12345678"}, nil},
		"no path":     {sources.GitOptions{Path: "x/y"}, []string{`path "x/y"`, "nothing of that name"}, nil},
		"path file":   {sources.GitOptions{Path: "d/a/b"}, []string{`"a" is a file`}, nil},
		"path link":   {sources.GitOptions{Path: "l"}, []string{`"l" is a link`}, nil},
		"path sub":    {sources.GitOptions{Path: "sub"}, []string{`"sub" is a submodule`}, nil},
		"missing":     {sources.GitOptions{URL: "/does/not/exist"}, []string{"/does/not/exist does not exist"}, fs.ErrNotExist},
		"no repo":     {sources.GitOptions{URL: plain}, []string{"is not a Git repository"}, nil},
		"folder":      {sources.GitOptions{URL: filepath.Join(r.Dir, "d")}, []string{"a folder of the one at " + r.Dir, "with the path d"}, nil},
		"file":        {sources.GitOptions{URL: file}, []string{"is a file"}, nil},
		"empty":       {sources.GitOptions{URL: empty.Dir}, []string{"no commit yet"}, sources.ErrEmpty},
		"sha256":      {sources.GitOptions{URL: sha256.Dir}, []string{"object format sha256"}, nil},
	} {
		if c.opt.URL == "" {
			c.opt.URL = r.Dir
		}
		_, err := newGit(t, c.opt).Snapshot(t.Context())
		t.Log(name, ":", err)
		wantErr(t, err, c.parts...)
		if c.kind != nil && !errors.Is(err, c.kind) {
			t.Errorf("%s: %v is not %v", name, err, c.kind)
		}
	}
	for _, opt := range []sources.GitOptions{
		{URL: "-x"},
		{URL: r.Dir, Ref: sources.Ref{Branch: "--upload-pack=x"}},
		{URL: r.Dir, Ref: sources.Ref{Tag: "-h"}},
		{URL: r.Dir, Ref: sources.Ref{Commit: "-1234"}},
		{URL: r.Dir, Ref: sources.Ref{Commit: "xyz"}},
		{URL: r.Dir, Ref: sources.Ref{Commit: "abc"}},
		{URL: r.Dir, Ref: sources.Ref{Branch: "a..b"}},
		{URL: r.Dir, Ref: sources.Ref{Branch: "a@{1}"}},
		{URL: r.Dir, Ref: sources.Ref{Branch: "../../config"}},
		{URL: r.Dir, Ref: sources.Ref{Branch: "a", Tag: "b"}},
		{URL: r.Dir, Path: "../x"},
		{URL: r.Dir, Path: "a/../../x"},
		{URL: r.Dir, Path: "a\x00"},
	} {
		if g, err := sources.NewGit(opt); err == nil {
			t.Errorf("%+v is accepted", opt)
			g.Close()
		}
	}
}

func TestGitUnreadable(t *testing.T) {
	t.Parallel()
	r := gitrepo.New(t)
	r.Put("a", "1")
	r.Commit("one")
	check(t, os.Chmod(filepath.Dir(filepath.Dir(r.Dir)), 0o755)) // testing makes it for its owner alone
	check(t, os.Chmod(filepath.Join(r.GitDir(), "objects"), 0))
	defer os.Chmod(filepath.Join(r.GitDir(), "objects"), 0o755)
	g := newGit(t, sources.GitOptions{URL: r.Dir})
	asNobody(func() {
		_, err := g.Snapshot(t.Context())
		wantErr(t, err, "permission denied", "run abide as a user")
	})
}

// asNobody runs f on a thread that may read no more than any user may, also when
// the tests are run by root. The thread ends with it.
func asNobody(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if os.Getuid() == 0 {
			_, _ = unix.SetfsuidRetUid(65534)
		}
		f()
	}()
	<-done
}

func TestGitPathScopesTheContent(t *testing.T) {
	t.Parallel()
	r := gitrepo.New(t)
	r.Put("deploy/a", "1")
	r.Put("src/b", "1")
	r.Commit("one")
	g := newGit(t, sources.GitOptions{URL: r.Dir, Path: "/deploy/"})
	one := snap(t, g)
	r.Put("src/b", "2")
	r.Commit("two")
	two := snap(t, g)
	if one.Content != two.Content || one.Revision == two.Revision {
		t.Errorf("a commit outside the path: content %s, %s; revision %s, %s", one.Content, two.Content, one.Revision, two.Revision)
	}
	if _, err := fs.Stat(two.Tree, "src"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what lies above the path is seen: %v", err)
	}
	file := snap(t, newGit(t, sources.GitOptions{URL: r.Dir, Path: "src/b"}))
	if got, err := fs.ReadFile(file.Tree, file.Only); string(got) != "2" || err != nil || file.Only != "b" {
		t.Errorf("the path of a file: only %q, %q, %v", file.Only, got, err)
	}
}

// TestGitFollowsGit checks against repositories as the git binary makes them.
func TestGitFollowsGit(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "repo")
	check(t, os.MkdirAll(dir, 0o755))
	git(t, dir, "init", "-q", "-b", "main")
	commit := func(content string) {
		check(t, os.WriteFile(filepath.Join(dir, "a"), []byte(content), 0o755))
		git(t, dir, "add", "a")
		git(t, dir, "commit", "-q", "-m", "change")
	}
	commit("one")
	g := newGit(t, sources.GitOptions{URL: dir})
	old := snap(t, g)
	if info, err := fs.Stat(old.Tree, "a"); err != nil || info.Mode() != 0o755 || info.Size() != 3 {
		t.Errorf("an executable file: %v, %v", info, err)
	}
	commit("two")
	git(t, dir, "gc", "-q", "--prune=now")
	two := snap(t, g)
	git(t, dir, "commit", "-q", "--amend", "--allow-empty", "-m", "rewritten")
	git(t, dir, "worktree", "add", "-q", "../tree", "-b", "side")
	git(t, filepath.Join(dir, "../tree"), "commit", "-q", "--allow-empty", "-m", "side")
	git(t, dir, "clone", "-q", "--shared", dir, "../borrows")
	git(t, dir, "clone", "-q", "--bare", dir, "../bare.git")
	git(t, dir, "-c", "protocol.file.allow=always", "submodule", "add", "-q", "../bare.git", "sub")
	git(t, dir, "commit", "-q", "-m", "a submodule")
	for sub, ref := range map[string]string{".": "HEAD", "../tree": "HEAD", "../borrows": "HEAD", "../bare.git": "main", "sub": "HEAD"} {
		s := snap(t, newGit(t, sources.GitOptions{URL: filepath.Join(dir, sub)}))
		if want := git(t, filepath.Join(dir, sub), "rev-parse", ref); s.Revision != want {
			t.Errorf("%s is at %s, want %s", sub, s.Revision, want)
		}
		if got, err := fs.ReadFile(s.Tree, "a"); string(got) != "two" || err != nil {
			t.Errorf("%s: %q, %v", sub, got, err)
		}
		if want := git(t, filepath.Join(dir, sub), "rev-parse", ref+"^{tree}"); s.Content != want {
			t.Errorf("%s: the content is %s, want the tree %s", sub, s.Content, want)
		}
	}
	git(t, dir, "gc", "-q", "--prune=now")
	if got, err := fs.ReadFile(two.Tree, "a"); string(got) != "two" || err != nil {
		t.Errorf("after gc: %q, %v", got, err)
	}
	if list, err := fs.ReadDir(snap(t, g).Tree, "sub"); err != nil || len(list) != 0 {
		t.Errorf("a submodule lists %v, %v; want an empty directory", list, err)
	}
}

// TestGitKeepsSnapshotsThroughRewrites takes away all that a snapshot stands on
// but the pack it was opened with.
func TestGitKeepsSnapshotsThroughRewrites(t *testing.T) {
	t.Parallel()
	r := gitrepo.New(t)
	r.Put("a", "old")
	r.Commit("one")
	r.Pack()
	g := newGit(t, sources.GitOptions{URL: r.Dir})
	old := snap(t, g)
	packs, err := filepath.Glob(filepath.Join(r.GitDir(), "objects/pack/*"))
	check(t, err)
	r2 := gitrepo.New(t)
	r2.Put("a", "new")
	r2.Commit("another history")
	for _, p := range packs {
		check(t, os.Remove(p))
	}
	check(t, os.CopyFS(filepath.Join(r.GitDir(), "objects"), os.DirFS(filepath.Join(r2.GitDir(), "objects"))))
	r.SetRef("refs/heads/main", r2.Tip("main"))
	if got, err := fs.ReadFile(snap(t, g).Tree, "a"); string(got) != "new" || err != nil {
		t.Errorf("the new snapshot: %q, %v", got, err)
	}
	if got, err := fs.ReadFile(old.Tree, "a"); string(got) != "old" || err != nil {
		t.Errorf("the old snapshot: %q, %v", got, err)
	}
	if _, err := g.At(t.Context(), old.Revision); !errors.Is(err, sources.ErrGone) {
		t.Errorf("a commit that is gone: %v", err)
	}
}

// TestGitHintsAtOnce bounds the time from the moved ref to the hint, generously:
// the benchmark says how long it really takes.
func TestGitHintsAtOnce(t *testing.T) {
	t.Parallel()
	r := gitrepo.New(t)
	r.Put("a", "1")
	r.Commit("one")
	r.PackRefs()
	g := newGit(t, sources.GitOptions{URL: r.Dir, Ref: sources.Ref{Branch: "team/x/y"}})
	hint := make(chan struct{}, 100)
	done := make(chan error, 1)
	ctx := t.Context()
	go func() { done <- g.Run(ctx, func() { hint <- struct{}{} }) }()
	<-hint // armed
	r.On("team/x/y")
	for range 3 {
		began := time.Now()
		tip := r.Commit("change")
		for {
			<-hint
			if s, err := g.Snapshot(ctx); err == nil && s.Revision == tip {
				break
			}
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the hint came after %v: from the poll, not the event", took)
		}
	}
}
