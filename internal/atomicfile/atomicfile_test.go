package atomicfile_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/abide-agent/abide/internal/atomicfile"
)

func TestWriteFile(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", 255)
	tests := []struct {
		name    string
		file    string
		before  func(t *testing.T, path string)
		wantErr string
	}{
		{name: "new", file: "a"},
		{name: "longest name", file: long},
		{name: "replaces", file: "a", before: func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("old and longer than the new"), 0o644); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "directory", file: "a", wantErr: "a directory", before: func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "symbolic link", file: "a", wantErr: "a symbolic link", before: func(t *testing.T, path string) {
			if err := os.Symlink("elsewhere", path); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "named pipe", file: "a", wantErr: "a named pipe", before: func(t *testing.T, path string) {
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "no such directory", file: "missing/a", wantErr: "no such file or directory"},
		{name: "name too long", file: long + "n", wantErr: "file name too long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, tt.file)
			if tt.before != nil {
				tt.before(t, path)
			}
			err := atomicfile.WriteFile(path, []byte("new"), 0o604)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("error %v, want one that says %q", err, tt.wantErr)
				}
			} else {
				if err != nil {
					t.Fatal(err)
				}
				wantFile(t, path, "new", 0o604)
			}
			wantNoTemps(t, dir)
		})
	}
}

func TestWriteFileInWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := atomicfile.WriteFile("a", []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFile(t, "a", "new", 0o600)
}

func TestCommitFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	f, err := atomicfile.Create(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil { // appears while we write
		t.Fatal(err)
	}
	if err := f.Commit(); err == nil {
		t.Fatal("a directory was replaced")
	}
	wantNoTemps(t, dir)
	if err := f.Commit(); err == nil {
		t.Fatal("a second Commit succeeded")
	}
}

func TestAbort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := atomicfile.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := atomicfile.Create(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprint(f, "half of the n"); err != nil {
		t.Fatal(err)
	}
	f.Abort()
	f.Abort()
	wantFile(t, path, "old", 0o600)
	wantNoTemps(t, dir)
}

// TestReadersSeeWholeFiles has many writers and a reader on one path.
func TestReadersSeeWholeFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a")
	content := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, 10_000*(i+1)) }
	if err := atomicfile.WriteFile(path, content(0), 0o600); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			for range 20 {
				if err := atomicfile.WriteFile(path, content(i), 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, content(int(got[0]-'a'))) {
			t.Fatalf("read a mix of %d bytes that begins with %q", len(got), got[0])
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

func TestRemoveTemps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	alive, err := atomicfile.Create(filepath.Join(dir, "alive"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	keep := []string{"a", ".abide-tmp-1", ".a.abide-tmp-", ".a.abide-tmp-x1", "a.abide-tmp-1"}
	for _, name := range append([]string{".a.abide-tmp-123", ".b.abide-tmp-x.abide-tmp-7"}, keep...) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := atomicfile.RemoveTemps(dir); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(keep)+1 {
		t.Errorf("left are %v, want %v and the one being written", entries, keep)
	}
	for _, name := range keep {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if err := alive.Commit(); err != nil {
		t.Errorf("the temporary file of a living writer was removed: %v", err)
	}
	if err := atomicfile.RemoveTemps(filepath.Join(dir, "missing")); err != nil {
		t.Errorf("a missing directory: %v", err)
	}
}

func wantFile(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != content {
		t.Errorf("content %q, want %q", got, content)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != mode {
		t.Errorf("mode %v, want %v", info.Mode(), mode)
	}
}

func wantNoTemps(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, ".*abide-tmp-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

func BenchmarkWriteFile(b *testing.B) {
	path := filepath.Join(b.TempDir(), "a")
	data := make([]byte, 4096)
	for b.Loop() {
		if err := atomicfile.WriteFile(path, data, 0o600); err != nil {
			b.Fatal(err)
		}
	}
}
