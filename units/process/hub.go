package process

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/fsnotify/fsnotify"

	"github.com/abide-agent/abide/units"
)

// hub hears of changed files and tells those who want to know. Whatever it
// misses, the sweep finds.
type hub struct {
	dir, statuses string
	touched       func(name string)
	files         *fsnotify.Watcher // nil: the machine has no watches left

	mu       sync.Mutex
	waiting  map[string]chan struct{} // closed at the next change of a unit
	watchers map[*watcher]bool
}

func newHub(dir, statuses string, touched func(string)) *hub {
	h := &hub{dir: dir, statuses: statuses, touched: touched, waiting: map[string]chan struct{}{}, watchers: map[*watcher]bool{}}
	files, err := fsnotify.NewWatcher()
	if err != nil {
		return h
	}
	if err := errors.Join(files.Add(dir), files.Add(statuses)); err != nil {
		_ = files.Close()
		return h
	}
	h.files = files
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() && strings.HasSuffix(e.Name(), ".d") {
			h.watchDir(filepath.Join(dir, e.Name()))
		}
	}
	return h
}

// deaf says that no change is heard of.
func (h *hub) deaf() bool { return h.files == nil }

// watchDir listens to a directory of drop-ins too. Where that fails the sweep
// has to do.
func (h *hub) watchDir(dir string) {
	if h.files != nil {
		_ = h.files.Add(dir)
	}
}

func (h *hub) close() {
	if h.files != nil {
		_ = h.files.Close()
	}
}

// run hands on what happens to files until ctx ends.
func (h *hub) run(ctx context.Context) {
	if h.files == nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case ev, ok := <-h.files.Events:
			if !ok {
				return
			}
			if name := h.unitOf(ev.Name); name != "" {
				h.touched(name)
			}
		case _, ok := <-h.files.Errors: // an overflow; the sweep finds what was lost
			if !ok {
				return
			}
		}
	}
}

// unitOf gives the unit that a path belongs to, or "".
func (h *hub) unitOf(path string) string {
	dir, base := filepath.Dir(path), filepath.Base(path)
	switch dir {
	case h.statuses:
	case h.dir:
		if name, ok := strings.CutSuffix(base, ".d"); ok && units.IsUnit(name) {
			h.watchDir(path)
			return name
		}
	default:
		base = strings.TrimSuffix(filepath.Base(dir), ".d")
	}
	if strings.HasPrefix(base, ".") || !units.IsUnit(base) {
		return "" // a file on its way
	}
	return base
}

// next gives a channel that is closed when something about a unit changes.
func (h *hub) next(name string) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	ch := h.waiting[name]
	if ch == nil {
		ch = make(chan struct{})
		h.waiting[name] = ch
	}
	return ch
}

// tell wakes those who wait for a change of the unit.
func (h *hub) tell(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ch := h.waiting[name]; ch != nil {
		close(ch)
		delete(h.waiting, name)
	}
	for w := range h.watchers {
		w.add(name)
	}
}

// watcher collects names for one caller of Watch, so that a slow one holds up
// nobody.
type watcher struct {
	mu    sync.Mutex
	names map[string]bool
	wake  chan struct{}
}

func (w *watcher) add(name string) {
	w.mu.Lock()
	w.names[name] = true
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watcher) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := slices.Sorted(maps.Keys(w.names))
	clear(w.names)
	return names
}

// watch calls changed until ctx ends. The end of the engine is an error.
func (h *hub) watch(ctx, engine context.Context, changed func(string)) error {
	w := &watcher{names: map[string]bool{}, wake: make(chan struct{}, 1)}
	h.mu.Lock()
	h.watchers[w] = true
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.watchers, w)
		h.mu.Unlock()
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-engine.Done():
			return errors.New("the process engine was closed")
		case <-w.wake:
			for _, name := range w.take() {
				changed(name)
			}
		}
	}
}
