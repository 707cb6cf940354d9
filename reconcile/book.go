package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/abide-agent/abide/internal/failpoint"
	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/runner"
)

// Keys of the store. An entry below active/ means that a run still needs
// looking after: it is under way, or its last event or its containers are not
// dealt with. It goes when all of that is done.
const (
	keyRun    = "run/"
	keyActive = "active/"
)

// Book keeps the runs. Their ids sort by time. It is the runner's journal.
type Book struct {
	store  store.Store
	commit func(context.Context, ...store.Op) error
	// final gives the writes that belong to the end of a run: they are committed
	// together with it, so that no crash can separate the two.
	final func(*runner.Run) []store.Op

	mu    sync.Mutex
	ids   []string // ascending
	live  map[string]*liveRun
	total int
	last  time.Time
}

// liveRun is a run that is not dealt with yet.
type liveRun struct {
	run    runner.Run
	cancel context.CancelCauseFunc
	asked  error // why somebody asked for its end; nil: nobody did
}

var _ runner.Journal = (*Book)(nil)

// openBook reads the ids of all runs and gives those that need looking after.
func openBook(ctx context.Context, s store.Store) (*Book, []runner.Run, error) {
	b := &Book{store: s, live: map[string]*liveRun{}}
	entries, _, err := s.List(ctx, keyRun, "", 0)
	if err != nil {
		return nil, nil, fmt.Errorf("the runs can't be read: %w", err)
	}
	for _, e := range entries {
		b.ids = append(b.ids, e.Key[len(keyRun):])
	}
	b.total = len(b.ids)
	var active []runner.Run
	err = each(ctx, s, keyActive, func(id string, _ bool) {
		run, err := b.load(ctx, id)
		if err != nil {
			return // an active mark without its run: nothing to look after
		}
		b.live[id] = &liveRun{run: run, cancel: func(error) {}}
		active = append(active, run)
	})
	if n := len(b.ids); n > 0 && err == nil {
		if newest, err := b.load(ctx, b.ids[n-1]); err == nil {
			b.last = newest.Created
		}
	}
	return b, active, err
}

func (b *Book) load(ctx context.Context, id string) (runner.Run, error) {
	e, err := b.store.Get(ctx, keyRun+id)
	if errors.Is(err, store.ErrNotFound) {
		return runner.Run{}, fmt.Errorf("there is no run %q: %w; `abide runs` lists them", id, ErrNotFound)
	}
	if err != nil {
		return runner.Run{}, err
	}
	var run runner.Run
	if err := json.Unmarshal(e.Value, &run); err != nil {
		return runner.Run{}, fmt.Errorf("the record of run %s can't be read: %w", id, err)
	}
	return run, nil
}

// open takes a run in before it begins.
func (b *Book) open(run *runner.Run, cancel context.CancelCauseFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var asked error
	if old := b.live[run.ID]; old != nil {
		if asked = old.asked; asked != nil {
			cancel(asked) // before there was anything to cancel
		}
	} else {
		at, _ := slices.BinarySearch(b.ids, run.ID)
		b.ids = slices.Insert(b.ids, at, run.ID)
		b.total++
		b.last = run.Created
	}
	b.live[run.ID] = &liveRun{run: snapshotRun(run), cancel: cancel, asked: asked}
}

// isLive says whether a run still needs looking after.
func (b *Book) isLive(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.live[id] != nil
}

// drop takes a run out again that could not be recorded.
func (b *Book) drop(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.live, id)
	if at, ok := slices.BinarySearch(b.ids, id); ok {
		b.ids = slices.Delete(b.ids, at, at+1)
		b.total--
	}
}

func snapshotRun(run *runner.Run) runner.Run {
	c := *run
	c.Jobs = slices.Clone(run.Jobs)
	return c
}

// Save implements [runner.Journal].
func (b *Book) Save(ctx context.Context, run *runner.Run) error {
	b.mu.Lock()
	if l := b.live[run.ID]; l != nil {
		l.run = snapshotRun(run)
	}
	b.mu.Unlock()
	ops := []store.Op{store.Put(keyRun+run.ID, encode(run)), store.Put(keyActive+run.ID, []byte("true"))}
	if run.State.Final() && b.final != nil {
		ops = append(ops, b.final(run)...)
	}
	return b.commit(ctx, ops...)
}

