package sim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
	"github.com/abide-agent/abide/netconf/yang"
)

func (c call) getConfig() (result, error) {
	_, st, err := c.named("source")
	if err != nil {
		return result{}, err
	}
	return c.data(st.config, st.modified)
}

func (c call) get() (result, error) {
	running := c.stores[netconf.Running]
	all := &tree.Node{Name: running.config.Name, Children: slices.Clone(running.config.Children)}
	all.Children = append(all.Children, c.state())
	return c.data(all, running.modified)
}

// data answers with what the request's filter leaves.
func (c call) data(all *tree.Node, modified time.Time) (result, error) {
	part, err := c.models.filtered(all, c.param("filter"))
	if err != nil {
		return result{}, err
	}
	return result{elements: []*tree.Node{base("data", part.Children...)}, modified: modified}, nil
}

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
	for _, id := range slices.Sorted(maps.Keys(c.Device.sessions)) {
		s := c.Device.sessions[id]
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

func (c call) getSchema() (result, error) {
	name, ok := c.text("identifier")
	if !ok {
		return result{}, element("missing-element", tree.Name{Local: "identifier"}, "get-schema needs an identifier")
	}
	if format, ok := c.text("format"); ok && format[strings.LastIndexByte(format, ':')+1:] != "yang" {
		return result{}, protocol("invalid-value", "models are there as yang alone")
	}
	version, versioned := c.text("version")
	var found []yang.Module
	for _, one := range c.models.texts[name] {
		if !versioned || one.Revision == version {
			found = append(found, one)
		}
	}
	switch len(found) {
	case 1:
		return result{elements: []*tree.Node{monLeaf("data", found[0].Text)}}, nil
	case 0:
		return result{}, protocol("invalid-value", "there is no model %.100q of that version", name)
	}
	e := protocol("operation-failed", "there are several versions of %s; name one", name)
	e.AppTag = "data-not-unique"
	return result{}, e
}

// capabilities are those of the hello.
func (d *Device) capabilities() []string {
	const stem = "urn:ietf:params:netconf:capability:"
	out := []string{netconf.Base10, netconf.Base11}
	if d.options.Mode == WithStartup {
		out = append(out, stem+"writable-running:1.0", stem+"startup:1.0")
	} else {
		out = append(out, stem+"candidate:1.0", stem+"confirmed-commit:1.0", stem+"confirmed-commit:1.1")
	}
	out = append(out,
		stem+"rollback-on-error:1.0", stem+"validate:1.0", stem+"validate:1.1", stem+"notification:1.0", stem+"interleave:1.0",
		stem+"yang-library:1.1?revision=2019-01-04&content-id="+d.models.content,
		netconf.MonitoringSpace+"?module=ietf-netconf-monitoring&revision=2010-10-04",
		eventSpace+"?module=ietf-netconf-notifications&revision=2012-02-06",
	)
	return append(out, d.models.hello...)
}
