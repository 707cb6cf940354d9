package sources_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/abide-agent/abide/internal/testkit/gitrepo"
	"github.com/abide-agent/abide/sources"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	r, server := served(t)
	one := r.Tip("main")
	r.Put("a", "2")
	two := r.Commit("two")
	r.SetRef("refs/tags/v1", one)
	r.SetRef("refs/heads/feature/x", one)
	r.Put("a", "3")
	three := r.Commit("three")
	r.SetRef("refs/heads/ahead", three)
	r.SetRef("refs/heads/main", two) // ahead has a commit that main has not

	for where, url := range map[string]string{"local": r.Dir, "remote": server.URL + "/app.git"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			g := newGit(t, sources.GitOptions{URL: url, Ref: sources.Ref{Branch: "main"}, Dir: filepath.Join(t.TempDir(), "git")})
			for rev, want := range map[string]string{
				"HEAD": two, "@": two, "main": two, "main~1": one, "main^": one, "main~": one, "HEAD~0": two, "v1": one,
				"feature/x": one, two: two, two[:9]: two, "ahead": three, "ahead~2": one, "ahead^^": one, three: three,
			} {
				got, err := g.Resolve(t.Context(), rev)
				if err != nil || got != want {
					t.Errorf("%s: %q, %v, want %s", rev, got, err, want)
					continue
				}
				if s, err := g.At(t.Context(), got); err != nil || s.Revision != want {
					t.Errorf("at %s: %v", rev, err)
				}
			}
			for _, rev := range []string{"", "-x", "nope", "main~9", "v1^", "ffffffffffffffffffffffffffffffffffffffff", "~1", "main~99999999999", "a b", "main:a"} {
				if got, err := g.Resolve(t.Context(), rev); err == nil {
					t.Errorf("%q gives %s", rev, got)
				}
			}
			if _, err := g.Resolve(t.Context(), "main~9"); !errors.Is(err, sources.ErrGone) {
				t.Errorf("before the first commit: %v", err)
			}
			if s := snap(t, g); s.Revision != two {
				t.Errorf("what is followed moved to %s", s.Revision)
			}
		})
	}
}

func FuzzResolve(f *testing.F) {
	r := gitrepo.New(f)
	r.Put("a", "1")
	r.Commit("one")
	g, err := sources.NewGit(sources.GitOptions{Name: "app", URL: r.Dir})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = g.Close() })
	for _, rev := range []string{"main", "main~1^", "~~~", "^", "HEAD@{1}", "../x", "refs/heads/main", "main~99999999999999999999"} {
		f.Add(rev)
	}
	f.Fuzz(func(t *testing.T, rev string) {
		if got, err := g.Resolve(t.Context(), rev); err == nil && len(got) != 40 {
			t.Errorf("%q gives %q", rev, got)
		}
	})
}
