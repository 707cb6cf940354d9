package sim

import (
	"slices"
	"strings"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
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
	all.Children = append(all.Children, c.state(), c.models.library(), streams())
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

func (c call) getSchema() (result, error) {
	name, ok := c.text("identifier")
	if !ok {
		return result{}, element("missing-element", tree.Name{Local: "identifier"}, "get-schema needs an identifier")
	}
	if format, ok := c.text("format"); ok && format[strings.LastIndexByte(format, ':')+1:] != "yang" {
		return result{}, protocol("invalid-value", "models are there as yang alone")
	}
	version, versioned := c.text("version")
	one, known := c.models.texts[name]
	if !known || versioned && one.Revision != version {
		return result{}, protocol("invalid-value", "there is no model %.100q of that version", name)
	}
	return result{elements: []*tree.Node{monLeaf("data", one.Text)}}, nil
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
