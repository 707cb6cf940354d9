package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/sources"
)

func testShows(t *testing.T, mk Maker) {
	f := start(t, mk, map[string]string{"a.yaml": "workflow: []\n", "pipelines/b.yaml": "b", "deep/er/c.txt": "c"})
	s := look(t, f)
	if s.Source != f.Source.Name() || s.Source == "" || f.Source.Location() == "" {
		t.Errorf("Source is %q, Name %q, Location %q", s.Source, f.Source.Name(), f.Source.Location())
	}
	if s.Revision == "" || s.Content == "" {
		t.Errorf("Revision is %q, Content %q", s.Revision, s.Content)
	}
	got := map[string]string{}
	err := fs.WalkDir(s.Tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			got[name] = read(t, s, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a.yaml": "workflow: []\n", "pipelines/b.yaml": "b", "deep/er/c.txt": "c"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the tree (-want +got):\n%s", diff)
	}
	if _, err := fs.Stat(s.Tree, "nothing/here"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat of a missing file: %v", err)
	}
	if _, err := s.Tree.Open("../x"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Open of an invalid name: %v", err)
	}
}

func testFS(t *testing.T, mk Maker) {
	big := strings.Repeat("0123456789abcdef", 200_000) // 3.2 MB: streamed
	f := start(t, mk, map[string]string{"a": "1", "b/c": "2", "b/d/e": "3", "empty": "", "big": big})
	f.Link("b/link", "../a")
	s := look(t, f)
	if err := fstest.TestFS(s.Tree, "a", "b/c", "b/d/e", "empty", "b/link", "big"); err != nil {
		t.Error(err)
	}
	if read(t, s, "big") != big {
		t.Error("the large file reads differently")
	}
	for _, ok := range []bool{
		is[fs.ReadDirFS](s.Tree), is[fs.StatFS](s.Tree), is[fs.ReadFileFS](s.Tree), is[fs.ReadLinkFS](s.Tree), is[sources.Hasher](s.Tree),
	} {
		if !ok {
			t.Errorf("%T lacks an interface of the contract", s.Tree)
		}
	}
}

func is[T any](v any) bool {
	_, ok := v.(T)
	return ok
}

func testContent(t *testing.T, mk Maker) {
	f := start(t, mk, map[string]string{"a": "1", "b": "2"})
	first := look(t, f)
	if again := look(t, f); again.Content != first.Content || again.Revision != first.Revision {
		t.Errorf("nothing changed, but %s became %s", first.Content, again.Content)
	}
	f.Put(map[string]string{"a": "X"})
	second := look(t, f)
	if second.Content == first.Content || second.Revision == first.Revision {
		t.Error("a change of one byte, size kept, is not seen")
	}
	f.Put(map[string]string{"a": "1"})
	if third := look(t, f); third.Content != first.Content {
		t.Error("the content is as it was, but its identity is another")
	}
	f.Remove("b")
	if fourth := look(t, f); fourth.Content == first.Content {
		t.Error("a removed file is not seen")
	}
}

func testHash(t *testing.T, mk Maker) {
	f := start(t, mk, map[string]string{"a": "same", "b": "same", "d/x": "1", "e/x": "1"})
	f.Link("l", "a")
	f.Link("m", "b")
	s := look(t, f)
	if hash(t, s, "a") != hash(t, s, "b") || hash(t, s, "d") != hash(t, s, "e") {
		t.Error("equal content has different hashes")
	}
	if hash(t, s, "l") == hash(t, s, "m") || hash(t, s, "l") == hash(t, s, "a") {
		t.Error("a link is hashed as something else than its target's name")
	}
	f.Put(map[string]string{"e/y": ""})
	next := look(t, f)
	if hash(t, next, "e") == hash(t, s, "e") || hash(t, next, ".") == hash(t, s, ".") {
		t.Error("a new file does not change the hash of the directories it is in")
	}
	if hash(t, next, "d") != hash(t, s, "d") {
		t.Error("a new file changes the hash of a directory that it is not in")
	}
	if _, err := s.Tree.(sources.Hasher).Hash("missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Hash of a missing file: %v", err)
	}
}

