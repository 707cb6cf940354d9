package sse

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func publish(l *Log, n int) {
	for i := range n {
		l.Publish(transition(i))
	}
}

func TestIDsGoOnAfterCleanClose(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for round := range 4 {
		l := open(t, diskOptions(dir))
		if got := l.LastID(); got != uint64(round*10) {
			t.Fatalf("round %d begins after %d", round, got)
		}
		publish(l, 10)
		closeLog(t, l)
	}
	l := open(t, diskOptions(dir))
	if diff := cmp.Diff(upTo(1, 40), ids(all(t, l, 0, Filter{}))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(upTo(26, 40), ids(all(t, l, 25, Filter{}))); diff != "" {
		t.Error(diff)
	}
}

func TestCrash(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		damage func(t *testing.T, events string)
		want   []uint64 // what is left of 1..20
	}{
		{"killed", func(*testing.T, string) {}, upTo(1, 20)},
		{"torn line", func(t *testing.T, events string) { chop(t, events, 10) }, upTo(1, 19)},
		{"newline is missing", func(t *testing.T, events string) { chop(t, events, 1) }, upTo(1, 19)},
		{"zeros at the end", func(t *testing.T, events string) { appendTo(t, events, make([]byte, 200_000)) }, upTo(1, 20)},
		{"damaged last lines", func(t *testing.T, events string) { appendTo(t, events, []byte("{\"id\":\n\n{}\nx")) }, upTo(1, 20)},
		{"all lost", func(t *testing.T, events string) { chop(t, events, 1<<30) }, []uint64{}},
		{"segment gone", func(t *testing.T, events string) {
			if err := os.Remove(filepath.Join(events, segmentName(1))); err != nil {
				t.Fatal(err)
			}
		}, []uint64{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			l := open(t, diskOptions(dir))
			publish(l, 20)
			dir = crash(t, dir)
			tt.damage(t, filepath.Join(dir, "events"))

			l = open(t, diskOptions(dir))
			next := l.Publish(transition(0)).ID
			if next <= 20+1 {
				t.Fatalf("id %d may have been given out before", next)
			}
			frames := all(t, l, 0, Filter{})
			n := len(tt.want)
			if diff := cmp.Diff(append(tt.want, next-1, next), ids(frames)); diff != "" {
				t.Fatal(diff)
			}
			gap := event(t, frames[n])
			want := map[string]any{"from": float64(n + 1), "to": float64(next - 2)}
			if gap.Type != TypeGap {
				t.Errorf("the event after the crash is %s", frames[n].Data())
			}
			if diff := cmp.Diff(want, gap.Fields); diff != "" {
				t.Error(diff)
			}
			closeLog(t, l)
			l = open(t, diskOptions(dir))
			if got := l.LastID(); got != next {
				t.Errorf("after a clean end the log goes on after %d, want %d", got, next)
			}
		})
	}
}

func TestLostFileOfIDs(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "garbage", "-"} {
		dir := t.TempDir()
		l := open(t, diskOptions(dir))
		publish(l, 20)
		closeLog(t, l)
		path := filepath.Join(dir, "events", idsFile)
		if content == "-" {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		l = open(t, diskOptions(dir))
		if got := l.LastID(); got <= 20+idBlock {
			t.Errorf("with %q the log goes on after %d", content, got)
		}
	}
}

func TestReservedBlocksFollowEachOther(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, diskOptions(dir))
	const n = 3*idBlock + 17
	publish(l, n)
	after := crash(t, dir)
	closeLog(t, l)
	l = open(t, diskOptions(after))
	if got := l.LastID(); got <= n || got > n+2*idBlock+1 {
		t.Errorf("%d ids were given out, the log goes on after %d", n, got)
	}
}

func TestCorruptLinesAreLeftOutAndCounted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, diskOptions(dir))
	publish(l, 10)
	closeLog(t, l)
	path := filepath.Join(dir, "events", segmentName(1))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	lines[2] = bytes.Replace(lines[2], []byte(`"message"`), []byte(`"mess`), 1)
	lines[4] = []byte("\x00\x00\x00\n")
	lines[5] = []byte(strings.Repeat("x", 3*chunkSize) + "\n")
	if err := os.WriteFile(path, bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	l = open(t, diskOptions(dir))
	if diff := cmp.Diff([]uint64{1, 2, 4, 7, 8, 9, 10}, ids(all(t, l, 0, Filter{}))); diff != "" {
		t.Error(diff)
	}
	if l.Corrupt() < 3 {
		t.Errorf("%d damaged lines were counted", l.Corrupt())
	}
}

