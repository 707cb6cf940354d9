package sse

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fill makes the log's segment behave as on a full disk, until free is called.
func fill(t *testing.T, l *Log) (free func()) {
	t.Helper()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	real := l.disk.main.active.f
	l.disk.main.active.f = full
	return func() {
		l.mu.Lock()
		l.disk.main.active.f = real
		l.mu.Unlock()
		_ = full.Close()
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		options func(Options) Options
		lost    bool
	}{
		{"for a moment", func(o Options) Options { return o }, false},
		{"for longer than the ring", tiny, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			told := make(chan error, 10)
			dir := t.TempDir()
			o := tt.options(diskOptions(dir))
			o.OnError = func(err error) { told <- err }
			l := open(t, o)
			publish(l, 5)
			r := l.Read(5, Filter{})
			defer r.Close()
			free := fill(t, l)
			for i := range 40 {
				l.Publish(transition(i))
				frames, err := r.Next(t.Context())
				if err != nil || len(frames) != 1 || frames[0].ID != uint64(6+i) {
					t.Fatalf("a reader got %v, %v", ids(frames), err)
				}
			}
			if err := <-told; !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "free some space") {
				t.Error(err)
			}
			if err := l.Err(); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("the log says %v", err)
			}
			free()
			// What the keeper does each second.
			if l.settle() && l.Err() != nil {
				t.Error(l.Err())
			}
			l.Publish(transition(99))
			if err := l.Err(); err != nil {
				t.Error(err)
			}
			closeLog(t, l)
			l = open(t, diskOptions(dir))
			frames := all(t, l, 0, Filter{})
			if !tt.lost {
				if diff := cmp.Diff(upTo(1, 46), ids(frames)); diff != "" {
					t.Error(diff)
				}
				return
			}
			gap := event(t, frames[len(frames)-2])
			from, to := gap.Fields["from"], gap.Fields["to"]
			if gap.Type != TypeGap || gap.ID != 46 || from != 6.0 || to.(float64) < 20 {
				t.Errorf("the gap is %s", frames[len(frames)-2].Data())
			}
			want := append(upTo(1, 5), upTo(uint64(to.(float64))+1, 47)...)
			if diff := cmp.Diff(want, ids(frames)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFullDiskAtTheEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, diskOptions(dir))
	publish(l, 5)
	free := fill(t, l)
	publish(l, 5)
	if err := l.Close(); err == nil {
		t.Error("events were lost and nobody was told")
	}
	free()
	l = open(t, diskOptions(dir))
	frames := all(t, l, 5, Filter{})
	if frames[0].Type != TypeGap || frames[0].ID <= 11 {
		t.Errorf("then comes %s", frames[0].Data())
	}
}

func TestUnwritableRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "runs"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, diskOptions(dir))
	play(l, "r1")
	if err := l.Err(); err == nil {
		t.Fatal("nothing is wrong?")
	}
	if err := os.Remove(filepath.Join(dir, "runs")); err != nil {
		t.Fatal(err)
	}
	l.settle()
	if err := l.Err(); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	l = open(t, diskOptions(dir))
	if diff := cmp.Diff(upTo(1, 6), ids(all(t, l, 0, Filter{}))); diff != "" {
		t.Error(diff)
	}
}
