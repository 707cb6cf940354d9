package device

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// Status is what is known of one device, from memory.
type Status struct {
	Name      string    `json:"name"`
	Addr      string    `json:"addr"`
	Groups    []string  `json:"groups,omitempty"`
	Disabled  bool      `json:"disabled,omitempty"`
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since,omitzero"` // of the session
	Seen      time.Time `json:"seen,omitzero"`  // when a session last ended
	Error     string    `json:"error,omitempty"`
	// Unsettled says that a change of it is under way, or was interrupted.
	Unsettled bool              `json:"unsettled,omitempty"`
	Holds     []string          `json:"holds,omitempty"`   // the owners that have something on it
	Pending   []string          `json:"pending,omitempty"` // the owners whose wish it has yet to follow
	Refused   map[string]string `json:"refused,omitempty"` // owner → why it won't
	Drift     []string          `json:"drift,omitempty"`   // paths that are not as wanted
}

// Devices gives the status of every device, by name.
func (m *Manager) Devices() []Status {
	var out []Status
	for _, d := range m.all() {
		out = append(out, d.report())
	}
	return out
}

func (d *device) report() Status {
	r := d.record()
	s := Status{Name: d.name, Unsettled: !r.Settled(), Holds: sortedKeys(r.Held), Pending: r.Behind(d.m.book.wantsOf(d.name))}
	d.mu.Lock()
	defer d.mu.Unlock()
	s.Addr, s.Groups, s.Disabled = d.desc.Target.Addr, d.desc.Groups, d.desc.Disabled
	s.Connected, s.Seen, s.Error = d.session != nil, d.seen, d.problem
	if s.Connected {
		s.Since = d.since
	}
	for owner, no := range r.Refused {
		if s.Refused == nil {
			s.Refused = map[string]string{}
		}
		s.Refused[owner] = no.Text
	}
	for _, f := range d.drifts {
		s.Drift = append(s.Drift, f.Path)
	}
	return s
}

// Phase says how far the wish of an owner is from being true.
type Phase string

// The phases, of which the first that fits is given.
const (
	Absent  Phase = "absent"  // it wants nothing and has nothing anywhere
	Refused Phase = "refused" // a device said no
	Pending Phase = "pending" // a device has yet to follow
	Drifted Phase = "drifted" // a device has changed and is to be put right
	InSync  Phase = "in-sync"
)

// State is how an owner's wish stands.
type State struct {
	Phase   Phase             `json:"phase"`
	Devices []string          `json:"devices,omitempty"` // on which it wants something
	Pending []string          `json:"pending,omitempty"`
	Drifted []string          `json:"drifted,omitempty"`
	Refused map[string]string `json:"refused,omitempty"` // device → why
	// Outputs maps devices to the digests of what is wanted of them.
	Outputs map[string]string `json:"-"`
}

// State tells how the wish of an owner stands, from memory.
func (m *Manager) State(owner string) State {
	w, _ := m.book.wishOf(owner)
	s := State{Devices: sortedKeys(w.Outputs), Outputs: w.Outputs}
	names := append(slices.Clone(s.Devices), m.book.holders(owner)...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		d, err := m.device(name)
		if err != nil {
			continue
		}
		r := m.book.recordOf(name)
		no, refused := r.Refused[owner]
		switch {
		case refused && no.Digest == w.Outputs[name]:
			if s.Refused == nil {
				s.Refused = map[string]string{}
			}
			s.Refused[name] = no.Text
		case r.Held[owner] != w.Outputs[name] || r.Next[owner] != nil:
			s.Pending = append(s.Pending, name)
		case d.drifting(owner):
			s.Drifted = append(s.Drifted, name)
		}
	}
	switch {
	case s.Refused != nil:
		s.Phase = Refused
	case s.Pending != nil:
		s.Phase = Pending
	case s.Drifted != nil:
		s.Phase = Drifted
	case s.Devices != nil:
		s.Phase = InSync
	default:
		s.Phase = Absent
	}
	return s
}

