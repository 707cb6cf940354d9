package sim

import (
	"slices"
	"strconv"
	"strings"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// named reads the datastore that a source or target names.
func (c call) named(param string) (netconf.Datastore, *store, error) {
	p := c.param(param)
	if p == nil {
		return "", nil, element("missing-element", baseName(param), "%s needs a %s", c.op.Name.Local, param)
	}
	if len(p.Children) != 1 {
		return "", nil, element("bad-element", p.Name, "a %s names one datastore", param)
	}
	at := p.Children[0]
	name := netconf.Datastore(at.Name.Local)
	if at.Name.Space != tree.BaseSpace || !slices.Contains([]string{"running", "candidate", "startup", "url", "config"}, at.Name.Local) {
		return "", nil, element("unknown-element", at.Name, "%s is no datastore", at.Name.Local)
	}
	st := c.stores[name]
	if st == nil {
		return "", nil, unsupported("%s can't be the %s here", name, param)
	}
	return name, st, nil
}

// source reads what a source gives, which may stand in the request itself.
func (c call) source() (config *tree.Node, from netconf.Datastore, err error) {
	if p := c.param("source"); p != nil && len(p.Children) == 1 && p.Children[0].Name == baseName("config") {
		config, err := c.parse(p.Children[0])
		return config, "", err
	}
	from, st, err := c.named("source")
	if err != nil {
		return nil, "", err
	}
	return st.config, from, nil
}

// parse makes a configuration of one that stands in a request.
func (c call) parse(n *tree.Node) (*tree.Node, error) {
	if list := c.models.payload(n); list != nil {
		return nil, list
	}
	config, err := tree.ApplyEditBy(tree.Merge, nil, n, c.models.root)
	if err != nil {
		return nil, editError(err)
	}
	return config, nil
}

// mayChange refuses changes of what another session has locked.
func (c call) mayChange(names ...netconf.Datastore) error {
	for _, name := range names {
		if st := c.stores[name]; st != nil && st.locked != 0 && st.locked != c.s.id {
			return protocol("in-use", "session %d has %s locked", st.locked, name)
		}
	}
	return nil
}

// writable refuses to write to what can only be committed.
func (c call) writable(name netconf.Datastore) error {
	if name == netconf.Running && c.options.Mode == WithCandidate {
		return unsupported("running can't be written to directly; edit the candidate and commit it")
	}
	return c.mayChange(name)
}

// assign replaces a datastore. All but a candidate must be valid.
func (c call) assign(name netconf.Datastore, config *tree.Node) error {
	if err := c.judge(config, name != netconf.Candidate); err != nil {
		return err
	}
	switch name {
	case netconf.Running:
		c.setRunning(config, c.s)
		return nil
	case netconf.Startup:
		if err := c.save(config); err != nil {
			return err
		}
	}
	c.stores[name].set(config)
	return nil
}

func (c call) lock() (result, error) {
	name, st, err := c.named("target")
	switch {
	case err != nil:
		return result{}, err
	case st.locked != 0:
		return result{}, lockDenied(st.locked, "session %d has %s locked", st.locked, name)
	case name == netconf.Candidate && c.dirty():
		return result{}, lockDenied(0, "the candidate has changes that are neither committed nor discarded")
	case name == netconf.Running && c.pending != nil && c.pending.by != c.s.id:
		holder := c.pending.by
		if c.sessions[holder] == nil {
			holder = 0
		}
		return result{}, lockDenied(holder, "a confirmed commit of another session waits for its confirmation")
	}
	st.locked = c.s.id
	return result{}, nil
}

func (c call) unlockOwn() (result, error) {
	name, st, err := c.named("target")
	switch {
	case err != nil:
		return result{}, err
	case st.locked != c.s.id:
		return result{}, protocol("operation-failed", "this session doesn't have %s locked", name)
	}
	c.unlock(name)
	return result{}, nil
}

// unlock takes a lock away. The changes of a candidate go with it (RFC 6241
// section 8.3.5.2).
func (d *Device) unlock(name netconf.Datastore) {
	d.stores[name].locked = 0
	if name == netconf.Candidate {
		d.reset()
	}
}

func (c call) copyConfig() (result, error) {
	target, _, err := c.named("target")
	if err != nil {
		return result{}, err
	}
	config, from, err := c.source()
	switch {
	case err != nil:
		return result{}, err
	case from == target:
		return result{}, protocol("invalid-value", "source and target are both %s", target)
	}
	if err := c.writable(target); err != nil {
		return result{}, err
	}
	return result{}, c.assign(target, config)
}

func (c call) deleteConfig() (result, error) {
	name, _, err := c.named("target")
	switch {
	case err != nil:
		return result{}, err
	case name != netconf.Startup:
		return result{}, unsupported("%s can't be deleted", name)
	}
	if err := c.mayChange(name); err != nil {
		return result{}, err
	}
	return result{}, c.assign(name, &tree.Node{Name: tree.Name{Local: "config"}})
}

func (c call) validateStore() (result, error) {
	config, _, err := c.source()
	if err == nil {
		err = c.judge(config, true)
	}
	return result{}, err
}

func (c call) closeSession() (result, error) {
	c.end(c.s) // the connection has an answer to carry yet
	return result{}, nil
}

func (c call) kill() (result, error) {
	p := c.param("session-id")
	if p == nil {
		return result{}, element("missing-element", baseName("session-id"), "kill-session needs a session-id")
	}
	id, err := strconv.ParseUint(strings.TrimSpace(p.Value), 10, 32)
	other := c.sessions[uint32(id)]
	if err != nil || other == nil || other == c.s {
		return result{}, protocol("invalid-value", "%.20q is no other session", p.Value)
	}
	c.end(other)
	other.cut()
	return result{}, nil
}
