package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/abide-agent/abide/units"
)

// The names of org.freedesktop.systemd1(5).
const (
	destination  = "org.freedesktop.systemd1"
	managerPath  = dbus.ObjectPath("/org/freedesktop/systemd1")
	unitPaths    = "/org/freedesktop/systemd1/unit/"
	manager      = destination + ".Manager."
	unitIface    = destination + ".Unit"
	serviceIface = destination + ".Service"
	jobIface     = destination + ".Job"
	properties   = "org.freedesktop.DBus.Properties"
)

const (
	// callTime is how long one answer may take. A daemon-reload of a big
	// machine takes seconds, and whatever else is asked waits for it.
	callTime = 90 * time.Second
	dialTime = 5 * time.Second
	// inFlight is how many calls may wait for an answer: dbus-daemon allows a
	// connection 128 of them and refuses the next.
	inFlight = 64
)

// bus is one connection to systemd over the system bus. It is safe for
// concurrent use. Calls are answered in the order in which they are sent.
type bus struct {
	conn   *dbus.Conn
	window chan struct{}
}

// dial connects. Signals go to h from the goroutine that reads, so that they
// arrive in order among each other and among the answers.
func dial(ctx context.Context, address string, h dbus.SignalHandler) (*bus, error) {
	if address == "" {
		address = os.Getenv("DBUS_SYSTEM_BUS_ADDRESS")
	}
	if address == "" {
		address = "unix:path=/run/dbus/system_bus_socket"
	}
	// The context of a connection ends it; this one is for the dialling only,
	// which has no context of its own.
	type result struct {
		conn *dbus.Conn
		err  error
	}
	out := make(chan result, 1)
	go func() {
		conn, err := dbus.Connect(address, dbus.WithSignalHandler(h), dbus.WithAuth(dbus.AuthExternal(strconv.Itoa(os.Getuid()))))
		out <- result{conn, err}
	}()
	timer := time.NewTimer(dialTime)
	defer timer.Stop()
	select {
	case r := <-out:
		if r.err != nil {
			return nil, r.err
		}
		return &bus{conn: r.conn, window: make(chan struct{}, inFlight)}, nil
	case <-timer.C:
		go abandon(func() *dbus.Conn { return (<-out).conn })
		return nil, fmt.Errorf("the system bus did not answer within %v", dialTime)
	case <-ctx.Done():
		go abandon(func() *dbus.Conn { return (<-out).conn })
		return nil, ctx.Err()
	}
}

// abandon closes a connection that comes too late.
func abandon(late func() *dbus.Conn) {
	if conn := late(); conn != nil {
		_ = conn.Close()
	}
}

func (b *bus) close() { _ = b.conn.Close() }

// lost is closed when the connection is gone.
func (b *bus) lost() <-chan struct{} { return b.conn.Context().Done() }

// pending is a call that was sent.
type pending struct {
	call   *dbus.Call
	cancel context.CancelFunc
	bus    *bus
}

// send sends a call and doesn't wait for its answer; the caller must call wait.
// It blocks while too many are under way.
func (b *bus) send(ctx context.Context, path dbus.ObjectPath, method string, args ...any) *pending {
	select {
	case b.window <- struct{}{}:
	case <-ctx.Done():
		return &pending{call: &dbus.Call{Err: context.Cause(ctx)}}
	case <-b.lost():
		return &pending{call: &dbus.Call{Err: dbus.ErrClosed}}
	}
	limited, cancel := context.WithTimeout(ctx, callTime)
	call := b.conn.Object(destination, path).GoWithContext(limited, method, 0, make(chan *dbus.Call, 1), args...)
	return &pending{call: call, cancel: cancel, bus: b}
}

// wait gives the answer's body, once.
func (p *pending) wait(ctx context.Context) ([]any, error) {
	if p.bus == nil {
		return nil, p.call.Err
	}
	<-p.call.Done
	<-p.bus.window
	p.cancel()
	err := p.call.Err
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return p.call.Body, err
}

func (b *bus) call(ctx context.Context, path dbus.ObjectPath, method string, args ...any) ([]any, error) {
	return b.send(ctx, path, method, args...).wait(ctx)
}

func (b *bus) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	_, err := b.call(ctx, managerPath, "org.freedesktop.DBus.Peer.Ping")
	return err
}

// reload makes systemd read all unit files again.
func (b *bus) reload(ctx context.Context) error {
	_, err := b.call(ctx, managerPath, manager+"Reload")
	return err
}

// listed is one row of ListUnits.
type listed struct {
	Name, Description, Load, Active, Sub, Following string
	Path                                            dbus.ObjectPath
	JobID                                           uint32
	JobType                                         string
	JobPath                                         dbus.ObjectPath
}

// list gives every unit that systemd has in memory. ListUnitsByNames would load
// those that aren't, and fails for all when one name is a template.
func (b *bus) list(ctx context.Context) ([]listed, error) {
	body, err := b.call(ctx, managerPath, manager+"ListUnits")
	if err != nil {
		return nil, err
	}
	var rows []listed
	return rows, dbus.Store(body, &rows)
}

// loadState says what systemd has in memory of a unit: "" for nothing.
func (b *bus) loadState(ctx context.Context, name string) (string, error) {
	if _, err := b.call(ctx, managerPath, manager+"GetUnit", name); err != nil {
		if remote(err) == "org.freedesktop.systemd1.NoSuchUnit" {
			err = nil
		}
		return "", err
	}
	body, err := b.call(ctx, unitPath(name), properties+".Get", unitIface, "LoadState")
	if err != nil {
		return "", err
	}
	var state string
	return state, dbus.Store(body, &state)
}

// unitPath gives the object path of a unit: every byte but letters and digits,
// and a digit at the start, is written as _xx.
func unitPath(name string) dbus.ObjectPath {
	var out strings.Builder
	out.WriteString(unitPaths)
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', i > 0 && c >= '0' && c <= '9':
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "_%02x", c)
		}
	}
	return dbus.ObjectPath(out.String())
}

// remote gives the D-Bus name of an error that systemd or the bus answered.
func remote(err error) string {
	var e dbus.Error
	if errors.As(err, &e) {
		return e.Name
	}
	var p *dbus.Error
	if errors.As(err, &p) {
		return p.Name
	}
	return ""
}

// isLost says whether a call failed because nobody can be reached, so that it
// may be made again over the next connection.
func isLost(err error) bool {
	switch remote(err) {
	case "":
		return err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) &&
			!errors.Is(err, units.ErrBusy) && !errors.Is(err, units.ErrUnavailable)
	case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
		"org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Disconnected":
		return true
	}
	return false
}

// unavailable wraps an error of the connection so that a caller can tell.
func unavailable(err error) error {
	if isLost(err) {
		return fmt.Errorf("%w: systemd does not answer on the system bus: %w; see that dbus runs (systemctl status dbus), or name its address with DBUS_SYSTEM_BUS_ADDRESS",
			units.ErrUnavailable, err)
	}
	return err
}
