package sim

import (
	"maps"
	"sync"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
	"github.com/abide-agent/abide/netconf/yang"
)

// Device is a simulated device. It may be used by many goroutines.
type Device struct {
	options Options
	models  *Models
	login   *login

	mu       sync.Mutex
	stores   map[netconf.Datastore]*store
	pending  *pending // the confirmed commit that is not confirmed yet
	sessions map[uint32]*session
	last     uint32 // the session id that was given last
	counts   map[string]int
	faults   []*Fault

	judged  *tree.Node // the configuration that was judged last, and how
	verdict []yang.Fault
}

// store is a datastore. Its tree is never changed, only replaced.
type store struct {
	config   *tree.Node
	modified time.Time
	locked   uint32 // the session that has it locked, or 0
}

// New makes a device, which nobody can reach before [Device.Serve].
func New(o Options) (*Device, error) {
	if o.Models == nil {
		o.Models = DefaultModels()
	}
	begin, err := o.Models.whole(o.Startup)
	if err != nil {
		return nil, err
	}
	l, err := newLogin(o)
	if err != nil {
		return nil, err
	}
	d := &Device{
		options: o, models: o.Models, login: l,
		stores:   map[netconf.Datastore]*store{},
		sessions: map[uint32]*session{},
		counts:   map[string]int{},
	}
	for _, name := range d.datastores() {
		d.stores[name] = &store{config: begin, modified: time.Now()}
	}
	return d, nil
}

func (d *Device) datastores() []netconf.Datastore {
	if d.options.Mode == WithStartup {
		return []netconf.Datastore{netconf.Running, netconf.Startup}
	}
	return []netconf.Datastore{netconf.Candidate, netconf.Running}
}

// Config gives the running configuration.
func (d *Device) Config() *tree.Node {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stores[netconf.Running].config
}

// SetConfig replaces the running configuration past all sessions and locks, as
// somebody at the console would. A candidate without changes follows.
func (d *Device) SetConfig(config *tree.Node) error {
	config, err := d.models.whole(config)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	clean := !d.dirty()
	d.setRunning(config, nil)
	if clean {
		d.reset()
	}
	return nil
}

// Counts tells how many requests of each operation have come.
func (d *Device) Counts() map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.counts)
}

// Sessions tells how many sessions are open.
func (d *Device) Sessions() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.sessions)
}

// Restart is a power cut: all sessions end, what is not confirmed is undone, and
// running is what startup is, where there is one.
func (d *Device) Restart() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pending != nil {
		d.rollBack("timeout")
	}
	for _, s := range d.sessions {
		d.end(s)
		s.cut()
	}
	if startup := d.stores[netconf.Startup]; startup != nil {
		d.setRunning(startup.config, nil)
	}
	d.reset()
}

// set replaces what a datastore holds.
func (s *store) set(config *tree.Node) { s.config, s.modified = config, time.Now() }

// dirty says whether the candidate has changes.
func (d *Device) dirty() bool {
	c := d.stores[netconf.Candidate]
	if c == nil {
		return false
	}
	running := d.stores[netconf.Running].config
	return c.config != running && !tree.Equal(c.config, running)
}

// reset makes the candidate what running is.
func (d *Device) reset() {
	if c := d.stores[netconf.Candidate]; c != nil {
		c.config = d.stores[netconf.Running].config
	}
}

// setRunning changes running, and tells those who listen; by is nil when the
// device does it by itself.
func (d *Device) setRunning(config *tree.Node, by *session) {
	running := d.stores[netconf.Running]
	edits := d.models.changes(running.config, config)
	running.config = config
	if len(edits) > 0 {
		running.modified = time.Now()
		d.publish(changeEvent(by, edits))
	}
}

// save lets a configuration last.
func (d *Device) save(config *tree.Node) error {
	if d.options.Save == nil {
		return nil
	}
	if err := d.options.Save(config); err != nil {
		return &netconf.RPCError{Message: "the configuration can't be saved: " + err.Error()}
	}
	return nil
}
