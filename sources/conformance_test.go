package sources_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/abide-agent/abide/internal/testkit/gitrepo"
	"github.com/abide-agent/abide/internal/testkit/gitserver"
	"github.com/abide-agent/abide/sources"
	"github.com/abide-agent/abide/sources/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// repoFixture makes a fixture of a repository that is changed by commits.
func repoFixture(t *testing.T, r *gitrepo.Repo, src sources.Source, files map[string]string) *sourcetest.Fixture {
	put := func(files map[string]string) {
		for name, content := range files {
			r.Put(name, content)
		}
		r.Commit("change")
	}
	put(files)
	return &sourcetest.Fixture{
		Source:  src,
		Put:     put,
		Link:    func(name, target string) { r.Link(name, target); r.Commit("link") },
		Remove:  func(name string) { r.Remove(name); r.Commit("remove") },
		Vanish:  func() { check(t, os.Rename(r.Dir, r.Dir+".gone")) },
		Return:  func() { check(t, os.Rename(r.Dir+".gone", r.Dir)) },
		History: true,
		Dirs:    []string{r.Dir},
	}
}

func TestLocalGitConforms(t *testing.T) {
	t.Parallel()
	for name, pack := range map[string]bool{"loose": false, "packed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sourcetest.Run(t, func(t *testing.T, files map[string]string) *sourcetest.Fixture {
				r := gitrepo.New(t)
				src, err := sources.NewGit(sources.GitOptions{URL: r.Dir})
				check(t, err)
				f := repoFixture(t, r, src, files)
				if pack {
					r.Pack()
				}
				return f
			})
		})
	}
}

func TestRemoteGitConforms(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, func(t *testing.T, files map[string]string) *sourcetest.Fixture {
		root := t.TempDir()
		server := gitserver.New(t, root)
		r := gitrepo.NewAt(t, filepath.Join(root, "app.git"))
		src, err := sources.NewGit(sources.GitOptions{
			URL: server.URL + "/app.git", Dir: filepath.Join(t.TempDir(), "clone"), Interval: 20 * time.Millisecond,
		})
		check(t, err)
		return repoFixture(t, r, src, files)
	})
}

func TestDirConforms(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, func(t *testing.T, files map[string]string) *sourcetest.Fixture {
		dir := filepath.Join(t.TempDir(), "watched")
		put := func(files map[string]string) {
			for name, content := range files {
				full := filepath.Join(dir, name)
				check(t, os.MkdirAll(filepath.Dir(full), 0o755))
				check(t, os.WriteFile(full, []byte(content), 0o644))
			}
		}
		put(files)
		src, err := sources.NewDir(sources.DirOptions{Path: dir, Settle: 20 * time.Millisecond})
		check(t, err)
		return &sourcetest.Fixture{
			Source: src,
			Put:    put,
			Link:   func(name, target string) { check(t, os.Symlink(target, filepath.Join(dir, name))) },
			Remove: func(name string) { check(t, os.RemoveAll(filepath.Join(dir, name))) },
			Vanish: func() { check(t, os.Rename(dir, dir+".gone")) },
			Return: func() { check(t, os.Rename(dir+".gone", dir)) },
			Dirs:   []string{dir},
		}
	})
}