func testLinks(t *testing.T, mk Maker) {
	f := start(t, mk, map[string]string{"real/a": "A", "b": "B"})
	f.Link("dir", "real")
	f.Link("chain", "dir/../b")
	f.Link("real/up", "../chain")
	s := look(t, f)
	for name, want := range map[string]string{"dir/a": "A", "chain": "B", "real/up": "B", "dir/up": "B"} {
		if got := read(t, s, name); got != want {
			t.Errorf("%s reads %q, want %q", name, got, want)
		}
	}
	if target, err := fs.ReadLink(s.Tree, "real/up"); target != "../chain" || err != nil {
		t.Errorf("ReadLink: %q, %v", target, err)
	}
	if info, err := fs.Lstat(s.Tree, "dir"); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("Lstat follows the link: %v, %v", info, err)
	}
	if info, err := fs.Stat(s.Tree, "dir"); err != nil || !info.IsDir() {
		t.Errorf("Stat does not follow the link: %v, %v", info, err)
	}
}

func testLinksOut(t *testing.T, mk Maker) {
	f := start(t, mk, map[string]string{"a": "A", "d/b": "B"})
	f.Link("abs", "/etc/passwd")
	f.Link("d/up", "../../x")
	f.Link("sly", "d/../../a")
	f.Link("via", "abs")
	f.Link("loop", "loop2")
	f.Link("loop2", "loop")
	f.Link("dangling", "nowhere")
	s := look(t, f)
	for _, name := range []string{"abs", "d/up", "sly", "via"} {
		_, err := s.Tree.Open(name)
		if !errors.Is(err, sources.ErrOutside) || !strings.Contains(err.Error(), "link") {
			t.Errorf("Open(%q): %v", name, err)
		}
		if _, err := fs.ReadFile(s.Tree, name); !errors.Is(err, sources.ErrOutside) {
			t.Errorf("ReadFile(%q): %v", name, err)
		}
		if _, err := fs.Lstat(s.Tree, name); err != nil {
			t.Errorf("Lstat(%q): %v", name, err)
		}
	}
	if _, err := s.Tree.Open("loop"); err == nil || !strings.Contains(err.Error(), "circle") {
		t.Errorf("a loop of links: %v", err)
	}
	if _, err := s.Tree.Open("dangling"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a dangling link: %v", err)
	}
}

func testEmpty(t *testing.T, mk Maker) {
	f := start(t, mk, map[string]string{"a": "1"})
	first := look(t, f)
	f.Remove("a")
	if _, err := f.Source.Snapshot(t.Context()); !errors.Is(err, sources.ErrEmpty) {
		t.Errorf("an empty source: %v", err)
	}
	f.Put(map[string]string{"a": "1"})
	if s := look(t, f); s.Content != first.Content {
		t.Error("the content is as it was, but its identity is another")
	}
}

func testVanish(t *testing.T, mk Maker) {
	f := start(t, mk, map[string]string{"a": "1"})
	first := look(t, f)
	f.Vanish()
	if _, err := f.Source.Snapshot(t.Context()); err == nil || errors.Is(err, sources.ErrEmpty) {
		t.Errorf("a source that is gone: %v", err)
	}
	f.Return()
	if s := look(t, f); s.Content != first.Content || read(t, s, "a") != "1" {
		t.Error("the content is as it was, but its identity is another")
	}
}

func testOld(t *testing.T, mk Maker) {
	f := start(t, mk, map[string]string{"stays": "S", "goes": "old", "d/x": "X"})
	old := look(t, f)
	for i := range 3 {
		f.Put(map[string]string{"goes": fmt.Sprint("new", i)})
		look(t, f)
	}
	if read(t, old, "stays") != "S" || read(t, old, "d/x") != "X" {
		t.Error("an old snapshot is not readable any more")
	}
	if f.History && read(t, old, "goes") != "old" {
		t.Error("an old snapshot shows new content")
	}
}

