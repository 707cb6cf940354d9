package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/runner"
)

// fullDisk is a store whose disk may be full.
type fullDisk struct {
	store.Store
	full atomic.Bool
}

func (f *fullDisk) Commit(ctx context.Context, ops ...store.Op) (store.Revision, error) {
	if f.full.Load() {
		return 0, errors.New("no space left on device")
	}
	return f.Store.Commit(ctx, ops...)
}

func fullWorld(t *testing.T, repos ...*repo) (*world, *fullDisk) {
	w := newWorld(t, repos...)
	disk := &fullDisk{Store: w.store}
	w.store = disk
	return w, disk
}

// stored reads what the store holds of a record.
func stored(t *testing.T, s store.Store, key string) (rec Record) {
	t.Helper()
	e, err := s.Get(t.Context(), keyRecord+key)
	if err == nil {
		err = json.Unmarshal(e.Value, &rec)
	}
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// TestALateWriteCoversNoNewerOne: a new wish that a full disk kept from being
// recorded must not, when its turn comes, erase how a run ended meanwhile.
func TestALateWriteCoversNoNewerOne(t *testing.T) {
	in(t, func(t *testing.T) {
		r := newRepo("r", map[string]string{"a.yaml": pipeline("a", "sleep 10")})
		w, disk := fullWorld(t, r)
		l := w.start()
		time.Sleep(9 * time.Second)
		disk.full.Store(true)
		r.set(map[string]string{"a.yaml": pipeline("a", "sleep 600")})
		time.Sleep(3500 * time.Millisecond)
		disk.full.Store(false)
		time.Sleep(30 * time.Second)
		if rec := stored(t, disk, "pipeline/a"); rec.Last == nil || rec.Last.Result != Succeeded || rec.Want == rec.Last.Digest {
			t.Errorf("stored: %+v, last %+v", rec, rec.Last)
		}
		l.end()
	})
}

// TestRequestsOfAFullDisk: who asks for something gets an answer, and nothing
// is changed.
func TestRequestsOfAFullDisk(t *testing.T) {
	in(t, func(t *testing.T) {
		r := newRepo("r", map[string]string{"a.yaml": pipeline("a", "exit 1"), "b.yaml": pipeline("b", "true")})
		w, disk := fullWorld(t, r)
		l := w.start()
		expectRan(t, w, "a", "b")
		if err := l.Suspend(t.Context(), "", "why", "me"); err != nil {
			t.Fatal(err)
		}
		disk.full.Store(true)
		for what, ask := range map[string]func() error{
			"retry":   func() error { return l.Retry(t.Context(), "a", "me") },
			"suspend": func() error { return l.Suspend(t.Context(), "r", "why", "me") },
			"resume":  func() error { return l.Resume(t.Context(), "", "me") },
		} {
			begin := time.Now()
			if err := ask(); !errors.Is(err, ErrUnavailable) || time.Since(begin) > recordTime {
				t.Errorf("%s: %v after %s", what, err, time.Since(begin))
			}
		}
		if holds := l.holdList(); len(holds) != 1 || holds[0].Source != "" {
			t.Errorf("holds %+v", holds)
		}
		if a := status(t, l, "a"); a.Retry != nil || a.Last == nil || a.Last.Result != Failed {
			t.Errorf("%+v", a)
		}
		disk.full.Store(false)
		if err := l.Resume(t.Context(), "", "me"); err != nil {
			t.Fatal(err)
		}
		settle()
		expectRan(t, w)
		l.end()
	})
}

// TestShutdownWithAFullDisk ends within the grace period all the same, and the
// next life finds out what happened.
func TestShutdownWithAFullDisk(t *testing.T) {
	in(t, func(t *testing.T) {
		w, disk := fullWorld(t, newRepo("r", map[string]string{"a.yaml": pipeline("a", "sleep 60")}))
		l := w.start()
		disk.full.Store(true)
		begin := time.Now()
		l.end()
		if took := time.Since(begin); took > 6*time.Second {
			t.Errorf("it took %s", took)
		}
		disk.full.Store(false)
		l = w.start()
		time.Sleep(2 * time.Minute)
		if a := status(t, l, "a"); a.Last == nil || a.Last.Result != Succeeded {
			t.Errorf("%+v", a.Last)
		}
		l.end()
	})
}

// TestCancelBeforeTheBeginning: a run can be cancelled as soon as it is known.
func TestCancelBeforeTheBeginning(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t)
		l := w.start()
		run, err := l.Trigger(t.Context(), []byte(pipeline("a", "sleep 60")), "", "me")
		if err == nil {
			err = l.Cancel(t.Context(), run.ID, "me")
		}
		if err != nil {
			t.Fatal(err)
		}
		settle()
		if got, _ := l.Pipelines.Run(t.Context(), run.ID); got.State != runner.Cancelled {
			t.Errorf("%+v", got)
		}
		l.end()
	})
}
