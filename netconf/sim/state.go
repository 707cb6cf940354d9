package sim

import (
	"maps"
	"slices"
	"strconv"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
	"github.com/abide-agent/abide/netconf/yang"
)

func mon(local string, children ...*tree.Node) *tree.Node {
	return &tree.Node{Name: tree.Name{Space: netconf.MonitoringSpace, Local: local}, Children: children}
}

func monLeaf(local, value string) *tree.Node { return leaf(netconf.MonitoringSpace, local, value) }

// state is what the device tells of itself (RFC 6022).
func (c call) state() *tree.Node {
	capabilities := mon("capabilities")
	for _, uri := range c.capabilities() {
		capabilities.Children = append(capabilities.Children, monLeaf("capability", uri))
	}
	stores := mon("datastores")
	for _, name := range c.datastores() {
		one := mon("datastore", monLeaf("name", string(name)))
		if by := c.stores[name].locked; by != 0 {
			one.Children = append(one.Children, mon("locks", mon("global-lock", monLeaf("locked-by-session", strconv.FormatUint(uint64(by), 10)))))
		}
		stores.Children = append(stores.Children, one)
	}
	sessions := mon("sessions")
	for _, id := range slices.Sorted(maps.Keys(c.sessions)) {
		s := c.sessions[id]
		transport := monLeaf("transport", "ncm:netconf-ssh")
		transport.Prefixes = map[string]string{"ncm": netconf.MonitoringSpace}
		sessions.Children = append(sessions.Children, mon("session",
			monLeaf("session-id", strconv.FormatUint(uint64(id), 10)), transport,
			monLeaf("username", s.peer.User), monLeaf("source-host", s.peer.Host)))
	}
	return mon("netconf-state", capabilities, stores, c.models.schemas(), sessions)
}

// schemas lists what get-schema gives.
func (m *Models) schemas() *tree.Node {
	out := mon("schemas")
	for _, info := range m.schema.Modules() {
		for _, one := range append([]yang.Module{info.Module}, info.Submodules...) {
			format := monLeaf("format", "ncm:yang")
			format.Prefixes = map[string]string{"ncm": netconf.MonitoringSpace}
			out.Children = append(out.Children, mon("schema",
				monLeaf("identifier", one.Name), monLeaf("version", one.Revision), format,
				monLeaf("namespace", info.Namespace), monLeaf("location", "NETCONF")))
		}
	}
	return out
}

// library is the device's YANG library (RFC 8525), with all modules in one set.
func (m *Models) library() *tree.Node {
	const space = "urn:ietf:params:xml:ns:yang:ietf-yang-library"
	in := func(local string, children ...*tree.Node) *tree.Node {
		return &tree.Node{Name: tree.Name{Space: space, Local: local}, Children: children}
	}
	set := in("module-set", leaf(space, "name", "all"))
	for _, info := range m.schema.Modules() {
		one := in("module", leaf(space, "name", info.Name))
		if info.Revision != "" {
			one.Children = append(one.Children, leaf(space, "revision", info.Revision))
		}
		one.Children = append(one.Children, leaf(space, "namespace", info.Namespace))
		for _, sub := range info.Submodules {
			one.Children = append(one.Children, in("submodule", leaf(space, "name", sub.Name)))
		}
		for _, feature := range info.Features {
			one.Children = append(one.Children, leaf(space, "feature", feature))
		}
		set.Children = append(set.Children, one)
	}
	return in("yang-library", set, in("schema", leaf(space, "name", "all"), leaf(space, "module-set", "all")), leaf(space, "content-id", m.content))
}

// streams lists what can be subscribed to (RFC 5277 section 3.2.5).
func streams() *tree.Node {
	const space = netconf.ManageEventSpace
	in := func(local string, children ...*tree.Node) *tree.Node {
		return &tree.Node{Name: tree.Name{Space: space, Local: local}, Children: children}
	}
	return in("netconf", in("streams", in("stream",
		leaf(space, "name", "NETCONF"), leaf(space, "description", "changes of the running configuration"), leaf(space, "replaySupport", "false"))))
}
