package sources_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/abide-agent/abide/sources"
)

func newDir(t testing.TB, opt sources.DirOptions) *sources.Dir {
	t.Helper()
	d, err := sources.NewDir(opt)
	check(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

func write(t testing.TB, name, content string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(name), 0o755))
	check(t, os.WriteFile(name, []byte(content), 0o644))
}

func TestDirSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f"), "x")
	many := t.TempDir()
	for _, n := range strings.Split("abcdef", "") {
		write(t, filepath.Join(many, n), n)
	}
	deep := t.TempDir()
	write(t, filepath.Join(deep, strings.Repeat("d/", 140), "f"), "x")
	for name, c := range map[string]struct {
		opt  sources.DirOptions
		want string
	}{
		"missing": {sources.DirOptions{Path: filepath.Join(dir, "nope")}, "does not exist; create it"},
		"file":    {sources.DirOptions{Path: filepath.Join(dir, "f")}, "is not a directory"},
		"many":    {sources.DirOptions{Path: many, MaxFiles: 5}, "more than 5 files; choose a directory further down"},
		"deep":    {sources.DirOptions{Path: deep}, "more than 128 directories deep"},
	} {
		_, err := newDir(t, c.opt).Snapshot(t.Context())
		wantErr(t, err, c.want)
		t.Log(name, ":", err)
	}
	if _, err := sources.NewDir(sources.DirOptions{}); err == nil {
		t.Error("an empty path is accepted")
	}
}

// TestDirUnreadableParts harms only what cannot be read.
func TestDirUnreadableParts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	check(t, os.Chmod(filepath.Dir(dir), 0o755))
	write(t, filepath.Join(dir, "open/a"), "1")
	write(t, filepath.Join(dir, "secret"), "2")
	write(t, filepath.Join(dir, "closed/b"), "3")
	check(t, os.Chmod(filepath.Join(dir, "secret"), 0))
	check(t, os.Chmod(filepath.Join(dir, "closed"), 0))
	defer os.Chmod(filepath.Join(dir, "closed"), 0o755)
	d := newDir(t, sources.DirOptions{Path: dir})
	var before *sources.Snapshot
	asNobody(func() {
		before = snap(t, d)
		if got := readFile(t, before, "open/a"); got != "1" {
			t.Errorf("what can be read reads %q", got)
		}
		for _, n := range []string{"secret", "closed"} {
			f, err := before.Tree.Open(n)
			if err == nil {
				_, err = fs.ReadDir(before.Tree, n)
				f.Close()
			}
			if !errors.Is(err, fs.ErrPermission) {
				t.Errorf("%s: %v", n, err)
			}
		}
	})
	check(t, os.Chmod(filepath.Join(dir, "secret"), 0o644))
	if after := snap(t, d); after.Content == before.Content {
		t.Error("a file that can be read again is not seen")
	}
	check(t, os.Chmod(dir, 0))
	defer os.Chmod(dir, 0o755)
	asNobody(func() {
		_, err := newDir(t, sources.DirOptions{Path: dir}).Snapshot(t.Context())
		wantErr(t, err, "cannot be read: permission denied")
	})
}

func TestDirLeavesOutWhatEditorsAndGitKeep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), "1")
	check(t, os.Mkdir(filepath.Join(dir, "empty"), 0o755))
	d := newDir(t, sources.DirOptions{Path: dir})
	before := snap(t, d)
	for _, n := range []string{".a.yaml.swp", ".a.yaml.swo", "a.yaml~", ".#a.yaml", "#a.yaml#", ".git/HEAD"} {
		write(t, filepath.Join(dir, n), "x")
	}
	after := snap(t, d)
	if after.Content != before.Content {
		t.Error("what an editor leaves behind changes the content")
	}
	list, err := fs.ReadDir(after.Tree, ".")
	if err != nil || len(list) != 2 {
		t.Errorf("listed: %v, %v", list, err)
	}
	check(t, os.Remove(filepath.Join(dir, "empty")))
	if snap(t, d).Content == before.Content {
		t.Error("an empty directory does not count")
	}
}

