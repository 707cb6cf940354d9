package sse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// diskOptions are those of a log below dir whose runs have their own logs.
func diskOptions(dir string) Options {
	return Options{Dir: filepath.Join(dir, "events"), RunDir: func(run string) string { return filepath.Join(dir, "runs", run) }}
}

// tiny makes the ring so small that readers soon live on the disk.
func tiny(o Options) Options {
	o.RingBytes, o.RingEvents = 4000, 16
	return o
}

func open(t testing.TB, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func closeLog(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// crash copies what a killed process would leave: the files as they are.
func crash(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func transition(i int) Event {
	return Event{Type: TypeLog, Message: fmt.Sprintf("event %d", i), Pipeline: "p"}
}

func output(run string, i int) Event {
	return Event{Type: TypeLog, Run: run, Job: "build", Stream: "stdout", Message: fmt.Sprintf("line %d", i)}
}

// all reads everything from since to now.
func all(t testing.TB, l *Log, since uint64, q Filter) []Frame {
	t.Helper()
	r := l.Read(since, q)
	defer r.Close()
	r.Finish()
	return drain(t, r)
}

// drain reads to the end.
func drain(t testing.TB, r *Reader) []Frame {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var out []Frame
	for {
		frames, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, frames...)
	}
}

func ids(frames []Frame) []uint64 {
	out := make([]uint64, len(frames))
	for i, f := range frames {
		out[i] = f.ID
	}
	return out
}

// upTo is the ids from..to.
func upTo(from, to uint64) []uint64 {
	out := make([]uint64, 0, to-from+1)
	for id := from; id <= to; id++ {
		out = append(out, id)
	}
	return out
}

func event(t testing.TB, f Frame) Event {
	t.Helper()
	e, err := f.Event()
	if err != nil {
		t.Fatal(err)
	}
	return e
}
