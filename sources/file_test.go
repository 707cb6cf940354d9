package sources_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/abide-agent/abide/sources"
)

func contextWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

func TestFileShowsItsDirectoryButIsOneFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "p.yaml")
	write(t, name, "workflow: []")
	write(t, filepath.Join(dir, "src/main.c"), "int main;")
	f, err := sources.NewFile(name)
	check(t, err)
	defer f.Close()
	s := snap(t, f)
	if s.Only != "p.yaml" || f.Only() != "p.yaml" || f.Name() != "p.yaml" || f.Location() != name {
		t.Errorf("only %q, %q, name %q, location %q", s.Only, f.Only(), f.Name(), f.Location())
	}
	if readFile(t, s, s.Only) != "workflow: []" || readFile(t, s, "src/main.c") != "int main;" {
		t.Error("the files read differently")
	}
	check(t, fstest.TestFS(s.Tree, "p.yaml", "src/main.c"))
	write(t, filepath.Join(dir, "src/main.c"), "changed")
	if again := snap(t, f); again.Revision != s.Revision {
		t.Error("another file changes the revision")
	}
	one, err := s.Tree.(sources.Hasher).Hash("src")
	check(t, err)
	write(t, filepath.Join(dir, "src/main.c"), "changed again")
	two, err := snap(t, f).Tree.(sources.Hasher).Hash("src")
	check(t, err)
	if one == two {
		t.Error("another file does not change the hash of the directory it is in")
	}
	if _, err := f.At(t.Context(), s.Revision); err != nil {
		t.Errorf("At the present revision: %v", err)
	}
	write(t, name, "workflow: [x]")
	if snap(t, f).Revision == s.Revision {
		t.Error("the file changed, but not the revision")
	}
	if _, err := f.At(t.Context(), s.Revision); !errors.Is(err, sources.ErrGone) {
		t.Errorf("At a revision that is gone: %v", err)
	}
}

// TestFileStandsWhereItsPathStarts names one file by several paths.
func TestFileStandsWhereItsPathStarts(t *testing.T) {
	top := t.TempDir()
	write(t, filepath.Join(top, "app/ci/p.yaml"), "x")
	write(t, filepath.Join(top, "else/p.yaml"), "x")
	check(t, os.Symlink("../else", filepath.Join(top, "app/out")))
	check(t, os.Symlink("ci", filepath.Join(top, "app/in")))
	t.Chdir(filepath.Join(top, "app"))
	for path, want := range map[string]struct{ only, beside string }{
		"ci/p.yaml":                         {"ci/p.yaml", "ci"},
		"./ci//p.yaml":                      {"ci/p.yaml", "ci"},
		"in/p.yaml":                         {"in/p.yaml", "ci"},
		"../app/ci/p.yaml":                  {"p.yaml", "p.yaml"},
		"out/p.yaml":                        {"p.yaml", "p.yaml"},
		filepath.Join(top, "app/ci/p.yaml"): {"p.yaml", "p.yaml"},
		filepath.Join(top, "app/ci/../ci/p.yaml"): {"p.yaml", "p.yaml"},
	} {
		f, err := sources.NewFile(path)
		check(t, err)
		s := snap(t, f)
		if s.Only != want.only || f.Only() != want.only || s.Source != "p.yaml" || readFile(t, s, s.Only) != "x" {
			t.Errorf("%s: %q in the tree, want %q", path, s.Only, want.only)
		}
		if _, err := fs.Stat(s.Tree, want.beside); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		check(t, f.Close())
	}
}

func TestFileSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in/real"), "x")
	write(t, filepath.Join(dir, "out"), "x")
	check(t, os.Symlink("real", filepath.Join(dir, "in/good")))
	check(t, os.Symlink("../out", filepath.Join(dir, "in/bad")))
	check(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644))
	for name, want := range map[string]string{
		"nope": "does not exist", "in": "is a directory", "pipe": "use -f -", "in/bad": "name the file that it points to", "in/good": "",
	} {
		f, err := sources.NewFile(filepath.Join(dir, name))
		check(t, err)
		defer f.Close()
		s, err := f.Snapshot(t.Context())
		if want != "" {
			wantErr(t, err, want)
		} else if err != nil || readFile(t, s, s.Only) != "x" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := sources.NewFile(""); err == nil {
		t.Error("an empty path is accepted")
	}
}

// TestFileHints replaces the file as editors do.
func TestFileHints(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "p.yaml")
	write(t, name, "1")
	f, err := sources.NewFile(name)
	check(t, err)
	ctx, cancel := contextWithCancel(t)
	hint, done := make(chan struct{}, 10), make(chan error, 1)
	go func() { done <- f.Run(ctx, func() { hint <- struct{}{} }) }()
	<-hint
	last := snap(t, f)
	for _, change := range []func(){
		func() { write(t, name, "2") },
		func() { write(t, name+".new", "3"); check(t, os.Rename(name+".new", name)) },
		func() { check(t, os.Remove(name)); write(t, name, "4") },
	} {
		change()
		late := time.After(20 * time.Second)
		for seen := false; !seen; {
			select {
			case <-hint:
				if s, err := f.Snapshot(ctx); err == nil && s.Revision != last.Revision {
					last, seen = s, true
				}
			case <-late:
				t.Fatal("a change is never hinted at")
			}
		}
	}
	cancel()
	check(t, <-done)
	check(t, f.Close())
}

func TestReader(t *testing.T) {
	t.Parallel()
	r := sources.NewReader("-", []byte("workflow: []"))
	s := snap(t, r)
	if r.Name() != "stdin" || s.Only != "stdin" || readFile(t, s, s.Only) != "workflow: []" || !strings.HasPrefix(s.Revision, "sha256:") {
		t.Errorf("%+v", s)
	}
	check(t, fstest.TestFS(s.Tree, "stdin"))
	if _, err := r.At(t.Context(), s.Revision); err != nil {
		t.Error(err)
	}
	if _, err := r.At(t.Context(), "sha256:0"); !errors.Is(err, sources.ErrGone) {
		t.Error(err)
	}
	if sources.NewReader("../../x/p.yaml", nil).Only() != "p.yaml" || sources.NewReader("..", nil).Only() != "stdin" {
		t.Error("a name that is a path is kept")
	}
	for _, n := range []string{".", "stdin"} {
		if h, err := s.Tree.(sources.Hasher).Hash(n); err != nil || h == "" {
			t.Errorf("Hash(%q): %q, %v", n, h, err)
		}
	}
	if _, err := fs.ReadLink(s.Tree, "stdin"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("ReadLink: %v", err)
	}
	ctx, cancel := contextWithCancel(t)
	cancel()
	check(t, r.Run(ctx, func() { t.Error("a hint") }))
	check(t, r.Close())
}
