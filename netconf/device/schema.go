package device

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
	"github.com/abide-agent/abide/netconf/yang"
)

// schemas keeps what the models of devices say, one for all devices that have
// equal sets of them. The zero value is empty.
type schemas struct {
	mu   sync.Mutex
	sets map[string]*schemaSet
}

// schemaSet is one set of models. A device has hundreds, of which just those
// are read that the configuration of somebody's needs: those of its namespaces,
// and what they import. Each is read once, from one device.
type schemaSet struct {
	turn    chan struct{} // full while somebody uses what stands below
	list    []netconf.Schema
	texts   map[string]yang.Module // by name; without a text where the device gives none
	schemas map[string]*tree.Def   // by namespaces
}

func (c *schemas) set(name string) *schemaSet {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sets == nil {
		c.sets = map[string]*schemaSet{}
	}
	s := c.sets[name]
	if s == nil {
		s = &schemaSet{turn: make(chan struct{}, 1), texts: map[string]yang.Module{}, schemas: map[string]*tree.Def{}}
		c.sets[name] = s
	}
	return s
}

// of gives the schema of a session's device for some namespaces. Its error is
// that of the session; a device that can't tell its models is told of and has
// none: keys are inferred then.
func (c *schemas) of(ctx context.Context, s Session, spaces []string, tell func(Event)) (*tree.Def, error) {
	name := s.Capabilities().ModuleSet()
	var list []netconf.Schema
	if name == "" {
		var err error
		if list, err = s.Schemas(ctx); err != nil && !answered(err) {
			return nil, err
		}
		if name = netconf.SchemaSet(list); name == "" {
			degraded(tell, []string{"the device doesn't tell its models"})
			return nil, nil
		}
	}
	set := c.set(name)
	select {
	case set.turn <- struct{}{}:
		defer func() { <-set.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	key := strings.Join(spaces, " ")
	if schema, ok := set.schemas[key]; ok {
		return schema, nil
	}
	modules, faults, err := set.read(ctx, s, list, spaces)
	if err != nil {
		return nil, err
	}
	var root *tree.Def
	if len(modules) > 0 {
		schema, warnings := yang.Compile(modules)
		for _, w := range warnings {
			if w.File != "" { // others are about what the device judges by itself
				faults = append(faults, w.String())
			}
		}
		root = schema.Root()
	}
	if len(faults) > 0 {
		degraded(tell, faults)
	}
	set.schemas[key] = root
	return root, nil
}

func degraded(tell func(Event), faults []string) {
	const most = 5
	tell(Event{
		Type: DeviceSchemaDegraded, Level: Warning, Fields: map[string]any{"count": len(faults)},
		Message: "keys of lists may have to be inferred from the data, since models are missing: " + strings.Join(faults[:min(most, len(faults))], "; "),
	})
}

// imported finds what a module needs. What it finds in a comment is read in vain.
var imported = regexp.MustCompile(`\b(?:import|include)\s+["']?([A-Za-z_][\w.-]*)`)

// read gives the modules of the namespaces, with all that they import, and what
// can't be had of them.
func (c *schemaSet) read(ctx context.Context, s Session, list []netconf.Schema, spaces []string) (out []yang.Module, faults []string, err error) {
	if c.list == nil {
		if c.list = list; list == nil {
			if c.list, err = s.Schemas(ctx); err != nil && !answered(err) {
				return nil, nil, err
			}
			if err != nil {
				faults = append(faults, err.Error())
			}
		}
		slices.SortStableFunc(c.list, func(a, b netconf.Schema) int { return cmp.Compare(b.Version, a.Version) }) // the newest of a name first
	}
	var todo []string
	for _, m := range c.list {
		if slices.Contains(spaces, m.Namespace) {
			todo = append(todo, m.Name)
		}
	}
	done := map[string]bool{}
	for len(todo) > 0 {
		name := todo[0]
		if todo = todo[1:]; done[name] {
			continue
		}
		done[name] = true
		m, err := c.module(ctx, s, name)
		if err != nil && !answered(err) {
			return nil, nil, err
		}
		if m.Text == "" {
			faults = append(faults, fmt.Sprintf("the device doesn't give its module %s", name))
			continue
		}
		out = append(out, m)
		for _, match := range imported.FindAllStringSubmatch(m.Text, -1) {
			if slices.ContainsFunc(c.list, func(m netconf.Schema) bool { return m.Name == match[1] }) {
				todo = append(todo, match[1])
			}
		}
	}
	slices.SortFunc(out, func(a, b yang.Module) int { return cmp.Compare(a.Name, b.Name) })
	return out, faults, nil
}

// module gives the text of a module, in the newest revision that there is.
func (c *schemaSet) module(ctx context.Context, s Session, name string) (yang.Module, error) {
	if m, ok := c.texts[name]; ok {
		return m, nil
	}
	i := slices.IndexFunc(c.list, func(m netconf.Schema) bool {
		return m.Name == name && (m.Format == "" || m.Format == "yang") && (len(m.Locations) == 0 || slices.Contains(m.Locations, "NETCONF"))
	})
	if i < 0 {
		return yang.Module{}, nil
	}
	m := yang.Module{Name: name, Revision: c.list[i].Version, File: name + ".yang"}
	var err error
	if m.Text, err = s.GetSchema(ctx, name, m.Revision); err == nil || answered(err) {
		c.texts[name] = m
	}
	return m, err
}

// covered says whether all namespaces of a tree are among these, which are sorted.
func covered(n *tree.Node, spaces []string) bool {
	ok := true
	eachSpace(n, func(space string) {
		_, found := slices.BinarySearch(spaces, space)
		ok = ok && found
	})
	return ok
}

// learn gives the device a schema that has the models of these trees, too.
func (d *device) learn(ctx context.Context, s Session, trees ...*tree.Node) error {
	spaces := slices.Clone(d.spaces)
	for _, n := range trees {
		eachSpace(n, func(space string) { spaces = append(spaces, space) })
	}
	slices.Sort(spaces)
	spaces = slices.Compact(spaces)
	var schema *tree.Def
	if len(spaces) > 0 {
		var err error
		if schema, err = d.m.schemas.of(ctx, s, spaces, d.tell); err != nil {
			return err
		}
	}
	d.spaces = spaces
	d.ledger.open(d.m.book.tree, d.record(), schema, spaces)
	return nil
}

// eachSpace calls f with the namespaces in a configuration, and those that its
// values are bound to. The root, which may have any name, is none of it.
func eachSpace(config *tree.Node, f func(string)) {
	var walk func(n *tree.Node, parent string)
	walk = func(n *tree.Node, parent string) {
		if n.Name.Space != parent {
			f(n.Name.Space)
		}
		for _, space := range n.Prefixes {
			f(space)
		}
		for _, c := range n.Children {
			walk(c, n.Name.Space)
		}
	}
	for _, c := range config.Children {
		walk(c, "")
	}
}
