package store

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// noon is the clock of tests that set files aside.
func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

func dbPath(t *testing.T) string { return filepath.Join(t.TempDir(), "state", "abide.db") }

func mustOpen(t *testing.T, path string, opts Options) *Bolt {
	t.Helper()
	if opts.Now == nil {
		opts.Now = noon
	}
	b, err := Open(path, opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func mustClose(t *testing.T, b *Bolt) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

func mustCommit(t *testing.T, s Store, ops ...Op) Revision {
	t.Helper()
	rev, err := s.Commit(t.Context(), ops...)
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	return rev
}

func wantValue(t *testing.T, s Store, key, want string) {
	t.Helper()
	e, err := s.Get(t.Context(), key)
	if err != nil || string(e.Value) != want {
		t.Errorf("Get(%q) = %q, %v; want %q", key, e.Value, err, want)
	}
}

func wantNone(t *testing.T, s Store, key string) {
	t.Helper()
	if e, err := s.Get(t.Context(), key); !errors.Is(err, ErrNotFound) {
		t.Errorf("Get(%q) = %q, %v; want ErrNotFound", key, e.Value, err)
	}
}

func wantMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != want {
		t.Errorf("%s has the mode %v, want %v", path, info.Mode().Perm(), want)
	}
}

var errInjected = errors.New("injected: no space left on device")

// faults makes the steps in it fail while they are armed.
type faults struct {
	mu    sync.Mutex
	armed map[string]error
}

func (f *faults) set(step string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.armed == nil {
		f.armed = map[string]error{}
	}
	f.armed[step] = err
}

func (f *faults) step(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.armed[name]
}

// awaitWaiting waits until n commits wait for the writer.
func awaitWaiting(b *Bolt, n int) {
	for {
		b.queue.mu.Lock()
		waiting := len(b.queue.waiting)
		b.queue.mu.Unlock()
		if waiting >= n {
			return
		}
		runtime.Gosched()
	}
}