// Done implements [runner.Journal].
func (b *Book) Done(run *runner.Run) {
	_ = failpoint.Hit("book.before-done")
	_ = b.commit(context.Background(), store.Delete(keyActive+run.ID))
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.live, run.ID)
}

// Get gives one run as it is now.
func (b *Book) Get(ctx context.Context, id string) (runner.Run, error) {
	b.mu.Lock()
	l := b.live[id]
	if l != nil {
		defer b.mu.Unlock()
		return snapshotRun(&l.run), nil
	}
	b.mu.Unlock()
	return b.load(ctx, id)
}

// List gives at most limit runs, newest first, beginning below after; next is
// what after must be for the following page, "" on the last one.
func (b *Book) List(ctx context.Context, after string, limit int, keep func(*runner.Run) bool) (runs []runner.Run, next string, err error) {
	b.mu.Lock()
	ids := b.ids
	if after != "" {
		at, _ := slices.BinarySearch(ids, after)
		ids = ids[:at]
	}
	ids = slices.Clone(ids)
	b.mu.Unlock()
	for _, id := range slices.Backward(ids) {
		run, err := b.Get(ctx, id)
		if errors.Is(err, ErrNotFound) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, "", err
		}
		if !keep(&run) {
			continue
		}
		if len(runs) == limit {
			return runs, runs[limit-1].ID, nil
		}
		runs = append(runs, run)
	}
	return runs, "", nil
}

// Cancel ends a run that is under way.
func (b *Book) Cancel(ctx context.Context, id string, cause error) error {
	b.mu.Lock()
	if l := b.live[id]; l != nil && !l.run.State.Final() {
		defer b.mu.Unlock()
		if l.asked == nil {
			l.asked = cause
		}
		l.cancel(cause)
		return nil
	}
	b.mu.Unlock()
	run, err := b.load(ctx, id)
	if err != nil {
		return err
	}
	return fmt.Errorf("run %s has ended already (%s): %w", id, run.State, ErrConflict)
}

// Count gives the runs ever kept here, when the newest began, and how many of
// the live ones run and wait.
func (b *Book) Count() (total int, last time.Time, running, queued int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.live {
		switch l.run.State {
		case runner.Running:
			running++
		case runner.Pending:
			queued++
		}
	}
	return b.total, b.last, running, queued
}

// expire removes the oldest runs beyond keep that are dealt with and not in
// force, and gives their ids. Runs that wait don't count: however many there
// are, those that ended before them stay. It lets a few more than keep come
// together, so that not every run costs a write for another.
func (b *Book) expire(ctx context.Context, keep int, inForce func() map[string]bool) []string {
	b.mu.Lock()
	excess := len(b.ids) - len(b.live) - keep
	b.mu.Unlock()
	if excess <= keep/50 {
		return nil
	}
	needed := inForce()
	b.mu.Lock()
	var out []string
	for _, id := range b.ids {
		if excess <= 0 {
			break
		}
		if b.live[id] == nil && !needed[id] {
			out = append(out, id)
			excess--
		}
	}
	b.ids = slices.DeleteFunc(b.ids, func(id string) bool {
		_, found := slices.BinarySearch(out, id)
		return found
	})
	b.mu.Unlock()
	var ops []store.Op
	for _, id := range out {
		ops = append(ops, store.Delete(keyRun+id))
	}
	if len(ops) > 0 {
		_ = b.commit(ctx, ops...)
	}
	return out
}

// alphabet is Crockford's base 32 in lower case: sortable, and nothing in it
// reads like something else.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// idMaker makes run ids: the milliseconds since 1970 and a random tail, 16
// characters that sort by time. Two in one millisecond still sort.
type idMaker struct {
	mu   sync.Mutex
	last int64
	rand func() uint64
}

func (m *idMaker) next(now time.Time) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	ms := max(now.UnixMilli(), m.last+1)
	m.last = ms
	var s strings.Builder
	for shift := 45; shift >= 0; shift -= 5 {
		s.WriteByte(alphabet[ms>>shift&31])
	}
	r := m.rand()
	for range 6 {
		s.WriteByte(alphabet[r&31])
		r >>= 5
	}
	return s.String()
}
