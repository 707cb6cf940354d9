package sse

import (
	"errors"
	"io/fs"
	"os"
)

// remove deletes a run's output and remembers that there was some for as long
// as a replay could come across it.
func (r *runLogs) remove(run string, oldest uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.runs[run]
	if l == nil {
		l = r.adopt(run)
	}
	if l == nil || l.Removed {
		return nil
	}
	if err := os.Remove(r.path(run)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = os.Remove(r.dirOf(run)) // only if nothing else is in it
	r.retire(l)
	l.Removed, l.listed = true, false
	r.removed++
	if r.removed >= r.pruneAt {
		r.prune(oldest)
	}
	return r.note(l.runRecord)
}

// prune forgets removed runs that lie before all that is kept.
func (r *runLogs) prune(oldest uint64) {
	for run, l := range r.runs {
		if l.Removed && l.Last < oldest {
			delete(r.runs, run)
			r.removed--
		}
	}
	r.pruneAt = 2*r.removed + 256
}
