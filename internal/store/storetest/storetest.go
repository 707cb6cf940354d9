// Package storetest holds the one suite that every store.Store must pass. It
// knows the contract only, never what stands behind it.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/abide-agent/abide/internal/store"
)

// Run runs the suite. Each test gets an empty store from open, which sees to it
// that the store is closed when the test that it was opened for ends.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	tests := []struct {
		name string
		run  func(t *testing.T, s store.Store)
	}{
		{"GetPutDelete", testGetPutDelete},
		{"Revisions", testRevisions},
		{"Conditions", testConditions},
		{"Atomic", testAtomic},
		{"List", testList},
		{"Limits", testLimits},
		{"OwnMemory", testOwnMemory},
		{"LostUpdates", testLostUpdates},
		{"Context", testContext},
		{"Close", testClose},
		{"WatchLive", testWatchLive},
		{"WatchCatchUp", testWatchCatchUp},
		{"WatchTooOld", testWatchTooOld},
		{"WatchSlow", testWatchSlow},
		{"WatchBigCommit", testWatchBigCommit},
		{"WatchEnds", testWatchEnds},
		{"ListThenWatch", testListThenWatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t, open(t))
		})
	}
	t.Run("Model", func(t *testing.T) {
		t.Parallel()
		testModel(t, open)
	})
}

func commit(t *testing.T, s store.Store, ops ...store.Op) store.Revision {
	t.Helper()
	rev, err := s.Commit(t.Context(), ops...)
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	return rev
}

func put(key, value string) store.Op { return store.Put(key, []byte(value)) }

func when(op store.Op, rev store.Revision) store.Op {
	op.If = &rev
	return op
}

func entry(key, value string, rev store.Revision) store.Entry {
	return store.Entry{Key: key, Value: []byte(value), Revision: rev}
}

