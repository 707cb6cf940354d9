package sources

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watcher turns what happens in directories into hints. The kernel's events are
// only ever a reason to look: they are thinned out, they may be lost, and what
// they do not tell, the poll finds.
type watcher struct {
	settle  time.Duration // of quiet before a hint
	maxWait time.Duration // for that quiet
	every   func() time.Duration
	after   func(time.Duration) <-chan time.Time
	note    func(string)
	what    string // for notes

	// dirs yields the directories to watch, parents first; what does not exist is
	// passed over.
	dirs func(yield func(dir string) bool)
	// below yields a directory that has just appeared and what is to be watched in
	// it; nothing if it is of no interest.
	below func(dir string, yield func(dir string) bool)
	// matters tells whether what happens to a name is worth a hint.
	matters func(name string) bool
}

// errNoSpace is what inotify_add_watch(2) says at the limit of watches of a user.
const errNoSpace = syscall.ENOSPC

// slowPoll is the longest interval between looks where no events come.
const slowPoll = 5 * time.Second

// run hints until ctx ends. It hints once when all directories are watched,
// since what changed before then caused no event.
func (w *watcher) run(ctx context.Context, hint func()) error {
	if w.after == nil {
		w.after = time.After
	}
	fsn, err := fsnotify.NewWatcher()
	if err != nil {
		w.note(fmt.Sprintf("%s cannot be watched (%v), so it is looked at every %v instead; raise fs.inotify.max_user_instances", w.what, err, w.degraded()))
		return w.poll(ctx, hint)
	}
	defer fsn.Close()
	s := &watchState{w: w, fsn: fsn, add: fsn.Add}
	s.arm(w.dirs)
	hint()
	return s.loop(ctx, hint)
}

// degraded is the interval without events.
func (w *watcher) degraded() time.Duration { return min(w.every(), slowPoll) }

// poll is the loop where there are no events at all.
func (w *watcher) poll(ctx context.Context, hint func()) error {
	for {
		hint()
		select {
		case <-ctx.Done():
			return nil
		case <-w.after(w.degraded()):
		}
	}
}

// watchState is one run of a watcher.
type watchState struct {
	w     *watcher
	fsn   *fsnotify.Watcher
	add   func(dir string) error
	full  bool // the kernel's limit is reached: poll faster
	quiet quiet
}

func (s *watchState) loop(ctx context.Context, hint func()) error {
	poll := s.w.after(s.interval())
	var settled <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-s.fsn.Events:
			if !ok {
				return errors.New("the file watcher ended by itself")
			}
			if s.event(e) {
				settled = time.After(s.quiet.event(time.Now(), s.w.settle, s.w.maxWait))
			}
		case err := <-s.fsn.Errors: // most of all an overflow: events are lost, so look at everything
			if err != nil && !errors.Is(err, fsnotify.ErrEventOverflow) {
				s.w.note(fmt.Sprintf("watching %s: %v; it is looked at anew", s.w.what, err))
			}
			s.arm(s.w.dirs)
			settled = time.After(s.quiet.event(time.Now(), s.w.settle, s.w.maxWait))
		case <-settled:
			settled = nil
			s.quiet.reset()
			hint()
		case <-poll:
			s.arm(s.w.dirs)
			poll = s.w.after(s.interval())
			hint()
		}
	}
}

func (s *watchState) interval() time.Duration {
	if s.full {
		return s.w.degraded()
	}
	return s.w.every()
}

// event follows what happened to the directories, and tells whether it matters.
func (s *watchState) event(e fsnotify.Event) bool {
	if e.Has(fsnotify.Create) {
		if info, err := os.Stat(e.Name); err == nil && info.IsDir() {
			s.arm(func(yield func(string) bool) { s.w.below(e.Name, yield) })
		}
	}
	if e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) {
		s.fsn.Remove(e.Name) // what was moved away is watched no more under this name
	}
	return s.w.matters(e.Name)
}

// arm watches directories. One that is watched already is watched again, since
// another directory may have its name by now.
func (s *watchState) arm(dirs func(func(string) bool)) {
	full := false
	dirs(func(dir string) bool {
		err := s.add(dir)
		if errors.Is(err, errNoSpace) {
			full = true
			return false
		}
		return true
	})
	if full && !s.full {
		s.w.note(fmt.Sprintf("the system's limit of file watches is reached, so %s is looked at every %v as well; raise fs.inotify.max_user_watches", s.w.what, s.w.degraded()))
	}
	s.full = s.full || full
}

// quiet waits for the end of a burst of events, but not for ever.
type quiet struct{ first time.Time }

// event gives the time to wait after an event at now.
func (q *quiet) event(now time.Time, settle, most time.Duration) time.Duration {
	if q.first.IsZero() {
		q.first = now
	}
	return max(min(settle, q.first.Add(most).Sub(now)), 0)
}

func (q *quiet) reset() { q.first = time.Time{} }

// nearest gives the closest directory above path that exists, so that its
// coming back is seen.
func nearest(path string) string {
	for {
		up := filepath.Dir(path)
		if info, err := os.Stat(up); err == nil && info.IsDir() || up == path {
			return up
		}
		path = up
	}
}
