package device

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/abide-agent/abide/netconf/tree"
)

var (
	errCancelled = errors.New("the session was ended to undo a commit")
	errRetired   = errors.New("the device is no longer in the inventory")
)

// device is one device at work. Whoever has its turn may use its session and
// write its record.
type device struct {
	m      *Manager
	name   string
	turn   chan struct{} // full while somebody has it
	wake   chan struct{}
	left   context.Context // ends when it leaves the inventory
	leave  context.CancelCauseFunc
	begun  bool // its worker runs; Manager.mu guards it
	ledger ledger

	// Of whoever has the turn.
	f        features
	spaces   []string  // the namespaces of the models in its schema, sorted
	retries  int       // since it was last heard of
	repairs  int       // in a row
	checkAt  time.Time // when everything is looked at next
	looked   time.Time // when everything was looked at last
	repairAt time.Time // drift is not reverted before

	hint hint

	mu      sync.Mutex
	desc    Device
	stale   bool // the session is that of an older desc
	session Session
	since   time.Time // when the session began
	seen    time.Time // when the device was last known to be there
	lost    bool      // the last thing that was tried with it failed
	suspect bool      // something has told of a change that isn't ours
	problem string
	drifts  []Drift
	waiters []chan struct{}
	again   []string         // owners whose refusal is to be forgotten
	no      map[string]error // the refusals, with all that the device said
}

func newDevice(m *Manager, desc Device, turn chan struct{}) *device {
	d := &device{m: m, name: desc.Name, desc: desc, turn: turn, wake: make(chan struct{}, 1), no: map[string]error{}}
	d.left, d.leave = context.WithCancelCause(context.Background())
	return d
}

// describe replaces what the inventory says.
func (d *device) describe(desc Device) {
	d.mu.Lock()
	same := reflect.DeepEqual(d.desc.Target, desc.Target) && d.desc.Disabled == desc.Disabled && d.desc.Confirmed == desc.Confirmed && d.desc.Validate == desc.Validate
	d.desc = desc
	d.stale = d.stale || !same
	d.mu.Unlock()
	if !same {
		d.kick()
	}
}

func (d *device) spec() Device {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.desc
}

func (d *device) record() Record { return d.m.book.recordOf(d.name) }

// acquire waits for the turn.
func (d *device) acquire(ctx context.Context) error {
	select {
	case d.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &UnreachableError{Device: d.name, Err: fmt.Errorf("something else is under way on it and doesn't end: %w", context.Cause(ctx))}
	}
}

func (d *device) release() { <-d.turn }

// kick makes the worker look.
func (d *device) kick() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// ask makes the worker look, and gives what is closed when it has. A device
// that was lost is not waited for.
func (d *device) ask(again ...string) <-chan struct{} {
	c := make(chan struct{})
	d.mu.Lock()
	d.again = append(d.again, again...)
	if d.lost {
		close(c)
	} else {
		d.waiters = append(d.waiters, c)
	}
	d.mu.Unlock()
	d.kick()
	return c
}

// asked gives those who wait for a round that begins now.
func (d *device) asked() (waiters []chan struct{}, again []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	waiters, again = d.waiters, d.again
	d.waiters, d.again = nil, nil
	return waiters, again
}

// answer lets those go on who wait.
func answer(waiters []chan struct{}) {
	for _, c := range waiters {
		close(c)
	}
}

// drop gives a session up, and says why in words for a caller.
func (d *device) drop(s Session, reason error) error {
	d.mu.Lock()
	mine := d.session == s && s != nil
	if mine {
		d.session, d.seen = nil, time.Now()
	}
	d.lost, d.problem = true, reason.Error()
	seen := d.seen
	d.mu.Unlock()
	if s != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // no farewell: it may not be listening
		_ = s.Close(ctx)
	}
	if mine {
		d.tell(Event{Type: DeviceLost, Level: Warning, Message: fmt.Sprintf("the session with device %s is lost: %v", d.name, reason)})
	}
	return &UnreachableError{Device: d.name, Since: seen, Err: reason}
}

// hangUp ends the session in good order.
func (d *device) hangUp() {
	d.mu.Lock()
	s := d.session
	d.session = nil
	d.mu.Unlock()
	if s != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.Close(ctx)
	}
}

func (d *device) tell(e Event) {
	e.Device = d.name
	d.m.config.Tell(e)
}

// plan looks what would have to be done to a device that has observed.
func (d *device) plan(observed, base *tree.Node, scope []tree.Delta) (out tree.Plan) {
	d.ledger.with(func(c *tree.Claims) { out = c.Plan(observed, base, scope...) })
	return out
}

func conflictError(device string, conflicts []tree.Conflict) error {
	out := &ConflictError{}
	for _, c := range conflicts {
		out.Conflicts = append(out.Conflicts, Conflict{Device: device, Path: c.Path, Owners: c.Owners, Values: c.Values})
	}
	return out
}
