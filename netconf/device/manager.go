package device

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/abide-agent/abide/internal/failpoint"
)

// Config is what a Manager needs. Dial and Keep must be set; what else is zero
// has a default.
type Config struct {
	Dial DialFunc
	Keep Keeper
	// Tell gets every event, in order for each device, and must not block for long.
	Tell func(Event)
	// Held says whether an owner's configuration is to be left as it is found: drift
	// in it is told and not put right. Nil: nobody's is.
	Held func(owner string) bool
	// Parallel bounds how many devices are talked to at the same time: 32.
	Parallel int
	// Timeout bounds one request and its answer: 60 s. ConnectTimeout bounds the
	// way to a session: 10 s.
	Timeout, ConnectTimeout time.Duration
	// ConfirmTimeout is after what a device undoes a commit that nobody confirms: 60 s.
	ConfirmTimeout time.Duration
	// Check is how often everything that is owned is read and compared: 5 min.
	// Hint is how often a device that stamps its changes is asked for the stamp
	// alone: 15 s.
	Check, Hint time.Duration

	fail func(step string) error // for tests: a crash at a step
}

// Manager brings devices to what is wanted of them. Its methods are safe for
// concurrent use. Plan works at any time; Apply needs [Manager.Run] to be
// running, which owns all goroutines that outlive a call.
type Manager struct {
	config  Config
	book    *book
	schemas schemas
	slots   chan struct{} // for what is done with devices
	dials   chan struct{} // for what is done to reach them

	mu      sync.Mutex
	devices map[string]*device
	changed chan struct{} // closed and made anew when the inventory has changed
	owners  map[string]chan struct{}
	turns   map[string]chan struct{} // of devices, which a device keeps when it leaves and comes back
}

// New reads what the Keeper has kept. The devices come with [Manager.Inventory].
func New(ctx context.Context, c Config) (*Manager, error) {
	c.Parallel = cmp.Or(c.Parallel, 32)
	c.Timeout = cmp.Or(c.Timeout, time.Minute)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 10*time.Second)
	c.ConfirmTimeout = cmp.Or(c.ConfirmTimeout, time.Minute)
	c.Check = cmp.Or(c.Check, 5*time.Minute)
	c.Hint = cmp.Or(c.Hint, 15*time.Second)
	if c.Tell == nil {
		c.Tell = func(Event) {}
	}
	if c.Held == nil {
		c.Held = func(string) bool { return false }
	}
	b, err := openBook(ctx, c.Keep)
	if err != nil {
		return nil, err
	}
	m := &Manager{
		config: c, book: b, slots: make(chan struct{}, c.Parallel), dials: make(chan struct{}, c.Parallel),
		devices: map[string]*device{}, changed: make(chan struct{}), owners: map[string]chan struct{}{}, turns: map[string]chan struct{}{},
	}
	m.forget() // a crash may have come between the last device and this
	return m, nil
}

// step marks a point at which a test may end the process.
func (m *Manager) step(name string) error {
	if m.config.fail != nil {
		if err := m.config.fail(name); err != nil {
			return err
		}
	}
	return failpoint.Hit(name)
}

// Inventory says which devices there are. Those with errors among their faults
// are left as they were. A device that is gone is left alone from now on; what
// it holds is remembered, in case it comes back.
func (m *Manager) Inventory(devices []Device) {
	m.mu.Lock()
	defer m.mu.Unlock()
	there := map[string]bool{}
	for _, desc := range devices {
		there[desc.Name] = true
		if desc.Faults.Err() != nil {
			continue
		}
		if d := m.devices[desc.Name]; d != nil {
			d.describe(desc)
			continue
		}
		if m.turns[desc.Name] == nil {
			m.turns[desc.Name] = make(chan struct{}, 1)
		}
		m.devices[desc.Name] = newDevice(m, desc, m.turns[desc.Name])
	}
	for name, d := range m.devices {
		if !there[name] {
			delete(m.devices, name)
			d.leave(errRetired)
		}
	}
	close(m.changed)
	m.changed = make(chan struct{})
}

// Run works until ctx ends, and gives the devices back what it has locked. It
// is called once.
func (m *Manager) Run(ctx context.Context) error {
	var workers, keeper sync.WaitGroup
	tidy, stop := context.WithCancel(context.WithoutCancel(ctx))
	keeper.Go(func() { m.keepTidy(tidy) })
	defer keeper.Wait()
	defer stop()
	defer workers.Wait() // first, since they leave something to write
	for {
		m.mu.Lock()
		changed := m.changed
		for _, d := range m.devices {
			if !d.begun {
				d.begun = true
				workers.Go(func() { d.work(ctx) })
			}
		}
		m.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// keepTidy writes what is late, a moment after it became true.
func (m *Manager) keepTidy(ctx context.Context) {
	const pause, again = 200 * time.Millisecond, 10 * time.Second
	wait := pause
	for {
		select {
		case <-m.book.untidy:
		case <-ctx.Done():
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			ending, cancel := m.ending(ctx)
			defer cancel()
			_ = m.book.tidy(ending) // what isn't written is found out anew
			return
		}
		wait = pause
		if err := m.book.tidy(ctx); err != nil && ctx.Err() == nil {
			m.config.Tell(Event{Type: DeviceStateDegraded, Level: Error, Message: err.Error()})
			m.book.notice()
			wait = again
		}
	}
}

// Close ends all sessions of a Manager that is not running, after Plan.
func (m *Manager) Close() {
	for _, d := range m.all() {
		if d.acquire(context.Background()) == nil {
			d.hangUp()
			d.release()
		}
	}
}

// ending gives a context for what has to be done even when the caller has gone.
func (m *Manager) ending(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), m.config.Timeout)
}

// bounded does something with a device, as one of the few at the same time, and
// within the time of a request.
func (m *Manager) bounded(ctx context.Context, do func(context.Context) error) error {
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, m.config.Timeout)
	defer cancel()
	return do(ctx)
}

// device finds one by its name.
func (m *Manager) device(name string) (*device, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d := m.devices[name]; d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("%w: %q is not in the inventory; add it, or mend the name", ErrUnknown, name)
}

// all gives the devices by name.
func (m *Manager) all() []*device {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := slices.Collect(maps.Values(m.devices))
	slices.SortFunc(out, byName)
	return out
}

// hold keeps others from changing what these owners want, until the result is
// called.
func (m *Manager) hold(ctx context.Context, owners []string) (func(), error) {
	owners = slices.Clone(owners)
	slices.Sort(owners)
	var held []chan struct{}
	give := func() {
		for _, c := range held {
			<-c
		}
	}
	for _, o := range slices.Compact(owners) {
		m.mu.Lock()
		c := m.owners[o]
		if c == nil {
			c = make(chan struct{}, 1)
			m.owners[o] = c
		}
		m.mu.Unlock()
		select {
		case c <- struct{}{}:
			held = append(held, c)
		case <-ctx.Done():
			give()
			return nil, context.Cause(ctx)
		}
	}
	return give, nil
}

func byName(a, b *device) int { return cmp.Compare(a.name, b.name) }