func TestDirSpecialFilesDoNotBlock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), "1")
	write(t, filepath.Join(dir, "swapped"), "1")
	check(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644))
	s := snap(t, newDir(t, sources.DirOptions{Path: dir}))
	_, err := s.Tree.Open("pipe")
	wantErr(t, err, "neither a file nor a directory")
	check(t, os.Remove(filepath.Join(dir, "swapped")))
	check(t, syscall.Mkfifo(filepath.Join(dir, "swapped"), 0o644))
	_, err = s.Tree.Open("swapped")
	wantErr(t, err, "no longer a regular file")
	check(t, os.Remove(filepath.Join(dir, "a")))
	check(t, os.Symlink("/etc/hostname", filepath.Join(dir, "a")))
	if f, err := s.Tree.Open("a"); err == nil {
		f.Close()
		t.Error("a link that was put in the place of a file leads out of the directory")
	}
}

// TestDirRacyWrites changes a file twice within the resolution of its times:
// the clock of the source says that they are as young as can be.
func TestDirRacyWrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "a")
	write(t, name, "1")
	write(t, filepath.Join(dir, "other"), "1")
	stamp := time.Now()
	check(t, os.Chtimes(name, stamp, stamp))
	now := time.Now().Add(time.Second)
	d := newDir(t, sources.DirOptions{Path: dir, Now: func() time.Time { return now }})
	one := snap(t, d)
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	check(t, err)
	_, err = f.WriteString("2") // same size, same inode
	check(t, errors.Join(err, f.Close(), os.Chtimes(name, stamp, stamp)))
	if two := snap(t, d); two.Content == one.Content {
		t.Error("a second write is not seen")
	}
}

// TestDirBursts ends with what a full scan sees, whatever the events told:
// directories moved about, a file written bit by bit, a root behind a link.
func TestDirBursts(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	real, link := filepath.Join(base, "v1"), filepath.Join(base, "current")
	write(t, filepath.Join(real, "a"), "1")
	check(t, os.Symlink("v1", link))
	d := newDir(t, sources.DirOptions{Path: link, Settle: 10 * time.Millisecond, MaxWait: 50 * time.Millisecond})
	hint := make(chan struct{}, 1)
	var wg sync.WaitGroup
	ctx, cancel := contextWithCancel(t)
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		if err := d.Run(ctx, func() {
			select {
			case hint <- struct{}{}:
			default:
			}
		}); err != nil {
			t.Error(err)
		}
	})
	await := func(what string, names ...string) {
		t.Helper()
		late := time.After(20 * time.Second)
		for {
			select {
			case <-hint:
			case <-late:
				t.Fatalf("%s is never seen", what)
			}
			s, err := d.Snapshot(t.Context())
			if err != nil {
				continue
			}
			if got, err := fs.Glob(s.Tree, "*"); err != nil || strings.Join(got, " ") != strings.Join(names, " ") {
				continue
			}
			return
		}
	}
	await("the beginning", "a")
	for i := range 300 {
		write(t, filepath.Join(real, "burst", string(rune('a'+i%26)), "f"), strings.Repeat("x", i))
	}
	await("a burst", "a", "burst")
	check(t, os.Rename(filepath.Join(real, "burst"), filepath.Join(real, "moved")))
	await("a moved directory", "a", "moved")
	check(t, os.Rename(filepath.Join(real, "moved"), filepath.Join(base, "out")))
	await("a directory moved away", "a")
	check(t, os.Rename(filepath.Join(base, "out"), filepath.Join(real, "back")))
	await("a directory moved in", "a", "back")
	write(t, filepath.Join(base, "v2", "new"), "2")
	check(t, os.Symlink("v2", link+".tmp"))
	check(t, os.Rename(link+".tmp", link))
	await("a root that leads elsewhere", "new")
	write(t, filepath.Join(base, "v2", "newer"), "3")
	await("a change in the new root", "new", "newer")
}
