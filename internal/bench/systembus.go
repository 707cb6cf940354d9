package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// The names of org.freedesktop.systemd1(5).
const (
	systemdName  = "org.freedesktop.systemd1"
	systemdPath  = dbus.ObjectPath("/org/freedesktop/systemd1")
	managerFace  = systemdName + ".Manager."
	unitFace     = systemdName + ".Unit"
	serviceFace  = systemdName + ".Service"
	propertyFace = "org.freedesktop.DBus.Properties"
)

// What the bus allows: dbus-daemon takes 128 calls without an answer from one
// connection, and systemd loses its own when some 500 jobs of one client are
// under way.
const (
	mostCalls = 64
	mostJobs  = 320
)

// systemBus is the bare D-Bus program that the agent is measured against, and
// what sees the truth for both: a unit runs when systemd says that its job is
// done.
type systemBus struct {
	conn *dbus.Conn
	jobs chan struct{} // those of ours that are under way

	mu      sync.Mutex
	waiting map[string]*awaited // by unit
	moved   map[dbus.ObjectPath]func(map[string]dbus.Variant)
}

// awaited are jobs that are to end.
type awaited struct {
	ours   bool // made by this program
	left   int
	last   time.Time
	failed error
	done   chan struct{}
}

func openSystemBus(ctx context.Context) (*systemBus, error) {
	b := &systemBus{jobs: make(chan struct{}, mostJobs), waiting: map[string]*awaited{}, moved: map[dbus.ObjectPath]func(map[string]dbus.Variant){}}
	var err error
	if b.conn, err = dbus.ConnectSystemBus(dbus.WithSignalHandler(b)); err != nil {
		return nil, err
	}
	err = b.conn.AddMatchSignalContext(ctx, dbus.WithMatchSender(systemdName), dbus.WithMatchMember("JobRemoved"))
	if err == nil {
		err = b.call(ctx, managerFace+"Subscribe").Err
	}
	return b, err
}

func (b *systemBus) close() error { return b.conn.Close() }

func (b *systemBus) call(ctx context.Context, method string, args ...any) *dbus.Call {
	return b.conn.Object(systemdName, systemdPath).CallWithContext(ctx, method, 0, args...)
}

// DeliverSignal implements [dbus.SignalHandler].
func (b *systemBus) DeliverSignal(_, member string, s *dbus.Signal) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if member == "PropertiesChanged" {
		if told := b.moved[s.Path]; told != nil && s.Body[0] == unitFace {
			told(s.Body[1].(map[string]dbus.Variant))
		}
		return
	}
	if member != "JobRemoved" {
		return
	}
	name := s.Body[2].(string)
	w := b.waiting[name]
	if w == nil {
		return
	}
	delete(b.waiting, name)
	w.last, w.left = now, w.left-1
	if result := s.Body[3].(string); result != "done" {
		w.failed = fmt.Errorf("the job of %s ended with %q", name, result)
	}
	if w.ours {
		<-b.jobs
	}
	if w.left == 0 {
		close(w.done)
	}
}

// expect begins to wait for one job of each of the units.
func (b *systemBus) expect(names ...string) *awaited { return b.expecting(false, names) }

func (b *systemBus) expecting(ours bool, names []string) *awaited {
	w := &awaited{ours: ours, left: len(names), done: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range names {
		b.waiting[name] = w
	}
	return w
}

// end gives the moment when the last of the jobs had ended, well.
func (w *awaited) end(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-w.done:
		return w.last, w.failed
	case <-ctx.Done():
		return time.Time{}, errors.New("not all jobs of systemd ended in time")
	}
}

// all has systemd do one thing with all units in parallel, and waits for all.
func (b *systemBus) all(ctx context.Context, method string, names ...string) error {
	w := b.expecting(true, names)
	window := make(chan *dbus.Call, mostCalls)
	var failed error
	answer := func() {
		if call := <-(<-window).Done; call.Err != nil {
			failed = call.Err
		}
	}
	for _, name := range names {
		b.jobs <- struct{}{}
		if len(window) == cap(window) {
			answer()
		}
		window <- b.conn.Object(systemdName, systemdPath).GoWithContext(ctx, managerFace+method, 0, make(chan *dbus.Call, 1), name, "replace")
	}
	for len(window) > 0 {
		answer()
	}
	if failed != nil {
		return failed
	}
	_, err := w.end(ctx)
	return err
}

// begin is the least that starts new units.
func (b *systemBus) begin(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(unitDir, name), []byte(unitText(1)), 0o644); err != nil {
			return err
		}
	}
	return b.all(ctx, "StartUnit", names...)
}

// remove is the least that ends them.
func (b *systemBus) remove(ctx context.Context, names ...string) error {
	if err := b.all(ctx, "StopUnit", names...); err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Remove(filepath.Join(unitDir, name)); err != nil {
			return err
		}
	}
	return nil
}

// change is the least that gives a unit that runs new content.
func (b *systemBus) change(ctx context.Context, name, text string) error {
	if err := os.WriteFile(filepath.Join(unitDir, name), []byte(text), 0o644); err != nil {
		return err
	}
	if err := b.call(ctx, managerFace+"Reload").Err; err != nil {
		return err
	}
	return b.all(ctx, "RestartUnit", name)
}

// property reads one property of a unit.
func property[T any](ctx context.Context, b *systemBus, name, face, property string) (out T, err error) {
	var path dbus.ObjectPath
	if err := b.call(ctx, managerFace+"GetUnit", name).Store(&path); err != nil {
		return out, err
	}
	var value dbus.Variant
	if err := b.conn.Object(systemdName, path).CallWithContext(ctx, propertyFace+".Get", 0, face, property).Store(&value); err != nil {
		return out, err
	}
	return out, value.Store(&out)
}

// downtime is how long a unit was not active when it last was restarted, by
// systemd's own clock.
func (b *systemBus) downtime(ctx context.Context, name string) (time.Duration, error) {
	end, err := property[uint64](ctx, b, name, unitFace, "ActiveExitTimestampMonotonic")
	if err != nil {
		return 0, err
	}
	begin, err := property[uint64](ctx, b, name, unitFace, "ActiveEnterTimestampMonotonic")
	if err == nil && begin < end {
		err = fmt.Errorf("%s is not active again", name)
	}
	return time.Duration(begin-end) * time.Microsecond, err
}
