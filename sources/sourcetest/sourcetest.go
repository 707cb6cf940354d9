// Package sourcetest knows what every source must do, and checks it. It never
// knows how a source does it.
package sourcetest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/sources"
)

// Fixture is a source under test with the means to change what it shows. It
// begins with the files given to the Maker.
type Fixture struct {
	Source  sources.Source
	Put     func(files map[string]string) // in one change
	Link    func(name, target string)
	Remove  func(name string)
	Vanish  func()   // the place itself goes
	Return  func()   // and comes back with what it held
	History bool     // earlier revisions can be had with At
	Dirs    []string // in which no file may be open after Close
}

// Maker makes a fixture that holds files; the suite closes its source.
type Maker func(t *testing.T, files map[string]string) *Fixture

// patience is how long a hint may take before a test fails. It is only waited
// for where something is broken.
const patience = 20 * time.Second

// Run checks a kind of source.
func Run(t *testing.T, mk Maker) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Maker)
	}{
		{"shows what is there", testShows},
		{"is a proper fs.FS", testFS},
		{"tells contents apart", testContent},
		{"hashes names, modes and links", testHash},
		{"follows links within", testLinks},
		{"refuses links that leave", testLinksOut},
		{"says when it is empty", testEmpty},
		{"says when it is gone, and recovers", testVanish},
		{"keeps old snapshots readable", testOld},
		{"gives revisions", testAt},
		{"hints at changes", testHints},
		{"hints when it comes back", testReturnHint},
		{"can be read concurrently", testConcurrent},
		{"heeds its context", testContext},
		{"gives all back when closed", testClose},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, mk)
		})
	}
}

// start makes a fixture and closes it at the end.
func start(t *testing.T, mk Maker, files map[string]string) *Fixture {
	t.Helper()
	f := mk(t, files)
	t.Cleanup(func() {
		if err := f.Source.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return f
}

// look takes a snapshot that must succeed.
func look(t *testing.T, f *Fixture) *sources.Snapshot {
	t.Helper()
	s, err := f.Source.Snapshot(t.Context())
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	return s
}

// read gives the content of a file of a snapshot.
func read(t *testing.T, s *sources.Snapshot, name string) string {
	t.Helper()
	data, err := fs.ReadFile(s.Tree, name)
	if err != nil {
		t.Fatalf("ReadFile: %v", err)
	}
	return string(data)
}

func hash(t *testing.T, s *sources.Snapshot, name string) string {
	t.Helper()
	h, err := s.Tree.(sources.Hasher).Hash(name)
	if err != nil {
		t.Fatalf("Hash(%q): %v", name, err)
	}
	if h == "" {
		t.Fatalf("Hash(%q) is empty", name)
	}
	return h
}

// hints runs the source and gives its hints.
func hints(t *testing.T, f *Fixture) <-chan struct{} {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, done := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		done <- f.Source.Run(ctx, func() {
			select {
			case out <- struct{}{}:
			default:
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not end with its context")
		}
	})
	return out
}

// until takes a snapshot after each hint, until ok says so.
func until(t *testing.T, f *Fixture, hint <-chan struct{}, what string, ok func(*sources.Snapshot, error) bool) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case <-hint:
			if ok(f.Source.Snapshot(t.Context())) {
				return
			}
		case <-late:
			t.Fatalf("no hint after which %s", what)
		}
	}
}

// open lists the files that this process has open below dirs.
func open(dirs []string) []string {
	var found []string
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		to, err := os.Readlink(fd)
		for _, dir := range dirs {
			if err == nil && (to == dir || strings.HasPrefix(to, dir+"/")) {
				found = append(found, to)
			}
		}
	}
	return found
}
