package executortest

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/runner"
)

// sources makes a tree with all that copyFiles must keep.
func sources(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"run.sh": "#!/bin/sh\necho ran\n", "src/main.txt": "main\n", "src/deep/x.txt": "x\n", "notes.log": "log\n", "skip/y.txt": "y\n"}
	for name, text := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(os.Chmod(filepath.Join(dir, "run.sh"), 0o755), os.Mkdir(filepath.Join(dir, "empty"), 0o755),
		os.Symlink("src/main.txt", filepath.Join(dir, "link")), os.Symlink("nowhere", filepath.Join(dir, "src", "dangling")))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func (s *suite) copyFiles(t *testing.T) {
	r := s.start(t)
	dir := sources(t)
	spec := r.spec("test -x run.sh && ./run.sh", "test ! -x src/main.txt", "cat link src/deep/x.txt", "readlink link src/dangling",
		"test -d empty", "test ! -e notes.log", "test ! -e skip", "touch empty/new src/new new && echo written")
	spec.Job.CopyFiles = true
	spec.Job.CopyIgnore = []*regexp.Regexp{regexp.MustCompile(`\.log$`), regexp.MustCompile(`^skip/`)}
	spec.Tree = tree(os.DirFS(dir))
	res, rec, err := r.do(spec)
	if err != nil || res.ExitCode != 0 {
		t.Fatalf("exit code %d, error %v\n%s", res.ExitCode, err, rec)
	}
	if diff := cmp.Diff([]string{"ran", "main", "x", "src/main.txt", "nowhere", "written"}, rec.Lines(runner.Stdout)); diff != "" {
		t.Error(diff)
	}
	if err := os.WriteFile(filepath.Join(dir, "notes.log"), []byte("ignored"), 0o644); err != nil {
		t.Fatal(err)
	}
	if again, _, err := r.do(spec); err != nil || again.TreeDigest != res.TreeDigest || !strings.HasPrefix(res.TreeDigest, "sha256:") {
		t.Errorf("the same tree has the digests %q and %q (%v)", res.TreeDigest, again.TreeDigest, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "src", "main.txt"), []byte("MAIN\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if changed, _, err := r.do(spec); err != nil || changed.TreeDigest == res.TreeDigest {
		t.Errorf("a changed tree has the same digest %q (%v)", changed.TreeDigest, err)
	}
}

// broken is a tree that can't be read at one place.
type broken struct{ fs.FS }

var errBroken = errors.New("input/output error")

func (b broken) Open(name string) (fs.File, error) {
	if name == "src/main.txt" {
		return nil, errBroken
	}
	return b.FS.Open(name)
}

func (b broken) ReadLink(name string) (string, error)   { return fs.ReadLink(b.FS, name) }
func (b broken) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(b.FS, name) }

func (s *suite) copyFails(t *testing.T) {
	r := s.start(t)
	spec := r.spec("echo never")
	spec.Job.CopyFiles = true
	spec.Tree = tree(broken{os.DirFS(sources(t))})
	_, rec, err := r.do(spec)
	if !errors.Is(err, errBroken) || !strings.Contains(fmt.Sprint(err), "src/main.txt") {
		t.Errorf("a file that can't be read gives %v", err)
	}
	if len(rec.Lines(runner.Stdout)) > 0 {
		t.Error("the job ran all the same")
	}
}

// unpack gives an archive's files with their content, directories as "dir".
func unpack(t *testing.T, body io.ReadCloser) map[string]string {
	t.Helper()
	defer body.Close()
	out := map[string]string{}
	for tr := tar.NewReader(body); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		switch h.Typeflag {
		case tar.TypeDir:
			out[strings.TrimSuffix(h.Name, "/")] = "dir"
		case tar.TypeSymlink:
			out[h.Name] = "-> " + h.Linkname
		default:
			out[h.Name] = string(text)
		}
	}
}

func (s *suite) artifact(t *testing.T) {
	r := s.start(t)
	spec := r.spec("mkdir -p out/sub", "echo one > out/one", "echo two > out/sub/two", "ln -s one out/link")
	spec.Job.WorkDir = "/tmp/work"
	if s.opts.ReadOnlyDefaultDir {
		spec.Job.CopyFiles, spec.Tree = true, tree(os.DirFS(t.TempDir())) // makes the directory the user's
	}
	rec := NewRecorder()
	res, err := r.Run(r.ctx, spec, rec)
	defer r.remove(res.ID)
	if err != nil || res.ExitCode != 0 {
		t.Fatalf("exit code %d, error %v\n%s", res.ExitCode, err, rec)
	}
	whole := map[string]string{"out": "dir", "out/one": "one\n", "out/link": "-> one", "out/sub": "dir", "out/sub/two": "two\n"}
	for path, want := range map[string]map[string]string{"/tmp/work/out": whole, "out": whole, "out/one": {"one": "one\n"}} {
		body, err := r.Artifact(r.ctx, res.ID, path)
		if err != nil {
			t.Errorf("Artifact(%s): %v", path, err)
			continue
		}
		if diff := cmp.Diff(want, unpack(t, body)); diff != "" {
			t.Errorf("Artifact(%s):\n%s", path, diff)
		}
	}
	if _, err := r.Artifact(r.ctx, res.ID, "/tmp/work/missing"); err == nil || !strings.Contains(err.Error(), "/tmp/work/missing") {
		t.Errorf("a missing artifact gives %v", err)
	}
}