func testAt(t *testing.T, mk Maker) {
	f := start(t, mk, map[string]string{"a": "1"})
	first := look(t, f)
	if s, err := f.Source.At(t.Context(), first.Revision); err != nil || s.Content != first.Content {
		t.Errorf("At the present revision: %v, %v", s, err)
	}
	f.Put(map[string]string{"a": "2"})
	look(t, f)
	s, err := f.Source.At(t.Context(), first.Revision)
	switch {
	case !f.History && !errors.Is(err, sources.ErrGone):
		t.Errorf("At a revision that is gone: %v", err)
	case f.History && err != nil:
		t.Errorf("At an earlier revision: %v", err)
	case f.History && (s.Content != first.Content || read(t, s, "a") != "1"):
		t.Error("At an earlier revision shows another content")
	}
	for _, rev := range []string{"", "-x", strings.Repeat("0", 40), strings.Repeat("a", 40), "sha256:00", "HEAD"} {
		if _, err := f.Source.At(t.Context(), rev); !errors.Is(err, sources.ErrGone) {
			t.Errorf("At(%q): %v", rev, err)
		}
	}
}

func testHints(t *testing.T, mk Maker) {
	f := start(t, mk, map[string]string{"a": "1"})
	hint := hints(t, f)
	for i, change := range []map[string]string{{"a": "2"}, {"new/dir/b": "3"}, {"new/dir/b": "4"}, {"a": "5", "c": "6"}} {
		f.Put(change)
		until(t, f, hint, fmt.Sprintf("change %d is seen", i), func(s *sources.Snapshot, err error) bool {
			if err != nil {
				return false // halfway through the change
			}
			for name, want := range change {
				if got, err := fs.ReadFile(s.Tree, name); err != nil || string(got) != want {
					return false
				}
			}
			return true
		})
	}
}

func testReturnHint(t *testing.T, mk Maker) {
	f := start(t, mk, map[string]string{"a": "1"})
	hint := hints(t, f)
	f.Vanish()
	until(t, f, hint, "it is gone", func(_ *sources.Snapshot, err error) bool { return err != nil })
	f.Return()
	until(t, f, hint, "it is back", func(_ *sources.Snapshot, err error) bool { return err == nil })
	f.Put(map[string]string{"a": "2"})
	until(t, f, hint, "it changed", func(s *sources.Snapshot, err error) bool {
		if err != nil {
			return false
		}
		got, err := fs.ReadFile(s.Tree, "a")
		return err == nil && string(got) == "2"
	})
}

func testConcurrent(t *testing.T, mk Maker) {
	files := map[string]string{"big": strings.Repeat("x", 3<<20)}
	for i := range 40 {
		files[fmt.Sprintf("d%d/f%d", i%5, i)] = strings.Repeat(fmt.Sprint(i), 1000*i)
	}
	f := start(t, mk, files)
	s := look(t, f)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for name, want := range files {
				if got, err := fs.ReadFile(s.Tree, name); err != nil || string(got) != want {
					t.Errorf("%s: %v", name, err)
				}
				if _, err := s.Tree.(sources.Hasher).Hash(name); err != nil {
					t.Error(err)
				}
			}
			if _, err := f.Source.Snapshot(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := f.Source.At(t.Context(), s.Revision); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func testContext(t *testing.T, mk Maker) {
	f := start(t, mk, map[string]string{"a": "1"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Source.Snapshot(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Snapshot with a cancelled context: %v", err)
	}
	if _, err := f.Source.At(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("At with a cancelled context: %v", err)
	}
	if err := f.Source.Run(ctx, func() {}); err != nil {
		t.Errorf("Run with a cancelled context: %v", err)
	}
}

func testClose(t *testing.T, mk Maker) {
	f := mk(t, map[string]string{"a": "1", "big": strings.Repeat("y", 2<<20)})
	s := look(t, f)
	file, err := s.Tree.Open("big")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	file.Close()
	f.Put(map[string]string{"a": "2"})
	look(t, f)
	if err := f.Source.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Source.Close(); err != nil {
		t.Errorf("Close a second time: %v", err)
	}
	if left := open(f.Dirs); len(left) > 0 {
		t.Errorf("files left open: %v", left)
	}
	if _, err := f.Source.Snapshot(t.Context()); err == nil {
		t.Error("a closed source gives snapshots")
	}
}
