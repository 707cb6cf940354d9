package filecopy_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/filecopy"
)

func source() fstest.MapFS {
	return fstest.MapFS{
		"a":       {Data: []byte("aaa"), Mode: 0o644},
		"run":     {Data: []byte("run"), Mode: 0o755},
		"d/e/f":   {Data: []byte("f"), Mode: 0o600, ModTime: time.Unix(1e9, 0)},
		"d/empty": {Mode: fs.ModeDir | 0o750},
		"link":    {Data: []byte("d/e/f"), Mode: fs.ModeSymlink | 0o777},
	}
}

func copyTo(t *testing.T, tree fs.FS, sink filecopy.Sink) (string, error) {
	t.Helper()
	return filecopy.Copy(t.Context(), tree, runner.CopySet(tree, nil), sink)
}

func TestTarAndDirHoldTheSame(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	sink := filecopy.NewTar(&buf, "top/", 7, 8)
	if err := sink.Root(); err != nil {
		t.Fatal(err)
	}
	digest, err := copyTo(t, source(), sink)
	if err = errors.Join(err, sink.Close()); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for tr := tar.NewReader(&buf); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(tr)
		if err != nil || h.Uid != 7 || h.Gid != 8 {
			t.Errorf("%s: %d:%d, error %v", h.Name, h.Uid, h.Gid, err)
		}
		got[h.Name] = fs.FileMode(h.Mode).String() + h.Linkname + string(text)
	}
	want := map[string]string{
		"top/": "-rwxr-xr-x", "top/a": "-rw-r--r--aaa", "top/run": "-rwxr-xr-xrun", "top/d/": "-r-xr-xr-x", "top/d/e/": "-r-xr-xr-x",
		"top/d/e/f": "-rw-------f", "top/d/empty/": "-rwxr-x---", "top/link": "-rwxrwxrwxd/e/f",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	again, err := copyTo(t, source(), filecopy.NewDir(root))
	if err != nil || again != digest {
		t.Errorf("digests %s and %s, error %v", digest, again, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "link")); string(text) != "f" || err != nil {
		t.Errorf("%q, error %v", text, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "run")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v, error %v", info, err)
	}
}

func TestDigestSeesEveryChange(t *testing.T) {
	t.Parallel()
	base, err := copyTo(t, source(), nothing{})
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(fstest.MapFS){
		"content": func(m fstest.MapFS) { m["a"].Data = []byte("aab") },
		"mode":    func(m fstest.MapFS) { m["a"].Mode = 0o755 },
		"name":    func(m fstest.MapFS) { m["b"] = m["a"]; delete(m, "a") },
		"target":  func(m fstest.MapFS) { m["link"].Data = []byte("a") },
		"empty":   func(m fstest.MapFS) { delete(m, "d/empty") },
	} {
		m := source()
		change(m)
		if got, err := copyTo(t, m, nothing{}); err != nil || got == base {
			t.Errorf("%s: the digest is the same, error %v", what, err)
		}
	}
	m := source()
	m["a"].ModTime = time.Unix(5, 0)
	if got, err := copyTo(t, m, nothing{}); err != nil || got != base {
		t.Errorf("a time counts as a change, error %v", err)
	}
}

// nothing is a sink that keeps nothing.
type nothing struct{}

func (nothing) Dir(string, fs.FileInfo) error          { return nil }
func (nothing) Link(string, string, fs.FileInfo) error { return nil }
func (nothing) File(_ string, _ fs.FileInfo, r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

// moving is a tree whose file "a" has another size than it says.
type moving struct {
	fstest.MapFS
	size int64
}

func (m moving) Open(name string) (fs.File, error) {
	f, err := m.MapFS.Open(name)
	if name != "a" || err != nil {
		return f, err
	}
	return movingFile{f, m.size}, nil
}

type movingFile struct {
	fs.File
	size int64
}

func (f movingFile) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	return movingInfo{info, f.size}, err
}

type movingInfo struct {
	fs.FileInfo
	size int64
}

func (i movingInfo) Size() int64 { return i.size }

func TestAFileThatChangesItsSize(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	sink := filecopy.NewTar(&buf, "", 0, 0)
	if _, err := copyTo(t, moving{source(), 2}, sink); err != nil {
		t.Errorf("a file that grew gives %v", err)
	}
	if err := sink.Close(); err != nil {
		t.Errorf("and a broken archive: %v", err)
	}
	_, err := copyTo(t, moving{source(), 9}, filecopy.NewTar(io.Discard, "", 0, 0))
	if err == nil || !strings.Contains(err.Error(), "a shrank while it was copied, 6 bytes are missing") {
		t.Errorf("a file that shrank gives %v", err)
	}
}

func TestCopyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tree := source()
	if _, err := filecopy.Copy(ctx, tree, runner.CopySet(tree, nil), nothing{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
