package sse

import (
	"cmp"
	"errors"
	"os"
	"slices"

	"github.com/abide-agent/abide/internal/atomicfile"
)

// runSpan is the part of a replay that one run's log holds.
type runSpan struct {
	run         string
	path        string
	first, last uint64
}

// spans gives the logs that hold output with an id from `from` to `to`, in the
// order in which a replay meets them, and how many such logs were removed. A
// run other than "" asks for that one only.
func (r *runLogs) spans(from, to uint64, run string) (out []runSpan, removed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	add := func(l *runLog) {
		switch {
		case l.Last < from || l.First > to:
		case l.Removed:
			removed++
		default:
			out = append(out, runSpan{run: l.Run, path: r.path(l.Run), first: l.First, last: l.Last})
		}
	}
	if run == "" {
		for _, l := range r.runs {
			add(l)
		}
	} else if l := r.runs[run]; l != nil {
		add(l)
	} else if l := r.adopt(run); l != nil {
		add(l)
	}
	slices.SortFunc(out, func(a, b runSpan) int { return cmp.Compare(a.first, b.first) })
	return out, removed
}

// ended gives the id of the run's terminal event, 0 where it had none yet, or
// had no output.
func (r *runLogs) ended(run string) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.runs[run]; l != nil {
		return l.End
	}
	return 0
}

// sync makes durable what was written since the last time, and closes what was
// given up.
func (r *runLogs) sync() error {
	r.mu.Lock()
	retired := r.retired
	r.retired = nil
	var dirty []*os.File
	for _, l := range r.open {
		if l.dirty {
			dirty = append(dirty, l.file.f)
			l.dirty = false
		}
	}
	if r.index.dirty {
		dirty = append(dirty, r.index.file.f)
		r.index.dirty = false
	}
	r.mu.Unlock()

	var errs []error
	for _, f := range dirty {
		if err := f.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
			errs = append(errs, err)
		}
	}
	for _, f := range retired {
		errs = append(errs, f.Sync(), f.Close())
	}
	return errors.Join(errs...)
}

// close records how far each log goes, makes everything durable and closes it.
func (r *runLogs) close(dir string) error {
	r.mu.Lock()
	var errs []error
	for _, l := range r.runs {
		if l.listed {
			l.listed = false
			errs = append(errs, r.note(l.runRecord))
		}
		r.retire(l)
	}
	r.mu.Unlock()
	errs = append(errs, r.sync(), r.index.file.f.Close(), atomicfile.SyncDir(dir))
	return errors.Join(errs...)
}
