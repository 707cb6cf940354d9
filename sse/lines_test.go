package sse

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// FuzzSegment opens a log on a segment, and on a run's output, that hold
// anything at all: it must come up, give ids that rise, and go on.
func FuzzSegment(f *testing.F) {
	line := func(id uint64) string {
		data, err := Event{ID: id, Type: TypeLog, Run: "r", Job: "j\"x", Stream: "stdout", Message: "m", Time: time.Unix(0, 0)}.MarshalJSON()
		if err != nil {
			f.Fatal(err)
		}
		return string(data) + "\n"
	}
	f.Add([]byte(""), []byte("\n"))
	f.Add([]byte(line(1)+line(2)+line(5)), []byte(line(3)+line(4)))
	f.Add([]byte(line(2)+line(1)+line(1<<63)), []byte(line(7)[:20]))
	f.Add([]byte(line(1)+"\x00\x00\n{\"id\":2,\n"+line(3)), []byte(line(9)+"{\"id\":99999999999999999999,\"type\":\"\\"))
	f.Add([]byte(strings.Repeat(line(4), 300)), []byte(strings.Repeat("x", 70_000)))
	f.Fuzz(func(t *testing.T, segment, run []byte) {
		dir := t.TempDir()
		o := diskOptions(dir)
		for path, data := range map[string][]byte{
			filepath.Join(o.Dir, segmentName(1)): segment, filepath.Join(dir, "runs/r", OutputFile): run,
			filepath.Join(o.Dir, indexFile): []byte(`{"run":"r","first":1}` + "\n"),
		} {
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		l, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		last := l.Publish(output("r", 1)).ID
		r := l.Read(0, Filter{})
		r.Finish()
		before := uint64(0)
		for _, f := range drain(t, r) {
			if f.ID == 0 {
				continue
			}
			if f.ID <= before {
				t.Fatalf("%d comes after %d", f.ID, before)
			}
			before = f.ID
		}
		if before != last {
			t.Fatalf("the last event read is %d, want %d", before, last)
		}
	})
}

func TestSeek(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	var starts []int64
	const n = 5000
	for i := range n {
		starts = append(starts, int64(buf.Len()))
		data, err := Event{ID: uint64(3 * (i + 1)), Type: TypeLog, Message: strings.Repeat("m", i%300)}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if i%100 == 50 { // damaged
			data = bytes.Repeat([]byte("#"), 10_000)
		}
		fmt.Fprintf(&buf, "%s\n", data)
	}
	in := bytes.NewReader(buf.Bytes())
	for want := uint64(0); want < 3*n+10; want += 7 {
		off, err := seekID(in, in.Size(), want)
		if err != nil {
			t.Fatal(err)
		}
		at := min(int(max(want, 1)-1)/3, n-1)
		if off > starts[at] {
			t.Fatalf("id %d begins at %d, the seek went to %d", want, starts[at], off)
		}
		if starts[at]-off > chunkSize+40_000 {
			t.Fatalf("id %d begins at %d, the seek went only to %d", want, starts[at], off)
		}
	}
}
