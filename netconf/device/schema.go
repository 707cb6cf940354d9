package device

import (
	"cmp"
	"context"
	"fmt"
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

// schemaSet is one set of models, read once and by one device alone.
type schemaSet struct {
	turn chan struct{}
	done bool
	root *tree.Def // nil where nothing could be read: keys are inferred then
}

func (c *schemas) set(name string) *schemaSet {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sets == nil {
		c.sets = map[string]*schemaSet{}
	}
	s := c.sets[name]
	if s == nil {
		s = &schemaSet{turn: make(chan struct{}, 1)}
		c.sets[name] = s
	}
	return s
}

// of gives the schema of a session's device, which it is asked for unless an
// equal one was. Its error is that of the session; a device that can't tell its
// models is told of and has none.
func (c *schemas) of(ctx context.Context, s Session, tell func(Event)) (*tree.Def, error) {
	name := s.Capabilities().ModuleSet()
	var list []netconf.Schema
	if name == "" {
		var err error
		if list, err = s.Schemas(ctx); err != nil && !answered(err) {
			return nil, err
		}
		if name = netconf.SchemaSet(list); name == "" {
			tell(Event{Type: DeviceSchemaDegraded, Level: Warning, Message: "the device doesn't tell its models; keys of lists are inferred from the data"})
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
	if set.done {
		return set.root, nil
	}
	root, err := readModels(ctx, s, list, tell)
	if err == nil {
		set.done, set.root = true, root
	}
	return root, err
}

// readModels asks a device for its models and compiles them.
func readModels(ctx context.Context, s Session, list []netconf.Schema, tell func(Event)) (*tree.Def, error) {
	var faults []string
	if list == nil {
		var err error
		if list, err = s.Schemas(ctx); err != nil {
			if !answered(err) {
				return nil, err
			}
			faults = append(faults, err.Error())
		}
	}
	slices.SortFunc(list, func(a, b netconf.Schema) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	var modules []yang.Module
	for _, m := range list {
		if m.Format != "" && m.Format != "yang" || len(m.Locations) > 0 && !slices.Contains(m.Locations, "NETCONF") {
			continue
		}
		text, err := s.GetSchema(ctx, m.Name, m.Version)
		if err != nil && !answered(err) {
			return nil, err
		}
		if err != nil {
			faults = append(faults, fmt.Sprintf("%s: %v", m.Name, err))
			continue
		}
		modules = append(modules, yang.Module{Name: m.Name, Revision: m.Version, File: m.Name + ".yang", Text: text})
	}
	if len(modules) == 0 {
		tell(Event{Type: DeviceSchemaDegraded, Level: Warning, Message: "the device gives none of its models; keys of lists are inferred from the data", Fields: map[string]any{"faults": faults}})
		return nil, nil
	}
	schema, warnings := yang.Compile(modules)
	for _, w := range warnings {
		faults = append(faults, w.String())
	}
	if len(faults) > 0 {
		const most = 5
		tell(Event{
			Type: DeviceSchemaDegraded, Level: Warning,
			Message: fmt.Sprintf("some of the device's models can't be used, so keys of lists may have to be inferred: %s", strings.Join(faults[:min(most, len(faults))], "; ")),
			Fields:  map[string]any{"count": len(faults)},
		})
	}
	return schema.Root(), nil
}