// MadeOf gives what the outputs of an owner's wish were made of, as [Options.Of]
// said when it came; "" for an owner without one.
func (m *Manager) MadeOf(owner string) string {
	w, _ := m.book.wishOf(owner)
	return w.Of
}

// Instances gives the owners that want something, or still have something on a
// device, in order.
func (m *Manager) Instances() []string { return m.book.owners() }

func (d *device) drifting(owner string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.drifts, func(f Drift) bool { return f.Policy == Revert && slices.Contains(f.Owners, owner) })
}

// Owners gives what is owned on a device at a path and below it, as far as it was
// pushed. "/" is everything.
func (m *Manager) Owners(device, path string) ([]tree.Owned, error) {
	d, err := m.device(device)
	if err != nil {
		return nil, err
	}
	d.ledger.ensure(m.book.tree, d.record())
	var out []tree.Owned
	d.ledger.with(func(c *tree.Claims) { out, err = c.Blame(path) })
	return out, err
}

// Others gives the merged wish of all owners but one for a device, as far as it
// was pushed.
func (m *Manager) Others(device, owner string) *tree.Node {
	d, err := m.device(device)
	if err != nil {
		return nil
	}
	d.ledger.ensure(m.book.tree, d.record())
	var out *tree.Node
	d.ledger.with(func(c *tree.Claims) { out = c.Without(owner) })
	return out
}

// Read gives the configuration that runs on a device: all of it, or just the
// subtrees in which something is owned.
func (m *Manager) Read(ctx context.Context, name string, owned bool) (config *tree.Node, err error) {
	err = m.visit(ctx, name, func(ctx context.Context, d *device, s Session) error {
		var filter *tree.Node
		if owned {
			d.ledger.with(func(c *tree.Claims) { filter = c.FilterAll() })
		}
		var err error
		if config, _, err = s.GetConfig(ctx, netconf.Running, filter); err != nil && !answered(err) {
			return d.drop(s, fmt.Errorf("get-config: %w", err))
		}
		return err
	})
	return config, err
}

// Difference is how a device differs from what its owners want.
type Difference struct {
	Diff  string  // unified; may hold secrets
	Drift []Drift // may hold secrets
}

// Diff compares a device with what its owners want of it, and changes nothing.
func (m *Manager) Diff(ctx context.Context, name string) (out Difference, err error) {
	err = m.visit(ctx, name, func(ctx context.Context, d *device, s Session) error {
		p := d.push(s, m.transaction(), nil)
		p.all = true
		if err := p.read(ctx); err != nil {
			return err
		}
		after, err := tree.ApplyEdit(p.observed, p.plan.Edit, d.ledger.schema)
		if err != nil {
			return err
		}
		out.Diff = diffOf(name, p.observed, after)
		out.Drift, err = d.look(ctx, s)
		return err
	})
	return out, err
}

// Sync makes a device have what is wanted of it now, whatever it was waiting for
// or has refused.
func (m *Manager) Sync(ctx context.Context, name string) error {
	return m.visit(ctx, name, func(ctx context.Context, d *device, s Session) error {
		if err := d.recover(ctx, s); err != nil {
			return err
		}
		refused := sortedKeys(d.record().Refused)
		if err := d.follow(ctx, refused); err != nil {
			return err
		}
		d.repairs, d.repairAt = 0, time.Time{}
		if err := d.check(ctx, s); err != nil {
			return err
		}
		for owner, no := range d.record().Refused {
			return d.whyNot(owner, no)
		}
		return nil
	})
}

// visit does something with a device that is connected, and that nobody else
// uses meanwhile.
func (m *Manager) visit(ctx context.Context, name string, do func(context.Context, *device, Session) error) error {
	d, err := m.device(name)
	if err != nil {
		return err
	}
	if err := d.acquire(ctx); err != nil {
		return err
	}
	defer d.release()
	s, err := d.connect(ctx)
	if err != nil {
		return err
	}
	return do(ctx, d, s)
}
