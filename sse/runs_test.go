package sse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// play publishes three rounds of a transition and a line of each run.
func play(l *Log, runs ...string) {
	for i := range 3 {
		l.Publish(transition(i))
		for _, run := range runs {
			l.Publish(output(run, i))
		}
	}
}

func TestOutputIsStoredOnceInItsRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, tiny(diskOptions(dir)))
	play(l, "r1", "r2")
	l.Publish(Event{Type: TypePipelineComplete, Run: "r1"})
	play(l, "r2", "r3")
	want := upTo(1, 19)
	check := func(l *Log) {
		t.Helper()
		for since := range want[:19] {
			if diff := cmp.Diff(want[since:], ids(all(t, l, uint64(since), Filter{}))); diff != "" {
				t.Fatalf("since %d: %s", since, diff)
			}
		}
		if diff := cmp.Diff([]uint64{2, 5, 8, 10}, ids(all(t, l, 0, Filter{Run: "r1"}))); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]uint64{10}, ids(all(t, l, 0, Filter{Types: map[string]bool{TypePipelineComplete: true}}))); diff != "" {
			t.Error(diff)
		}
		if got := len(all(t, l, 0, Filter{Job: "build"})); got != 12 {
			t.Errorf("%d lines of the job", got)
		}
	}
	check(l)
	closeLog(t, l)

	main, err := os.ReadFile(filepath.Join(dir, "events", segmentName(1)))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(main), "line ") || strings.Count(string(main), "\n") != 7 {
		t.Errorf("the transitions are\n%s", main)
	}
	for _, run := range []string{"r1", "r2", "r3"} {
		if _, err := os.Stat(filepath.Join(dir, "runs", run, OutputFile)); err != nil {
			t.Error(err)
		}
	}

	l = open(t, tiny(diskOptions(dir)))
	check(l)
	closeLog(t, l)
	if err := os.Remove(filepath.Join(dir, "events", indexFile)); err != nil {
		t.Fatal(err)
	}
	l = open(t, tiny(diskOptions(dir)))
	if diff := cmp.Diff([]uint64{2, 5, 8, 10}, ids(all(t, l, 0, Filter{Run: "r1"}))); diff != "" {
		t.Error("without the index: " + diff)
	}
}

func TestOutputNeverEvictsTransitions(t *testing.T) {
	t.Parallel()
	o := tiny(diskOptions(t.TempDir()))
	o.SegmentBytes, o.Retain = 2000, 4000
	l := open(t, o)
	l.Publish(transition(0))
	for i := range 1000 {
		l.Publish(output("chatty", i))
	}
	l.Publish(transition(1))
	if got := ids(all(t, l, 0, Filter{})); len(got) != 1002 {
		t.Errorf("%d events are left of 1002", len(got))
	}
}

func TestCrashWithOpenRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, diskOptions(dir))
	play(l, "r1", "r2")
	dir = crash(t, dir)
	path := filepath.Join(dir, "runs", "r2", OutputFile)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-3); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "runs", "r1")); err != nil {
		t.Fatal(err)
	}
	l = open(t, tiny(diskOptions(dir)))
	next := l.Publish(output("r2", 9)).ID
	if diff := cmp.Diff([]uint64{1, 3, 4, 6, 7, next - 1, next}, ids(all(t, l, 0, Filter{}))); diff != "" {
		t.Error(diff)
	}
}

func TestRemoveRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, tiny(diskOptions(dir)))
	play(l, "r1", "r2")
	l.Publish(Event{Type: TypePipelineComplete, Run: "r1"})
	publish(l, 20)
	for range 2 {
		if err := l.RemoveRun("r1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.RemoveRun("../r2"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "runs", "r1")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the run's directory is still there")
	}
	check := func() {
		t.Helper()
		frames := all(t, l, 1, Filter{})
		if frames[0].Type != TypeStale || !strings.Contains(event(t, frames[0]).Message, "removed runs (1)") {
			t.Errorf("first comes %s", frames[0].Data())
		}
		if diff := cmp.Diff(append([]uint64{0, 3, 4, 6, 7}, upTo(9, 30)...), ids(frames)); diff != "" {
			t.Error(diff)
		}
		if frames := all(t, l, 8, Filter{}); frames[0].Type == TypeStale {
			t.Error("what was removed lies before what is wanted")
		}
	}
	check()
	closeLog(t, l)
	l = open(t, tiny(diskOptions(dir)))
	check()
}

func TestManyRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := tiny(diskOptions(dir))
	o.SegmentBytes = 4000
	l := open(t, o)
	const n = 600
	for i := range n {
		run := fmt.Sprintf("run-%d", i)
		l.Publish(output(run, i))
		if i%3 != 0 {
			l.Publish(Event{Type: TypePipelineComplete, Run: run})
		}
		if got := len(l.disk.runs.open); got > maxOpenRuns {
			t.Fatalf("%d run logs are open", got)
		}
		if i%2 == 0 {
			if err := l.RemoveRun(run); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := 1; i < n; i += 6 { // long closed: opened again
		l.Publish(output(fmt.Sprintf("run-%d", i), i))
	}
	last := l.LastID()
	closeLog(t, l)
	l = open(t, o)
	frames := all(t, l, last-600, Filter{})
	if len(frames) < 300 || frames[len(frames)-1].ID != last {
		t.Errorf("%d frames", len(frames))
	}
	if got := ids(all(t, l, 0, Filter{Run: "run-1", Job: "build"})); len(got) != 2 {
		t.Errorf("run-1 has the lines %v", got)
	}
	if l.disk.runs.index.lines > 4*len(l.disk.runs.runs)+1024 {
		t.Errorf("%d lines of index for %d runs", l.disk.runs.index.lines, len(l.disk.runs.runs))
	}
}

func TestReadRun(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"ring": diskOptions(t.TempDir()), "disk": tiny(diskOptions(t.TempDir())), "memory": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := open(t, o)
			play(l, "r1", "r2")
			r := l.ReadRun("r1")
			defer r.Close()
			got := make(chan []Frame)
			go func() { got <- drain(t, r) }()
			l.Publish(output("r1", 9))
			l.Publish(Event{Type: TypeJobCompleted, Run: "r1"})
			play(l, "r2")
			end := l.Publish(Event{Type: TypePipelineError, Run: "r1"}).ID
			want := []uint64{2, 5, 8, 10, end}
			if diff := cmp.Diff(want, ids(<-got)); diff != "" {
				t.Error(diff)
			}
			if o.Dir != "" {
				if diff := cmp.Diff(want, ids(drain(t, l.ReadRun("r1")))); diff != "" {
					t.Error("once it has ended: " + diff)
				}
			}
			r = l.ReadRun("r2")
			r.Finish()
			if got := len(drain(t, r)); got != 6 {
				t.Errorf("%d lines of r2", got)
			}
			r = l.ReadRun("unknown")
			r.Finish()
			if _, err := r.Next(context.Background()); err != io.EOF {
				t.Errorf("an unknown run gives %v", err)
			}
		})
	}
}
