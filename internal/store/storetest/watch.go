package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/abide-agent/abide/internal/store"
)

// patience is how long a test waits for what must come. Only a failing test
// waits that long.
const patience = 20 * time.Second

// longHistory is more changes than any store keeps for its watches.
const longHistory = 20_000

func watch(t *testing.T, s store.Store, prefix string, from store.Revision) <-chan store.Change {
	t.Helper()
	c, err := s.Watch(t.Context(), prefix, from)
	if err != nil {
		t.Fatalf("Watch: %v", err)
	}
	return c
}

// receive gives the next change, and false when the channel is closed.
func receive(t *testing.T, c <-chan store.Change) (store.Change, bool) {
	t.Helper()
	select {
	case change, ok := <-c:
		return change, ok
	case <-time.After(patience):
		t.Fatal("no change came and the watch was not closed")
		panic("unreachable")
	}
}

func wantChanges(t *testing.T, c <-chan store.Change, want ...store.Change) {
	t.Helper()
	for i, w := range want {
		got, ok := receive(t, c)
		if !ok {
			t.Fatalf("the watch was closed before change %d", i)
		}
		if diff := cmp.Diff(w, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("change %d, -want +got:\n%s", i, diff)
		}
	}
}

func wantClosed(t *testing.T, c <-chan store.Change) {
	t.Helper()
	if change, ok := receive(t, c); ok {
		t.Fatalf("got %v, want a closed channel", change)
	}
}

func changed(key, value string, rev store.Revision) store.Change {
	return store.Change{Entry: entry(key, value, rev)}
}

func deleted(key string, rev store.Revision) store.Change {
	return store.Change{Entry: store.Entry{Key: key, Revision: rev}, Deleted: true}
}

func testWatchLive(t *testing.T, s store.Store) {
	all, some := watch(t, s, "", 0), watch(t, s, "b", 0)
	commit(t, s, put("a", "1"), put("b", "1"), put("a", "2"))
	commit(t, s, store.Delete("a"), store.Delete("missing"))
	commit(t, s, put("bb", "2"))
	wantChanges(t, all, changed("a", "1", 1), changed("b", "1", 1), changed("a", "2", 1), deleted("a", 2), changed("bb", "2", 3))
	wantChanges(t, some, changed("b", "1", 1), changed("bb", "2", 3))
}

func testWatchCatchUp(t *testing.T, s store.Store) {
	for i := range 5 {
		commit(t, s, put("a", fmt.Sprint(i+1)))
	}
	middle, end, future := watch(t, s, "", 3), watch(t, s, "", 5), watch(t, s, "", 6)
	commit(t, s, put("a", "6"))
	commit(t, s, put("a", "7"))
	wantChanges(t, middle, changed("a", "4", 4), changed("a", "5", 5), changed("a", "6", 6), changed("a", "7", 7))
	wantChanges(t, end, changed("a", "6", 6), changed("a", "7", 7))
	wantChanges(t, future, changed("a", "7", 7))
}

// fill makes changes in commits of 100.
func fill(t *testing.T, s store.Store, changes int) (last store.Revision) {
	t.Helper()
	for range changes / 100 {
		ops := make([]store.Op, 100)
		for i := range ops {
			ops[i] = put("a", "x")
		}
		last = commit(t, s, ops...)
	}
	return last
}

func testWatchTooOld(t *testing.T, s store.Store) {
	last := fill(t, s, longHistory)
	wantClosed(t, watch(t, s, "", 0))
	wantClosed(t, watch(t, s, "another prefix", 0)) // nobody knows any more
	recent := watch(t, s, "", last-1)
	for range 100 {
		wantChanges(t, recent, changed("a", "x", last))
	}
}

// testWatchSlow sees that a watch nobody reads holds up nobody, and ends after
// changes that have no gap.
func testWatchSlow(t *testing.T, s store.Store) {
	slow := watch(t, s, "", 0)
	last := fill(t, s, longHistory)
	n := 0
	for {
		change, ok := receive(t, slow)
		if !ok {
			break
		}
		if want := store.Revision(n/100 + 1); change.Revision != want {
			t.Fatalf("change %d has revision %d, want %d", n, change.Revision, want)
		}
		n++
	}
	if n >= longHistory {
		t.Errorf("a watch that was %d changes behind got all", n)
	}
	fresh := watch(t, s, "", last)
	commit(t, s, put("b", "1"))
	wantChanges(t, fresh, changed("b", "1", last+1))
}

// testWatchBigCommit sees that one big commit does not end a watch that keeps up.
func testWatchBigCommit(t *testing.T, s store.Store) {
	c := watch(t, s, "", 0)
	ops := make([]store.Op, longHistory)
	for i := range ops {
		ops[i] = put(fmt.Sprintf("%06d", i), "x")
	}
	commit(t, s, ops...)
	for i := range ops {
		wantChanges(t, c, changed(ops[i].Key, "x", 1))
	}
}

func testWatchEnds(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	idle, err := s.Watch(ctx, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	wantClosed(t, idle)

	ctx, cancel = context.WithCancel(t.Context())
	busy, err := s.Watch(ctx, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, put("a", "1"), put("a", "2"))
	wantChanges(t, busy, changed("a", "1", 1))
	cancel()
	for ok := true; ok; { // the second change may still be on its way
		_, ok = receive(t, busy)
	}

	idle, unread := watch(t, s, "", 1), watch(t, s, "", 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantClosed(t, idle)
	for ok := true; ok; {
		_, ok = receive(t, unread)
	}
}

// testListThenWatch has readers join while others write: what a reader listed
// and then watched must be the state in the end, with each revision seen once.
func testListThenWatch(t *testing.T, s store.Store) {
	const writers, each, readers = 4, 100, 16
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				key := fmt.Sprintf("%d/%d", w, i%7)
				if _, err := s.Commit(ctx, put(key, fmt.Sprint(i))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	states := make([]map[string]store.Revision, readers)
	for r := range readers {
		wg.Go(func() { states[r] = follow(ctx, t, s, writers*each) })
	}
	wg.Wait()
	want := map[string]store.Revision{}
	final, _, err := s.List(ctx, "", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range final {
		want[e.Key] = e.Revision
	}
	for r, got := range states {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the state of reader %d, -want +got:\n%s", r, diff)
		}
	}
}

// follow keeps a copy of the state until it has seen the revision last.
func follow(ctx context.Context, t *testing.T, s store.Store, last store.Revision) map[string]store.Revision {
	state := map[string]store.Revision{}
	entries, rev, err := s.List(ctx, "", "", 0)
	if err != nil {
		t.Error(err)
		return nil
	}
	for _, e := range entries {
		state[e.Key] = e.Revision
	}
	changes, err := s.Watch(ctx, "", rev)
	if err != nil {
		t.Error(err)
		return nil
	}
	for rev < last {
		c, ok := <-changes
		if !ok || c.Revision != rev+1 {
			t.Errorf("after revision %d came %v (open: %v)", rev, c, ok)
			return nil
		}
		rev = c.Revision
		state[c.Key] = c.Revision
	}
	return state
}
