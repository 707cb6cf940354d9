package systemd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/abide-agent/abide/units"
)

// How a lost connection is made again, and how long a caller waits for it.
const (
	firstRetry = 20 * time.Millisecond
	lastRetry  = 500 * time.Millisecond
	grace      = 2 * time.Second
)

// link keeps one connection to systemd, and makes it again when it is lost.
type link struct {
	address string
	engine  *Engine

	mu    sync.Mutex
	now   *bus          // nil while there is none
	err   error         // why there is none
	moved chan struct{} // closed when now changes
}

func newLink(address string, e *Engine) *link {
	return &link{address: address, engine: e, moved: make(chan struct{}), err: errors.New("it was not asked yet")}
}

// get gives a living connection. While there is none it waits a little: most
// often it is being made again.
func (l *link) get(ctx context.Context) (*bus, error) {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	return l.wait(ctx, timer.C)
}

// wait is get with a patience of the caller's own; nil is for ever.
func (l *link) wait(ctx context.Context, patience <-chan time.Time) (*bus, error) {
	for {
		l.mu.Lock()
		b, err, moved := l.now, l.err, l.moved
		l.mu.Unlock()
		if b != nil && b.conn.Connected() {
			return b, nil
		}
		select {
		case <-moved:
		case <-patience:
			if err == nil {
				err = dbus.ErrClosed
			}
			return nil, unavailable(fmt.Errorf("no connection: %w", err))
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-l.engine.ctx.Done():
			return nil, errClosed
		}
	}
}

func (l *link) set(b *bus, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now, l.err = b, err
	close(l.moved)
	l.moved = make(chan struct{})
}

// run connects again and again until ctx ends. A connection is handed out only
// when everything is known over it.
func (l *link) run(ctx context.Context) {
	pause := firstRetry
	for ctx.Err() == nil {
		s := &signals{engine: l.engine, owner: make(chan struct{}, 1)}
		b, err := l.connect(ctx, s)
		if err == nil {
			pause = firstRetry
			l.set(b, nil)
			err = l.hold(ctx, b, s)
			l.set(nil, err) // before those who wait on it look for the next
			b.close()
		} else {
			l.set(nil, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
			pause = min(2*pause, lastRetry)
		}
	}
}

func (l *link) connect(ctx context.Context, s *signals) (*bus, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	b, err := dial(ctx, l.address, s)
	if err != nil {
		return nil, err
	}
	if err = listen(ctx, b); err == nil {
		var alive map[dbus.ObjectPath]bool
		if alive, err = l.engine.survey(ctx, b); err == nil {
			l.engine.jobs.only(alive)
		}
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// hold keeps the connection until it is lost. When systemd itself comes back to
// the bus, since it executed itself anew or lost its own connection, what it said
// and answered meanwhile is lost as well: all begins anew.
func (l *link) hold(ctx context.Context, b *bus, s *signals) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-b.lost():
	case <-s.owner:
	}
	return dbus.ErrClosed
}

// listen asks for the signals. Of the properties of units only the two
// interfaces that are read: those of sockets, mounts and slices would cost time.
func listen(ctx context.Context, b *bus) error {
	from := dbus.WithMatchSender(destination)
	changed := []dbus.MatchOption{from, dbus.WithMatchInterface(properties), dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchPathNamespace("/org/freedesktop/systemd1/unit")}
	rules := [][]dbus.MatchOption{
		{from, dbus.WithMatchInterface(destination + ".Manager"), dbus.WithMatchObjectPath(managerPath)},
		append(changed[:len(changed):len(changed)], dbus.WithMatchArg(0, unitIface)),
		append(changed[:len(changed):len(changed)], dbus.WithMatchArg(0, serviceIface)),
		{dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, destination)},
	}
	for _, rule := range rules {
		if err := b.conn.AddMatchSignalContext(ctx, rule...); err != nil {
			return err
		}
	}
	_, err := b.call(ctx, managerPath, manager+"Subscribe")
	if remote(err) == "org.freedesktop.systemd1.AlreadySubscribed" {
		err = nil
	}
	return err
}

// sentence gives a remote error in words that say what to do, where one knows.
func sentence(err error) error {
	switch remote(err) {
	case "org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired":
		return fmt.Errorf("systemd lets only root do this: %w; run abide as root, or choose --units process", err)
	case "org.freedesktop.systemd1.BadUnitSetting", "org.freedesktop.systemd1.LoadFailed":
		return fmt.Errorf("systemd refuses its file: %w; `systemd-analyze verify` names the line", err)
	case "org.freedesktop.systemd1.NoSuchUnit":
		return fmt.Errorf("systemd does not find its file: %w; is the unit directory one that systemd reads (systemd.unit(5))?", err)
	}
	if errors.Is(err, units.ErrBusy) {
		return err
	}
	return unavailable(err)
}