func wantGet(t *testing.T, s store.Store, want store.Entry) {
	t.Helper()
	got, err := s.Get(t.Context(), want.Key)
	if err != nil {
		t.Fatalf("Get(%q): %v", want.Key, err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Get(%q), -want +got:\n%s", want.Key, diff)
	}
}

func wantMissing(t *testing.T, s store.Store, key string) {
	t.Helper()
	if e, err := s.Get(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get(%q) = %v, %v; want ErrNotFound", key, e, err)
	}
}

func testGetPutDelete(t *testing.T, s store.Store) {
	wantMissing(t, s, "a")
	commit(t, s, put("a", "1"))
	wantGet(t, s, entry("a", "1", 1))
	commit(t, s, put("a", ""))
	wantGet(t, s, entry("a", "", 2))
	commit(t, s, store.Put("nil", nil))
	wantGet(t, s, entry("nil", "", 3))
	commit(t, s, put("\xff\x00/ö", "any bytes are a key"))
	wantGet(t, s, entry("\xff\x00/ö", "any bytes are a key", 4))
	commit(t, s, store.Delete("a"))
	wantMissing(t, s, "a")
	wantMissing(t, s, "")
}

func testRevisions(t *testing.T, s store.Store) {
	steps := []struct {
		name string
		ops  []store.Op
		want store.Revision
	}{
		{"nothing at all", nil, 0},
		{"delete of nothing", []store.Op{store.Delete("a")}, 0},
		{"put", []store.Op{put("a", "1")}, 1},
		{"put of the same", []store.Op{put("a", "1")}, 2},
		{"two ops are one commit", []store.Op{put("b", "1"), put("c", "1")}, 3},
		{"delete", []store.Op{store.Delete("b")}, 4},
		{"delete of nothing again", []store.Op{store.Delete("b")}, 4},
		{"a condition alone changes nothing", []store.Op{when(store.Delete("b"), 0)}, 4},
		{"nothing at all again", nil, 4},
		{"put", []store.Op{put("a", "2")}, 5},
	}
	for _, st := range steps {
		if got := commit(t, s, st.ops...); got != st.want {
			t.Fatalf("%s: revision %d, want %d", st.name, got, st.want)
		}
		if _, got, err := s.List(t.Context(), "", "", 0); err != nil || got != st.want {
			t.Fatalf("%s: List gives revision %d, %v; want %d", st.name, got, err, st.want)
		}
	}
	wantGet(t, s, entry("a", "2", 5))
	wantGet(t, s, entry("c", "1", 3))
}

func testConditions(t *testing.T, s store.Store) {
	commit(t, s, put("a", "1"), put("b", "1"))
	commit(t, s, put("b", "2"))
	tests := []struct {
		name     string
		ops      []store.Op
		conflict bool
	}{
		{"right", []store.Op{when(put("a", "x"), 1)}, false},
		{"too old", []store.Op{when(put("b", "x"), 1)}, true},
		{"from the future", []store.Op{when(put("b", "x"), 99)}, true},
		{"exists already", []store.Op{when(put("b", "x"), 0)}, true},
		{"does not exist", []store.Op{when(put("new", "x"), 0)}, false},
		{"should exist", []store.Op{when(put("other", "x"), 1)}, true},
		{"delete too old", []store.Op{when(store.Delete("b"), 1)}, true},
		{"delete", []store.Op{when(store.Delete("b"), 2)}, false},
		{"one of several fails", []store.Op{put("c", "x"), when(put("c2", "x"), 7)}, true},
		{"all are of the state before", []store.Op{put("d", "1"), when(put("d", "2"), 0)}, false},
	}
	for _, tt := range tests {
		_, err := s.Commit(t.Context(), tt.ops...)
		if got := errors.Is(err, store.ErrConflict); got != tt.conflict || err != nil && !got {
			t.Errorf("%s: error %v, want a conflict: %v", tt.name, err, tt.conflict)
		}
		if err != nil && !strings.Contains(err.Error(), tt.ops[len(tt.ops)-1].Key) {
			t.Errorf("%s: error %q does not name the key", tt.name, err)
		}
	}
	wantMissing(t, s, "c")
	wantGet(t, s, entry("d", "2", 6))
}

func testAtomic(t *testing.T, s store.Store) {
	commit(t, s, put("a", "0"), put("b", "0"))
	var readers sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for range 2 {
		readers.Go(func() {
			for ctx.Err() == nil {
				got, rev, err := s.List(context.WithoutCancel(ctx), "", "", 0)
				if err != nil || len(got) != 2 || got[0].Revision != got[1].Revision || got[0].Revision != rev {
					t.Errorf("a reader saw %v at %d, %v", got, rev, err)
					return
				}
			}
		})
	}
	for i := range 100 {
		v := fmt.Sprint(i)
		commit(t, s, put("a", v), put("b", v))
	}
	cancel()
	readers.Wait()
	commit(t, s, put("a", "1"), store.Delete("a"), put("a", "2"), put("b", "x"), store.Delete("b"))
	wantGet(t, s, entry("a", "2", 102))
	wantMissing(t, s, "b")
}

func testList(t *testing.T, s store.Store) {
	for _, key := range []string{"run/b/2", "run/a/1", "rum", "run/b/1", "run0", "run/b", "run/\xff", "\xff"} {
		commit(t, s, put(key, key))
	}
	tests := []struct {
		prefix, after string
		limit         int
		want          string
	}{
		{"", "", 0, "rum run/a/1 run/b run/b/1 run/b/2 run/\xff run0 \xff"},
		{"", "", -1, "rum run/a/1 run/b run/b/1 run/b/2 run/\xff run0 \xff"},
		{"run/", "", 0, "run/a/1 run/b run/b/1 run/b/2 run/\xff"},
		{"run/b", "", 0, "run/b run/b/1 run/b/2"},
		{"run/b/", "", 1, "run/b/1"},
		{"run/b/", "run/b/1", 1, "run/b/2"},
		{"run/b/", "run/b/2", 1, ""},
		{"run/", "run/b", 2, "run/b/1 run/b/2"},
		{"run/", "run/az", 0, "run/b run/b/1 run/b/2 run/\xff"},
		{"run/", "a", 1, "run/a/1"},
		{"run/", "zzz", 0, ""},
		{"none", "", 0, ""},
		{"\xff", "", 0, "\xff"},
		{"", "\xff", 0, ""},
	}
	for _, tt := range tests {
		got, rev, err := s.List(t.Context(), tt.prefix, tt.after, tt.limit)
		if err != nil || rev != 8 {
			t.Fatalf("List(%q, %q, %d): revision %d, %v", tt.prefix, tt.after, tt.limit, rev, err)
		}
		var keys []string
		for _, e := range got {
			keys = append(keys, e.Key)
			if string(e.Value) != e.Key {
				t.Errorf("the entry %q has the value %q", e.Key, e.Value)
			}
		}
		if diff := cmp.Diff(tt.want, strings.Join(keys, " ")); diff != "" {
			t.Errorf("List(%q, %q, %d), -want +got:\n%s", tt.prefix, tt.after, tt.limit, diff)
		}
	}
}

func testLimits(t *testing.T, s store.Store) {
	longKey := strings.Repeat("k", store.MaxKey)
	bigValue := make([]byte, store.MaxValue)
	for _, ops := range [][]store.Op{
		{put("", "x")},
		{put(longKey+"k", "x")},
		{store.Put("a", append(bigValue, 0))},
		{put("b", "x"), store.Delete("")},
	} {
		if _, err := s.Commit(t.Context(), ops...); err == nil || !strings.Contains(err.Error(), "nothing was stored") {
			t.Errorf("error %v, want one that says so", err)
		}
	}
	wantMissing(t, s, "b")
	commit(t, s, put(longKey, "x"), store.Put("a", bigValue))
	wantGet(t, s, entry(longKey, "x", 1))
	if e, err := s.Get(t.Context(), "a"); err != nil || len(e.Value) != store.MaxValue {
		t.Errorf("the biggest value comes back with %d bytes, %v", len(e.Value), err)
	}
}

// testOwnMemory sees that what a store gives away is the caller's to change.
func testOwnMemory(t *testing.T, s store.Store) {
	commit(t, s, put("a", "1"))
	e, err := s.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	e.Value[0] = 'x'
	l, _, err := s.List(t.Context(), "a", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	l[0].Value[0] = 'x'
	wantGet(t, s, entry("a", "1", 1))
}

// testLostUpdates has many increment one number, conditionally, at a time.
func testLostUpdates(t *testing.T, s store.Store) {
	const workers, each = 8, 20
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for done := 0; done < each; {
				e, err := s.Get(t.Context(), "n")
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					t.Error(err)
					return
				}
				n := append(e.Value, '|')
				switch _, err := s.Commit(t.Context(), when(store.Put("n", n), e.Revision)); {
				case err == nil:
					done++
				case !errors.Is(err, store.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	wantGet(t, s, entry("n", strings.Repeat("|", workers*each), workers*each))
}

func testContext(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, errGet := s.Get(ctx, "a")
	_, _, errList := s.List(ctx, "", "", 0)
	_, errCommit := s.Commit(ctx, put("a", "1"))
	_, errWatch := s.Watch(ctx, "", 0)
	for _, err := range []error{errGet, errList, errCommit, errWatch} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
	}
	wantMissing(t, s, "a")
}

func testClose(t *testing.T, s store.Store) {
	var wg sync.WaitGroup
	for i := range 16 { // those that were accepted are done, the others are refused
		wg.Go(func() {
			if _, err := s.Commit(t.Context(), put(fmt.Sprint(i), "x")); err != nil && !errors.Is(err, store.ErrClosed) {
				t.Error(err)
			}
		})
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	wg.Wait()
	_, errGet := s.Get(t.Context(), "a")
	_, _, errList := s.List(t.Context(), "", "", 0)
	_, errCommit := s.Commit(t.Context(), put("a", "1"))
	_, errWatch := s.Watch(t.Context(), "", 0)
	for _, err := range []error{errGet, errList, errCommit, errWatch} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("error %v, want ErrClosed", err)
		}
	}
}
