package sse

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/abide-agent/abide/internal/atomicfile"
)

const indexFile = "runs" + segmentExt

// runRecord is what the index says of one run's output; the last record of a
// run counts. Last is unknown, 0, while its log is being written.
type runRecord struct {
	Run     string `json:"run"`
	First   uint64 `json:"first"`
	Last    uint64 `json:"last,omitempty"`
	End     uint64 `json:"end,omitempty"`     // the run's terminal event
	Removed bool   `json:"removed,omitempty"` // by retention
}

// runIndex is the durable list of the runs that have output and of the ids
// that it spans, so that a replay opens the files that it needs and no others.
type runIndex struct {
	path  string
	file  *lineFile
	lines int
	dirty bool
}

// openIndex reads the whole index; records that are damaged are left out. A
// missing index is an empty one: see runLogs.adopt.
func openIndex(dir string) (*runIndex, map[string]runRecord, error) {
	x := &runIndex{path: filepath.Join(dir, indexFile)}
	data, err := os.ReadFile(x.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	end := bytes.LastIndexByte(data, '\n') + 1
	records := map[string]runRecord{}
	for line := range bytes.Lines(data[:end]) {
		x.lines++
		var r runRecord
		if json.Unmarshal(line, &r) == nil && validRun(r.Run) && r.First != 0 {
			records[r.Run] = r
		}
	}
	if err := x.open(int64(end)); err != nil {
		return nil, nil, err
	}
	return x, records, nil
}

func (x *runIndex) open(size int64) error {
	f, err := os.OpenFile(x.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	x.file = &lineFile{f: f, path: x.path, size: size}
	return f.Truncate(size)
}

// add appends a record.
func (x *runIndex) add(r runRecord) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := x.file.append(append(line, '\n')); err != nil {
		return err
	}
	x.lines++
	x.dirty = true
	return nil
}

// wasteful says that most records are superseded.
func (x *runIndex) wasteful(runs int) bool { return x.lines > 4*runs+1024 }

// rewrite replaces the index by one record a run.
func (x *runIndex) rewrite(runs map[string]*runLog) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	for _, r := range runs {
		if err := enc.Encode(r.record()); err != nil {
			return err
		}
	}
	if err := atomicfile.WriteFile(x.path, buf.Bytes(), 0o600); err != nil {
		return err
	}
	old := x.file
	if err := x.open(int64(buf.Len())); err != nil {
		return err
	}
	x.lines, x.dirty = len(runs), false
	return old.f.Close()
}