// TestALittleIsKept: who keeps few events gets files that can be dropped.
func TestALittleIsKept(t *testing.T) {
	t.Parallel()
	o := tiny(diskOptions(t.TempDir()))
	o.SegmentBytes, o.Retain = 0, 100<<10
	l := open(t, o)
	publish(l, 3000)
	if frames := all(t, l, 1, Filter{}); event(t, frames[0]).Type != TypeStale || len(frames) < 300 {
		t.Errorf("%d frames, and first comes %s", len(frames), frames[0].Data())
	}
}

func TestRetentionDropsTheOldest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := tiny(diskOptions(dir))
	o.SegmentBytes, o.Retain = 2000, 8000
	l := open(t, o)
	publish(l, 1000)
	frames := all(t, l, 1, Filter{})
	stale := event(t, frames[0])
	oldest := frames[1].ID
	if stale.Type != TypeStale || stale.ID != 0 || stale.Level != Warning {
		t.Fatalf("first comes %s", frames[0].Data())
	}
	if diff := cmp.Diff(map[string]any{"wanted": 2.0, "oldest": float64(oldest), "last": 1000.0}, stale.Fields); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(upTo(oldest, 1000), ids(frames[1:])); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(upTo(oldest, 1000), ids(all(t, l, 0, Filter{}))); diff != "" {
		t.Error("from the beginning of what is kept: " + diff)
	}
	var size int64
	entries, err := filepath.Glob(filepath.Join(dir, "events", "0*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := os.Stat(e)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > o.Retain || size < o.Retain/2 {
		t.Errorf("%d bytes are kept of %d", size, o.Retain)
	}
	closeLog(t, l)
	l = open(t, o)
	if diff := cmp.Diff(upTo(oldest, 1000), ids(all(t, l, oldest-1, Filter{}))); diff != "" {
		t.Error("after a restart: " + diff)
	}
}

func TestUnknownSince(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{}, {Dir: t.TempDir()}} {
		l := open(t, o)
		publish(l, 3)
		for _, since := range []uint64{4, 1 << 60, 1<<64 - 1} {
			r := l.Read(since, Filter{})
			frames, err := r.Next(t.Context())
			if err != nil || len(frames) != 1 || frames[0].Type != TypeStale {
				t.Fatalf("first come %v, %v", frames, err)
			}
			id := l.Publish(transition(0)).ID
			frames, err = r.Next(t.Context())
			if err != nil || len(frames) != 1 || frames[0].ID != id {
				t.Fatalf("then come %v, %v", frames, err)
			}
			r.Close()
		}
	}
}

func TestConcurrentPublishersAndReaders(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{"ring": diskOptions(t.TempDir()), "disk": tiny(diskOptions(t.TempDir()))} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.SegmentBytes, o.Retain = 50_000, 1<<30
			l := open(t, o)
			const publishers, each, readers = 16, 100, 50
			var read, written sync.WaitGroup
			for i := range readers {
				r := l.Read(0, Filter{})
				read.Go(func() {
					defer r.Close()
					next := uint64(1)
					for next <= publishers*each {
						frames, err := r.Next(t.Context())
						if err != nil {
							t.Error(err)
							return
						}
						for _, f := range frames {
							if f.ID != next {
								t.Errorf("reader %d got %d, want %d", i, f.ID, next)
								return
							}
							next++
						}
					}
				})
			}
			for i := range publishers {
				written.Go(func() {
					run := string(rune('a' + i))
					for n := range each {
						if n%3 == 0 {
							l.Publish(transition(n))
						} else {
							l.Publish(output(run, n))
						}
					}
				})
			}
			written.Wait()
			read.Wait()
		})
	}
}

func TestAfterClose(t *testing.T) {
	t.Parallel()
	l := open(t, diskOptions(t.TempDir()))
	r := l.Read(0, Filter{})
	done := make(chan error)
	go func() {
		_, err := r.Next(t.Context())
		done <- err
	}()
	closeLog(t, l)
	if err := <-done; err != ErrClosed {
		t.Errorf("a reader that waited got %v", err)
	}
	if e := l.Publish(transition(1)); e.ID != 0 {
		t.Errorf("an event got id %d", e.ID)
	}
	if err := l.RemoveRun("r"); err != ErrClosed {
		t.Error(err)
	}
	closeLog(t, l)
}

func TestOpenFails(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := Open(Options{Dir: filepath.Join(path, "events")}); err == nil {
		_ = l.Close()
		t.Fatal("a log was opened in a file")
	} else if !strings.Contains(err.Error(), "move it away") {
		t.Error(err)
	}
}

func chop(t *testing.T, events string, n int64) {
	t.Helper()
	path := filepath.Join(events, segmentName(1))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, max(info.Size()-n, 0)); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t *testing.T, events string, data []byte) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(events, segmentName(1)), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
