package systemd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// debounce is how long events of files are collected: an editor makes several
// for one change.
const debounce = 15 * time.Millisecond

// fileWatch sees changes in the unit directory as they are made.
type fileWatch struct {
	engine  *Engine
	watcher *fsnotify.Watcher
	wake    chan struct{}

	mu    sync.Mutex
	names map[string]struct{} // whose files may have changed
	links bool                // links of [Install] may have changed
	all   bool
}

func newFileWatch(e *Engine) (*fileWatch, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("files can't be watched: %w; raise fs.inotify.max_user_instances with sysctl", err)
	}
	f := &fileWatch{engine: e, watcher: w, wake: make(chan struct{}, 1), names: map[string]struct{}{}}
	if err := w.Add(e.opts.Dir); err != nil {
		_ = w.Close()
		return nil, fmt.Errorf("%s can't be watched: %w; raise fs.inotify.max_user_watches with sysctl", e.opts.Dir, err)
	}
	for _, pattern := range []string{"*.wants", "*.requires", "*.upholds"} {
		dirs, _ := filepath.Glob(filepath.Join(e.opts.Dir, pattern))
		for _, dir := range dirs {
			f.add(dir)
		}
	}
	for _, name := range e.memory.names() {
		f.add(filepath.Join(e.opts.Dir, name+".d"))
	}
	return f, nil
}

// add watches a directory too, if it is there. Where that fails the sweep has to
// do.
func (f *fileWatch) add(dir string) { _ = f.watcher.Add(dir) }

func (f *fileWatch) close() error { return f.watcher.Close() }

func (f *fileWatch) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case event, ok := <-f.watcher.Events:
			if !ok {
				return
			}
			f.note(event)
		case err, ok := <-f.watcher.Errors:
			if !ok {
				return
			}
			if errors.Is(err, fsnotify.ErrEventOverflow) {
				f.ask(func() { f.all = true })
			}
		case <-f.wake:
			f.settle(ctx)
		}
	}
}

// settle waits for what belongs together, then looks.
func (f *fileWatch) settle(ctx context.Context) {
	timer := time.NewTimer(debounce)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event, ok := <-f.watcher.Events:
			if !ok {
				return
			}
			f.note(event)
			continue
		case <-timer.C:
		}
		break
	}
	f.mu.Lock()
	names, links, all := f.names, f.links, f.all
	f.names, f.links, f.all = map[string]struct{}{}, false, false
	f.mu.Unlock()
	if all {
		f.lookAll()
		return
	}
	for name := range names {
		f.lookAt(ctx, name)
	}
	if links {
		f.lookLinks()
	}
}

func (f *fileWatch) ask(change func()) {
	f.mu.Lock()
	change()
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// linksChanged is what systemd says when somebody enabled, disabled or masked.
func (f *fileWatch) linksChanged() { f.ask(func() { f.links = true }) }

// note finds out whom an event is about.
func (f *fileWatch) note(event fsnotify.Event) {
	dir, base := filepath.Split(event.Name)
	dir = filepath.Clean(dir)
	if strings.HasPrefix(base, ".") {
		return // temporary files, ours and those of editors
	}
	switch parent := filepath.Base(dir); {
	case dir != f.engine.opts.Dir && strings.HasSuffix(parent, ".d"):
		f.ask(func() { f.names[strings.TrimSuffix(parent, ".d")] = struct{}{} })
	case dir != f.engine.opts.Dir || isLinkDir(base):
		if event.Has(fsnotify.Create) && dir == f.engine.opts.Dir {
			f.add(event.Name)
		}
		f.ask(func() { f.links = true })
	case strings.HasSuffix(base, ".d"):
		name := strings.TrimSuffix(base, ".d")
		if _, ours := f.engine.memory.get(name); ours && event.Has(fsnotify.Create) {
			f.add(event.Name)
		}
		f.ask(func() { f.names[name] = struct{}{} })
	default:
		f.ask(func() { f.names[base] = struct{}{} })
	}
}

// lookAt reads the files of one unit, and asks systemd whether it knows of the
// change.
func (f *fileWatch) lookAt(ctx context.Context, name string) {
	e := f.engine
	u, ours := e.memory.get(name)
	if !ours || u.busy {
		return
	}
	now := e.look(u.mark, u.disk, true)
	changed := false
	e.memory.update(name, func(m *unit) {
		if m.busy || m.mark.Digest != u.mark.Digest {
			return // placed anew meanwhile
		}
		now.enabled = m.disk.enabled
		changed = now.digest != m.disk.digest || len(now.foreign) != len(m.disk.foreign)
		m.disk = now
	})
	if !changed || !u.run.held {
		return
	}
	if b, err := e.link.get(ctx); err == nil {
		_ = e.details(ctx, b, []string{name}) // a lost connection begins with a sweep anew
	}
}

// lookAll looks at the files of all units.
func (f *fileWatch) lookAll() {
	e := f.engine
	for _, name := range e.memory.names() {
		u, ours := e.memory.get(name)
		if !ours || u.busy {
			continue
		}
		now := e.look(u.mark, u.disk, false)
		e.memory.update(name, func(m *unit) {
			if !m.busy && m.mark.Digest == u.mark.Digest {
				now.enabled = m.disk.enabled
				m.disk = now
			}
		})
	}
	f.lookLinks()
}

// lookLinks finds out which units are enabled, and which are masked from
// another directory.
func (f *fileWatch) lookLinks() {
	links := f.engine.links()
	f.engine.memory.all(func(name string, u *unit) { u.disk.enabled = links[name] })
}
