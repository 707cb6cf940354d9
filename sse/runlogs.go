package sse

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

const (
	// OutputFile is the name of a run's own log in the run's directory.
	OutputFile = "output" + segmentExt
	// maxOpenRuns bounds the run logs that are held open for writing.
	maxOpenRuns = 64
)

// runLog is one run's output on disk.
type runLog struct {
	runRecord
	file   *lineFile // nil while it is not held open
	listed bool      // the index says that it is being written
	dirty  bool
}

// record is what the index should say now.
func (l *runLog) record() runRecord {
	r := l.runRecord
	if l.listed {
		r.Last, r.End = 0, 0
	}
	return r
}

// runLogs holds the output of all runs: one file each, in the run's directory,
// and the index. mu guards what is known of them; to write to a run's file one
// holds the log's lock.
type runLogs struct {
	dirOf func(run string) string
	index *runIndex

	mu      sync.Mutex
	runs    map[string]*runLog
	open    []*runLog
	retired []*os.File // closed by us, not yet synced
	removed int        // of runs, how many are only remembered
	pruneAt int
}

// openRuns reads the index. For the runs whose log was open when the last
// process ended it looks at the end of their files. It gives the highest id.
func openRuns(dir string, dirOf func(string) string) (*runLogs, uint64, error) {
	index, records, err := openIndex(dir)
	if err != nil {
		return nil, 0, err
	}
	r := &runLogs{dirOf: dirOf, index: index, runs: make(map[string]*runLog, len(records)), pruneAt: 256}
	var last uint64
	for run, rec := range records {
		l := &runLog{runRecord: rec}
		if rec.Last == 0 && !rec.Removed {
			if err := r.recover(l); err != nil {
				return nil, 0, err
			}
		}
		if l.Removed {
			r.removed++
		}
		last = max(last, l.Last)
		r.runs[run] = l
	}
	return r, last, nil
}

// recover finds out what a log that was not closed holds, and cuts its torn
// end off. A file that is gone is as good as removed.
func (r *runLogs) recover(l *runLog) error {
	path := r.path(l.Run)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		l.Removed, l.Last = true, l.First
		return nil
	}
	f, t, err := openLines(path)
	if err != nil {
		return err
	}
	l.Last = max(t.last, l.First)
	l.listed = true
	return f.f.Close()
}

func (r *runLogs) path(run string) string { return filepath.Join(r.dirOf(run), OutputFile) }

// append writes one line of a run's output.
func (r *runLogs) append(run string, id uint64, line []byte) error {
	r.mu.Lock()
	l, err := r.ready(run, id)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	if err := l.file.append(line); err != nil {
		return err
	}
	r.mu.Lock()
	l.Last, l.dirty = id, true
	r.mu.Unlock()
	return nil
}

// ready gives the run's log, open for writing and listed in the index.
func (r *runLogs) ready(run string, id uint64) (*runLog, error) {
	l := r.runs[run]
	if l != nil && l.file != nil && l.listed {
		return l, nil
	}
	if l == nil {
		l = r.adopt(run)
	}
	if l == nil || l.Removed {
		l = r.put(&runLog{runRecord: runRecord{Run: run, First: id, Last: id}})
	}
	if l.file == nil {
		if err := r.openFile(l); err != nil {
			return nil, err
		}
	}
	if !l.listed {
		if err := r.note(runRecord{Run: run, First: l.First}); err != nil {
			return nil, err
		}
		l.listed, l.End = true, 0
	}
	return l, nil
}

func (r *runLogs) put(l *runLog) *runLog {
	if old := r.runs[l.Run]; old != nil && old.Removed {
		r.removed--
	}
	r.runs[l.Run] = l
	return l
}

func (r *runLogs) openFile(l *runLog) error {
	if len(r.open) >= maxOpenRuns {
		idle := slices.MinFunc(r.open, func(a, b *runLog) int { return cmp.Compare(a.Last, b.Last) })
		r.retire(idle)
	}
	if err := os.MkdirAll(r.dirOf(l.Run), 0o700); err != nil {
		return err
	}
	f, _, err := openLines(r.path(l.Run))
	if err != nil {
		return err
	}
	l.file = f
	r.open = append(r.open, l)
	return nil
}

// retire gives the run's file up; the next sync closes it.
func (r *runLogs) retire(l *runLog) {
	if l.file == nil {
		return
	}
	r.retired = append(r.retired, l.file.f)
	l.file, l.dirty = nil, false
	r.open = slices.DeleteFunc(r.open, func(o *runLog) bool { return o == l })
}

// end notes the run's terminal event, when the run had output, and gives its
// file up. A note that cannot be written is no loss: the next process then
// looks at the end of the file.
func (r *runLogs) end(run string, id uint64) {
	r.mu.Lock()
	l := r.runs[run]
	if l == nil || l.Removed {
		r.mu.Unlock()
		return
	}
	r.retire(l)
	if l.End, l.listed = id, false; r.note(l.runRecord) != nil {
		l.listed = true
	}
	many := len(r.retired) > 2*maxOpenRuns
	r.mu.Unlock()
	if many {
		_ = r.sync() // descriptors are bounded, whatever the pace of runs
	}
}

// note adds a record to the index, which it tidies when that is worth it.
func (r *runLogs) note(rec runRecord) error {
	if r.index.wasteful(len(r.runs)) {
		if err := r.index.rewrite(r.runs); err != nil {
			return err
		}
	}
	return r.index.add(rec)
}

// adopt takes a run's log in that the index does not know, because that was
// lost. It gives nil where there is none.
func (r *runLogs) adopt(run string) *runLog {
	if !validRun(run) {
		return nil
	}
	f, err := os.Open(r.path(run))
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	t, err := readTail(f, info.Size())
	if err != nil || t.last == 0 {
		return nil
	}
	first, err := firstID(f, info.Size())
	if err != nil || first == 0 {
		first = t.last
	}
	return r.put(&runLog{runRecord: runRecord{Run: run, First: first, Last: t.last}})
}
