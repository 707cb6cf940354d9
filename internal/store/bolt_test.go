package store

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

func TestReopen(t *testing.T) {
	t.Parallel()
	path := dbPath(t)
	b := mustOpen(t, path, Options{})
	if !b.Created() || b.Recovered() != "" || b.Path() != path {
		t.Errorf("first open: created %v, recovered %q, path %q", b.Created(), b.Recovered(), b.Path())
	}
	wantMode(t, path, 0o600)
	wantMode(t, filepath.Dir(path), 0o700)
	mustClose(t, b)

	b = mustOpen(t, path, Options{})
	if !b.Created() {
		t.Error("a state without a commit does not count as new after a restart")
	}
	mustCommit(t, b, Put("a", []byte("1")), Put("b", []byte("1")))
	mustCommit(t, b, Delete("b"))
	mustClose(t, b)

	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	b = mustOpen(t, path, Options{})
	if b.Created() {
		t.Error("a state with commits counts as new")
	}
	wantMode(t, path, 0o600)
	wantValue(t, b, "a", "1")
	wantNone(t, b, "b")
	if rev := mustCommit(t, b, Put("a", []byte("2"))); rev != 3 {
		t.Errorf("the revision after a restart is %d, want 3", rev)
	}
	c, err := b.Watch(t.Context(), "", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := <-c; ok {
		t.Error("a watch from before the restart got a change, want a closed channel")
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prepare func(t *testing.T, path string)
		want    string
	}{
		{"a directory", func(t *testing.T, path string) {
			check(t, os.Mkdir(path, 0o700))
		}, "not a regular file"},
		{"a named pipe", func(t *testing.T, path string) {
			check(t, syscall.Mkfifo(path, 0o600))
		}, "not a regular file"},
		{"a file in use", func(t *testing.T, path string) {
			mustOpen(t, path, Options{})
		}, "in use by another process"},
		{"a newer format", func(t *testing.T, path string) {
			mustClose(t, mustOpen(t, path, Options{}))
			db, err := bolt.Open(path, 0o600, nil)
			check(t, err)
			check(t, db.Update(func(tx *bolt.Tx) error {
				return tx.Bucket(metaBucket).Put(formatKey, binary.BigEndian.AppendUint64(nil, formatVersion+1))
			}))
			check(t, db.Close())
		}, "a newer abide has written it"},
		{"a directory that is a file", func(t *testing.T, path string) {
			check(t, os.Remove(filepath.Dir(path)))
			check(t, os.WriteFile(filepath.Dir(path), nil, 0o600))
		}, "not a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := dbPath(t)
			check(t, os.Mkdir(filepath.Dir(path), 0o700))
			tt.prepare(t, path)
			b, err := Open(path, Options{LockTimeout: time.Millisecond})
			if err == nil {
				_ = b.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want one that says %q", err, tt.want)
			}
			if aside, _ := filepath.Glob(path + ".*"); len(aside) > 0 {
				t.Errorf("it left %v", aside)
			}
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestGiveUp has a caller give up while its commit waits, and another while its
// commit is being written.
func TestGiveUp(t *testing.T) {
	t.Parallel()
	entered, proceed := make(chan struct{}), make(chan struct{})
	opts := Options{step: func(name string) error {
		if name == "store.before-commit" {
			entered <- struct{}{}
			<-proceed
		}
		return nil
	}}
	b := mustOpen(t, dbPath(t), opts)
	start := func(key string) (cancel func(), result chan error) {
		ctx, cancel := context.WithCancel(t.Context())
		result = make(chan error, 1)
		go func() {
			_, err := b.Commit(ctx, Put(key, nil))
			result <- err
		}()
		return cancel, result
	}
	cancelWritten, written := start("written")
	<-entered
	cancelWaiting, waiting := start("waiting")
	awaitWaiting(b, 1)
	cancelWaiting()
	if err := <-waiting; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "before it began") {
		t.Errorf("the waiting commit: %v", err)
	}
	cancelWritten()
	if err := <-written; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "may still happen") {
		t.Errorf("the commit being written: %v", err)
	}
	proceed <- struct{}{}
	_, last := start("last")
	<-entered
	proceed <- struct{}{}
	check(t, <-last)
	wantValue(t, b, "written", "")
	wantNone(t, b, "waiting")
}

// TestGroup has commits wait while one is written: they become one transaction
// in which each has its own revision and its own conflict.
func TestGroup(t *testing.T) {
	t.Parallel()
	const n = 10
	entered, proceed := make(chan struct{}, n), make(chan struct{})
	b := mustOpen(t, dbPath(t), Options{step: func(name string) error {
		if name == "store.before-commit" {
			entered <- struct{}{}
			<-proceed
		}
		return nil
	}})
	results := make(chan error, n+1)
	commit := func(ops ...Op) {
		_, err := b.Commit(t.Context(), ops...)
		results <- err
	}
	go commit(Put("first", nil))
	<-entered
	for range n {
		none := Revision(0)
		go commit(Op{Key: "one", If: &none}, Put("mine", nil))
	}
	awaitWaiting(b, n)
	close(proceed)
	conflicts := 0
	for range n + 1 {
		if err := <-results; errors.Is(err, ErrConflict) {
			conflicts++
		} else if err != nil {
			t.Error(err)
		}
	}
	if conflicts != n-1 {
		t.Errorf("%d conflicts, want %d", conflicts, n-1)
	}
	if len(entered) != 1 {
		t.Errorf("%d transactions for the %d commits that waited, want 1", len(entered), n)
	}
	if _, rev, _ := b.List(t.Context(), "", "", 0); rev != 2 {
		t.Errorf("revision %d, want 2", rev)
	}
}
