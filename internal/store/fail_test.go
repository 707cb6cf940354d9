package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWriteFails makes a write fail at each place. The error reaches the caller,
// the state is as before or says that it is not, and later commits work.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		step, want string
		landed     bool
	}{
		{"store.before-commit", "is as before", false},
		{"backup", "the backup cannot be written", false},
		{"store.after-commit", "may or may not be kept", true},
	}
	for _, tt := range tests {
		t.Run(tt.step, func(t *testing.T) {
			t.Parallel()
			var f faults
			path := dbPath(t)
			opts := Options{BackupPrefixes: []string{"owner/"}, step: f.step}
			b := mustOpen(t, path, opts)
			mustCommit(t, b, Put("owner/a", []byte("1")))
			changes, err := b.Watch(t.Context(), "", 1)
			check(t, err)

			f.set(tt.step, errInjected)
			_, err = b.Commit(t.Context(), Put("owner/a", []byte("2")))
			if !errors.Is(err, errInjected) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
			next := Revision(2)
			if tt.landed {
				wantValue(t, b, "owner/a", "2")
				next = 3
			} else {
				wantValue(t, b, "owner/a", "1")
			}
			f.set(tt.step, nil)
			// The backup may be ahead of the state now, so any commit renews it.
			if rev := mustCommit(t, b, Put("other", []byte("1"))); rev != next {
				t.Errorf("the next revision is %d, want %d", rev, next)
			}
			wantBackup(t, path, list(t, b, "owner/")...)
			// A watch has the next change, or ends where it missed one.
			if c, ok := <-changes; ok == tt.landed || ok && c.Key != "other" {
				t.Errorf("the watch gives %v, %v", c, ok)
			}
			mustClose(t, b)
			b = mustOpen(t, path, opts)
			wantValue(t, b, "other", "1")
		})
	}
}

// TestGroupFails has one commit of a group that cannot be written.
func TestGroupFails(t *testing.T) {
	t.Parallel()
	path := dbPath(t)
	b := mustOpen(t, path, Options{maxSize: 1 << 20})
	group := make([]*request, 5)
	for i := range group {
		value := []byte("small")
		if i == 2 {
			value = make([]byte, 2<<20)
		}
		group[i] = &request{ops: []Op{Put(fmt.Sprint(i), value)}, done: make(chan outcome, 1)}
	}
	b.queue.mu.Lock() // so that they arrive together
	b.queue.waiting = slices.Clone(group)
	b.queue.arrived.Signal()
	b.queue.mu.Unlock()
	for i, r := range group {
		if out := <-r.done; (out.err != nil) != (i == 2) {
			t.Errorf("commit %d: %v", i, out.err)
		}
	}
	if got := len(list(t, b, "")); got != 4 {
		t.Errorf("%d entries are kept, want 4", got)
	}
}

// TestFull fills the file up to a limit that bbolt meets in the middle of its
// own commit, deletes, and goes on.
func TestFull(t *testing.T) {
	t.Parallel()
	path := dbPath(t)
	b := mustOpen(t, path, Options{maxSize: 1 << 20})
	fillUp(t, b)
	mustClose(t, b)
	b = mustOpen(t, path, Options{})
	wantValue(t, b, "after", "1")
}

// fillUp commits until that fails, and then sees that nothing is lost and that
// the store works on once there is room.
func fillUp(t *testing.T, b *Bolt) {
	t.Helper()
	value := bytes.Repeat([]byte("v"), 50_000)
	stored := 0
	for ; ; stored++ {
		if _, err := b.Commit(t.Context(), Put(fmt.Sprintf("%04d", stored), value)); err != nil {
			if !strings.Contains(err.Error(), "is as before") {
				t.Errorf("the error does not say what became of the state: %v", err)
			}
			break
		}
		if stored > 1000 {
			t.Fatal("it never filled up")
		}
	}
	if got := list(t, b, ""); len(got) != stored {
		t.Fatalf("%d entries are there, %d were acknowledged", len(got), stored)
	}
	for i := range stored {
		mustCommit(t, b, Delete(fmt.Sprintf("%04d", i)))
	}
	mustCommit(t, b, Put("after", []byte("1")))
	wantValue(t, b, "after", "1")
}

// TestFileSizeLimit lets the kernel refuse the writes. The limit is one of the
// process, so the test runs in one of its own.
func TestFileSizeLimit(t *testing.T) {
	if os.Getenv("STORE_TEST_LIMIT") == "" {
		t.Parallel()
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFileSizeLimit$")
		cmd.Env = append(os.Environ(), "STORE_TEST_LIMIT=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	b := mustOpen(t, filepath.Join(t.TempDir(), "abide.db"), Options{})
	check(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}))
	fillUp(t, b)
}

// TestReadersDuringFailures reads while writes fail and the file is reopened.
func TestReadersDuringFailures(t *testing.T) {
	t.Parallel()
	var f faults
	b := mustOpen(t, dbPath(t), Options{step: f.step})
	mustCommit(t, b, Put("a", []byte("1")))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if e, err := b.Get(t.Context(), "a"); err == nil && string(e.Value) != "1" {
					t.Errorf("read %q", e.Value)
				}
			}
		})
	}
	f.set("store.after-commit", errInjected)
	for range 20 {
		if _, err := b.Commit(t.Context(), Put("a", []byte("1"))); err == nil {
			t.Error("the commit succeeded")
		}
	}
	f.set("store.after-commit", nil)
	close(stop)
	readers.Wait()
	mustCommit(t, b, Put("b", nil))
	wantValue(t, b, "a", "1")
}

func list(t *testing.T, s Store, prefix string) []Entry {
	t.Helper()
	out, _, err := s.List(t.Context(), prefix, "", 0)
	check(t, err)
	return out
}

func wantBackup(t *testing.T, path string, want ...Entry) {
	t.Helper()
	got, err := LoadBackup(BackupPath(path))
	check(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the backup, -want +got:\n%s", diff)
	}
	wantMode(t, BackupPath(path), 0o600)
}
