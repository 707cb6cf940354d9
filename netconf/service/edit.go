package service

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// edits gathers what a handler edits in one run.
type edits struct {
	instance Instance
	devices  map[string]bool // that it may edit; nil outside of a run
	view     *view

	mu      sync.Mutex
	out     Output
	size    int64
	err     error // the first edit that was refused
	warning string
}

func newEdits(r *Request, v *view) *edits {
	e := &edits{instance: r.Instance, devices: make(map[string]bool, len(r.Devices)), view: v, out: Output{}}
	for i := range r.Devices {
		e.devices[r.Devices[i].Name] = true
	}
	return e
}

// output gives what the instance wants: an edit that was refused was a part of
// it, so that there is none then.
func (e *edits) output() (Output, string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return nil, e.warning, e.err
	}
	return e.out, e.warning, nil
}

// refuse notes that an edit is not taken.
func (e *edits) refuse(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = &HandlerError{
			Service: e.instance.Service, Instance: e.instance.Name(),
			Reason: "the handler's edit is refused: " + clip(textOf(err)), Hint: "correct the service's code",
		}
	}
}

// textOf gives the bare message of an error that is told in a reply.
func textOf(err error) string {
	if e, ok := errors.AsType[*netconf.RPCError](err); ok {
		return e.Message
	}
	return err.Error()
}

// edit answers edit-config. Outside of a run an edit may only say what is there
// anyway, as clients send back all that they have read.
func (n *session) edit(op *tree.Node) answer {
	r := n.working()
	if r != nil && n.server.over(r) {
		return failed("%v", errLate)
	}
	e, inRun := (*edits)(nil), r != nil
	if inRun {
		e = r.edits
	} else {
		e = newEdits(&Request{}, n.view())
		e.devices = nil
	}
	if err := e.apply(op); err != nil {
		if inRun {
			e.refuse(err)
		}
		return answer{err: err}
	}
	if !inRun && e.changes() {
		return failed("No transaction is under way in this session: services and devices are changed in the repository")
	}
	return answer{}
}

// changes says whether an edit outside of a run would change something.
func (e *edits) changes() bool { return len(e.out) > 0 || e.warning != "" }

// apply takes one edit-config.
func (e *edits) apply(op *tree.Node) error {
	config := child(op, "config")
	if config == nil {
		return &netconf.RPCError{Type: "protocol", Tag: "missing-element", Message: "The edit has no config"}
	}
	o := tree.Merge
	if text, ok := find(op, "default-operation"); ok {
		o = tree.Operation(text)
	}
	if o != tree.Merge && o != tree.None {
		return &netconf.RPCError{Message: fmt.Sprintf("The default operation %q is not taken: service code adds to what is there", clip(string(o)))}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range config.Children {
		switch c.Name {
		case devicesName:
			for _, d := range c.Children {
				if d.Name.Local != "device" {
					continue // groups, profiles and settings come from the repository
				}
				if err := e.device(d, o); err != nil {
					return err
				}
			}
		case servicesName:
			d := diff{instance: &e.instance}
			if more, err := d.wants(c, e.view.services(), o); err != nil || len(more) > 0 {
				e.odd("what it changes in <services> is left out: services are kept in the repository")
			}
		}
	}
	return nil
}

func (e *edits) odd(text string) {
	if e.warning == "" {
		e.warning = text
	}
}

// device takes the edit of one device.
func (e *edits) device(d *tree.Node, o tree.Operation) error {
	name, _ := find(d, "name")
	config := child(d, "config")
	if config == nil || len(config.Children) == 0 {
		return nil
	}
	df := diff{instance: &e.instance}
	wants, err := df.wants(config, e.view.config(name), o)
	if err != nil {
		return &netconf.RPCError{Message: err.Error()}
	}
	if len(wants) == 0 {
		return nil
	}
	if e.devices != nil && !e.devices[name] {
		return &netconf.RPCError{Message: fmt.Sprintf("The instance %s may not configure the device %q, or there is none of that name", e.instance.tag(), clip(name))}
	}
	for _, w := range wants {
		if w.Name.Space == Namespace || w.Name.Space == "" {
			return &netconf.RPCError{Message: fmt.Sprintf("<%s> in the config of the device %s has no namespace of its own", w.Name.Local, clip(name))}
		}
	}
	if e.size += df.size; e.size > maxOutput {
		return &netconf.RPCError{Type: "application", Tag: "too-big", Message: "The edits of the transaction are too large together"}
	}
	want := &tree.Node{Name: configName, Children: wants}
	if have := e.out[name]; have != nil {
		if want, err = tree.ApplyEdit(have, want, nil); err != nil {
			return &netconf.RPCError{Message: err.Error()}
		}
	}
	e.out[name] = want
	return nil
}

// checkTag says what is wrong with a creator tag, in the words that service code
// knows from clixon-controller. Its helpers write the key as service-name
// whatever it is.
func checkTag(i *Instance, tag string) error {
	service, rest, ok := strings.Cut(tag, "[")
	if !ok {
		return fmt.Errorf("Creator attribute, no instance: [] in %s", clip(tag))
	}
	key, rest, ok := strings.Cut(rest, "=")
	if !ok {
		return fmt.Errorf("Creator attribute, no instance = in %s", clip(tag))
	}
	value, ok := quotedValue(rest)
	if !ok {
		return fmt.Errorf("Creator attribute, no quote in %s", clip(tag))
	}
	if _, local, ok := strings.Cut(service, ":"); ok {
		service = local
	}
	if _, local, ok := strings.Cut(key, ":"); ok {
		key = local
	}
	switch {
	case service != i.Service:
		return fmt.Errorf("Invalid creator service name in %s", clip(tag))
	case strings.TrimSpace(key) != i.KeyLeaf && strings.TrimSpace(key) != "service-name":
		return fmt.Errorf("Creator tag: \"%s\": Invalid key: \"%s\", expected: \"%s\"", clip(tag), clip(key), i.KeyLeaf)
	case value != i.Key:
		return fmt.Errorf("Creator tag: \"%s\": Invalid instance: \"%s\", the transaction is for \"%s\"", clip(tag), clip(value), i.Key)
	}
	return nil
}

// quotedValue reads 'value'] or "value"].
func quotedValue(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if len(s) < 3 || s[0] != '\'' && s[0] != '"' || s[len(s)-1] != ']' {
		return "", false
	}
	s, ok := strings.CutSuffix(strings.TrimSpace(s[1:len(s)-1]), s[:1])
	return s, ok
}
