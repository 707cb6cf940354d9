package sources

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestDigestsAreCachedOnlyWhenTheTimesVouch looks into the cache itself, since
// what it saves cannot be seen from outside.
func TestDigestsAreCachedOnlyWhenTheTimesVouch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, n := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, n), []byte(n), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	d, err := NewDir(DirOptions{Path: dir, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	cached := func() (n int) {
		t.Helper()
		s, err := d.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		kids, err := s.Tree.(*tree).root.(*dirNode).list()
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range kids {
			if _, ok := d.cache.get(k.path, k.stamp); ok {
				n++
			}
		}
		return n
	}
	if n := cached(); n != 0 {
		t.Errorf("%d digests of files that were just written are cached", n)
	}
	now = now.Add(3 * time.Second)
	if n := cached(); n != 2 {
		t.Errorf("%d digests of files of old are cached, want 2", n)
	}
	if err := os.Remove(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		cached()
	}
	if n := len(d.cache.files); n != 1 {
		t.Errorf("%d digests are kept for one file", n)
	}
}
