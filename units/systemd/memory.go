package systemd

import (
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/abide-agent/abide/units"
)

// unit is what is known of one unit that abide placed.
type unit struct {
	mark mark
	disk disk
	run  running
	// seq grows with every signal, so that an answer that was asked for earlier
	// never overwrites what a signal said meanwhile.
	seq   uint64
	asked string // the job that a call under way is about to make
	busy  bool   // its files are being placed, so what stands there says nothing

	told  units.Status  // what watchers were last told
	moved chan struct{} // closed at the next change; nil while nobody waits
}

// running is what systemd says of a unit.
type running struct {
	held     bool // systemd has it in memory
	known    bool // its details were asked for, or came by themselves
	load     string
	active   string
	sub      string
	result   string
	job      string
	jobPath  dbus.ObjectPath
	pid      int
	code     int32     // how the main process ended (CLD_…), 0 for not yet
	exit     int32     // its exit code, or the signal
	entered  uint64    // when it became active, monotonic microseconds
	since    time.Time // when it came into its present state
	outdated bool      // systemd has older files of it than those on disk
	skipped  bool      // a condition was false when it was last started
	// What skipped is computed from: the result of its conditions, and when they
	// were looked at, in monotonic microseconds.
	condition bool
	checked   uint64
	ran       bool // it is being started, or was and ended by itself
}

// memory holds all units that abide placed. It is safe for concurrent use.
type memory struct {
	mu       sync.Mutex
	units    map[string]*unit
	paths    map[dbus.ObjectPath]string
	watchers map[*watcher]struct{}
}

func newMemory() *memory {
	return &memory{units: map[string]*unit{}, paths: map[dbus.ObjectPath]string{}, watchers: map[*watcher]struct{}{}}
}

// own takes a unit in, or gives one that is known a new mark.
func (m *memory) own(k mark) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.units[k.Name]
	if u == nil {
		u = &unit{}
		m.units[k.Name] = u
		m.paths[unitPath(k.Name)] = k.Name
	}
	u.mark = k
	m.tell(k.Name, u)
}

// disown forgets a unit that was removed.
func (m *memory) disown(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u := m.units[name]; u != nil && u.moved != nil {
		close(u.moved)
	}
	delete(m.units, name)
	delete(m.paths, unitPath(name))
	m.notify(name)
}

// get gives a copy of what is known of a unit.
func (m *memory) get(name string) (unit, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.units[name]
	if u == nil {
		return unit{}, false
	}
	return *u, true
}

// next is get with a channel that is closed when the unit's status changes.
func (m *memory) next(name string) (unit, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.units[name]
	if u == nil {
		return unit{}, nil
	}
	if u.moved == nil {
		u.moved = make(chan struct{})
	}
	return *u, u.moved
}

// update changes a unit, if it is ours, and tells watchers.
func (m *memory) update(name string, change func(*unit)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u := m.units[name]; u != nil {
		change(u)
		m.tell(name, u)
	}
}

// signal is update for what systemd says by itself; path names the unit.
func (m *memory) signal(path dbus.ObjectPath, change func(*unit)) (name string, ours bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name, ours = m.paths[path]
	if ours {
		u := m.units[name]
		u.seq++
		change(u)
		m.tell(name, u)
	}
	return name, ours
}

// all changes every unit.
func (m *memory) all(change func(name string, u *unit)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, u := range m.units {
		change(name, u)
		m.tell(name, u)
	}
}

func (m *memory) names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.units))
}

func (m *memory) statuses() map[string]units.Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make(map[string]units.Status, len(m.units))
	for name, u := range m.units {
		out[name] = u.status()
	}
	return out
}

// tell lets watchers know when a unit's status is another than before. The
// caller holds the lock.
func (m *memory) tell(name string, u *unit) {
	now := u.status()
	if same(now, u.told) {
		return
	}
	u.told = now
	if u.moved != nil {
		close(u.moved)
		u.moved = nil
	}
	m.notify(name)
}

func same(a, b units.Status) bool {
	// Since is computed from two clocks for some, so it may tremble.
	if d := a.Since.Sub(b.Since).Abs(); d > 0 && d < 100*time.Millisecond {
		b.Since = a.Since
	}
	return reflect.DeepEqual(a, b)
}

func (m *memory) notify(name string) {
	for w := range m.watchers {
		w.add(name)
	}
}

// status puts together what the contract asks for.
func (u *unit) status() units.Status {
	s := units.Status{
		Name: u.mark.Name, Digest: u.disk.digest, Placed: u.mark.Digest, Missing: u.disk.missing, Masked: u.disk.masked,
		Load: u.run.load, Active: u.run.active, Sub: u.run.sub, Result: u.run.result, Job: u.run.job,
		PID: u.run.pid, Exit: u.run.exitCode(), Since: u.run.since, OneShot: u.disk.oneShot,
		Enabled: u.disk.enabled, Outdated: u.run.outdated, Skipped: u.run.skipped, Foreign: u.disk.foreign,
	}
	s.Disabled = u.mark.Want == units.Launched && u.disk.installs && !u.disk.enabled && !units.IsTemplate(u.mark.Name)
	if s.Load == "" || s.Load == "loaded" && !u.run.held {
		s.Load = u.loadable()
	}
	if s.Active == "" {
		s.Active, s.Sub = "inactive", "dead"
	}
	if s.OneShot && s.Active == "inactive" {
		u.ended(&s)
	}
	return s
}

// loadable says what systemd would make of the files, for it doesn't keep in
// memory what it has nothing to do with.
func (u *unit) loadable() string {
	switch {
	case u.disk.missing && !u.run.held:
		return "not-found"
	case u.disk.masked:
		return "masked"
	}
	return "loaded"
}

// ended says of a one-shot that is not active whether it did its work: only then
// has its state a beginning.
func (u *unit) ended(s *units.Status) {
	switch {
	case u.run.ran && s.Result == "success":
	case u.mark.Done == bootID() && (s.Result == "success" || s.Result == ""):
		s.Result, s.Since = "success", u.mark.DoneAt
	default:
		s.Since = time.Time{}
	}
}

// watcher collects the names that one caller of Watch has to be told.
type watcher struct {
	wake chan struct{}

	mu    sync.Mutex
	names map[string]struct{}
}

func (m *memory) watch() *watcher {
	w := &watcher{wake: make(chan struct{}, 1), names: map[string]struct{}{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watchers[w] = struct{}{}
	return w
}

func (m *memory) unwatch(w *watcher) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.watchers, w)
}

func (w *watcher) add(name string) {
	w.mu.Lock()
	w.names[name] = struct{}{}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watcher) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := slices.Sorted(maps.Keys(w.names))
	clear(w.names)
	return out
}
