package sources_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/abide-agent/abide/sources"
)

// TestRemoteRecovers damages the clone in every way that a crash or a hand can.
func TestRemoteRecovers(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(t *testing.T, dir string){
		"removed":  func(t *testing.T, dir string) { check(t, os.RemoveAll(dir)) },
		"no packs": func(t *testing.T, dir string) { removeAll(t, dir, "objects/pack/*") },
		"no index": func(t *testing.T, dir string) { removeAll(t, dir, "objects/pack/*.idx") },
		"no HEAD":  func(t *testing.T, dir string) { check(t, os.Remove(filepath.Join(dir, "HEAD"))) },
		"leftovers": func(t *testing.T, dir string) {
			check(t, os.WriteFile(filepath.Join(dir, "objects/pack/tmp_pack_1"), []byte("x"), 0o600))
		},
		"half a swap": func(t *testing.T, dir string) {
			check(t, os.Rename(dir, dir+".old"))
			check(t, os.MkdirAll(dir+".new/objects", 0o700))
		},
		"another's": func(t *testing.T, dir string) {
			check(t, os.WriteFile(filepath.Join(dir, "abide-origin"), []byte("https://x/y\n"), 0o600))
		},
		"truncated": func(t *testing.T, dir string) {
			packs, _ := filepath.Glob(filepath.Join(dir, "objects/pack/*.pack"))
			check(t, os.Chmod(packs[0], 0o600))
			check(t, os.Truncate(packs[0], 50))
		},
		"zeroed index": func(t *testing.T, dir string) {
			idx, _ := filepath.Glob(filepath.Join(dir, "objects/pack/*.idx"))
			check(t, os.Chmod(idx[0], 0o600))
			check(t, os.WriteFile(idx[0], make([]byte, 2000), 0o600))
		},
	} {
		for _, restart := range []bool{false, true} {
			if name == "truncated" && !restart {
				continue // packs are looked at when they are taken up, not at every poll
			}
			t.Run(fmt.Sprint(name, " restart ", restart), func(t *testing.T) {
				t.Parallel()
				r, server := served(t)
				r.Put("b", randomText(5000))
				r.Commit("two")
				dir := filepath.Join(t.TempDir(), "clone")
				opt := sources.GitOptions{URL: server.URL + "/app.git", Dir: dir}
				g := newGit(t, opt)
				snap(t, g)
				if restart {
					check(t, g.Close())
				}
				harm(t, dir)
				if restart {
					g = newGit(t, opt)
				}
				r.Put("c", "3")
				r.Commit("three")
				s := snap(t, g)
				if readFile(t, s, "a") != "1" || readFile(t, s, "c") != "3" || len(readFile(t, s, "b")) != 5000 {
					t.Error("the content is not what was pushed")
				}
				if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), "*")); len(left) != 1 && restart {
					t.Errorf("left behind: %v", left)
				}
			})
		}
	}
}

func removeAll(t *testing.T, dir, pattern string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	check(t, err)
	for _, n := range names {
		check(t, os.Remove(n))
	}
}

// TestRemoteKeepsFewPacks pushes often, and reads what was seen first at the end.
func TestRemoteKeepsFewPacks(t *testing.T) {
	t.Parallel()
	r, server := served(t)
	dir := filepath.Join(t.TempDir(), "clone")
	g := newGit(t, sources.GitOptions{URL: server.URL + "/app.git", Dir: dir})
	g.SetMaxPacks(5)
	first := snap(t, g)
	for i := range 12 {
		r.Put("a", fmt.Sprint("content ", i))
		r.Commit("again")
		snap(t, g)
	}
	packs, err := filepath.Glob(filepath.Join(dir, "objects/pack/*.pack"))
	check(t, err)
	if len(packs) > 5 {
		t.Errorf("%d packs", len(packs))
	}
	runtime.GC() // what a snapshot still needs is kept
	if got := readFile(t, first, "a"); got != "1" {
		t.Errorf("the first snapshot reads %q", got)
	}
}
