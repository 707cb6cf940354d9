package reconcile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/abide-agent/abide/netconf/device"
	"github.com/abide-agent/abide/netconf/service"
	"github.com/abide-agent/abide/netconf/tree"
)

// run gives what an instance wants of the devices. Code that made it for the
// same instance and the same devices is run again only where fresh asks for it.
func (k *Services) run(ctx context.Context, r *Resource, dry, fresh bool) (out service.Output, err error) {
	spec := r.Spec.(*serviceSpec)
	devices := k.visible(spec)
	digest := k.inputs(r, spec, devices)
	k.mu.Lock()
	kept, known := k.made[r.Name]
	k.mu.Unlock()
	if known && kept.digest == digest && !fresh {
		return kept.output, nil
	}
	request := k.request(r.Name, spec, devices, dry)
	if spec.template == nil && k.Handlers != nil && !dry {
		out, err = k.ask(ctx, digest, request)
	} else {
		ctx, cancel := context.WithTimeout(ctx, k.Timeout)
		defer cancel()
		out, err = safely(ctx, k.code(spec), request)
	}
	if err != nil {
		return nil, err
	}
	for name := range out {
		if !slices.ContainsFunc(devices, func(d service.Device) bool { return d.Name == name }) {
			return nil, fmt.Errorf("the code of %s configures device %q, which is not in the inventory of source %s; add it there, or grant it with policy.devices", r.Name, name, r.Source)
		}
	}
	if !dry {
		k.mu.Lock()
		k.made[r.Name] = made{digest, out}
		k.mu.Unlock()
	}
	return out, nil
}

// inputs identifies all that an instance's code makes its output of. The
// resource's digest has the devices of its own source in it already.
func (k *Services) inputs(r *Resource, spec *serviceSpec, devices []service.Device) string {
	if len(spec.policy.Devices) == 0 {
		return r.Digest
	}
	return r.Digest + " " + visibleDigest(devices)
}

// noCode is the code of a service that has none.
type noCode struct{}

func (noCode) Run(_ context.Context, r service.Request) (service.Output, error) {
	return nil, fmt.Errorf("service %s has no template, and only a daemon can ask a handler; add services/%s.tmpl to the source, or ask the daemon for its plan", r.Instance.Service, r.Instance.Service)
}

func (k *Services) code(spec *serviceSpec) service.Code {
	switch {
	case spec.template != nil:
		return spec.template
	case k.Handlers == nil:
		return noCode{}
	}
	return k.Handlers
}

// isTemplateError says whether a template is at fault, which says the same every time.
func isTemplateError(err error) bool {
	_, ok := errors.AsType[*service.TemplateError](err)
	return ok
}

// request says to the code of an instance what it may know.
func (k *Services) request(name string, spec *serviceSpec, devices []service.Device, dry bool) service.Request {
	return service.Request{
		Instance: spec.instance, Devices: devices, DryRun: dry, Schema: spec.cat.models.Of(spec.instance.Service, spec.instance.Namespace),
		Made: len(k.Devices.State(name).Devices) > 0, All: k.all,
		Config: func(device string) *tree.Node { return k.Devices.Others(device, name) },
	}
}

// tellGone lets the handler of an instance know that it is gone. What it made is
// removed whatever it says.
func (k *Services) tellGone(ctx context.Context, w Work, dry bool) {
	i, ok := formerInstance(w)
	if !ok || dry || k.Handlers == nil || k.cat.get(w.Change.Source).templates[i.Service] != nil {
		return
	}
	spec := &serviceSpec{instance: i, cat: k.cat.get(w.Change.Source)}
	r := k.request(w.Change.Name, spec, k.visible(spec), false)
	r.Deleted = true
	_, _ = k.ask(ctx, "gone", r) // it warns by itself
}

// formerInstance gives an instance as it was when it was applied.
func formerInstance(w Work) (service.Instance, bool) {
	name, key, ok := strings.Cut(strings.TrimSuffix(w.Change.Name, "]"), "[")
	n, err := tree.Parse(bytes.NewReader(w.Applied), tree.Limits{})
	if !ok || err != nil || len(n.Children) == 0 {
		return service.Instance{}, false
	}
	return service.Instance{Service: name, Namespace: n.Name.Space, KeyLeaf: n.Children[0].Name.Local, Key: key, Config: n}, true
}

// servicesName is the element that holds the instances.
var servicesName = tree.Name{Space: service.Namespace, Local: "services"}

// all gives every instance that is wanted, as one <services>.
func (k *Services) all() *tree.Node {
	root := &tree.Node{Name: servicesName}
	wanted := k.agent.wanted(ServiceKind)
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if spec, ok := wanted[name].Spec.(*serviceSpec); ok {
			root.Children = append(root.Children, spec.instance.Config)
		}
	}
	return root
}

// visible lists the devices that an instance may configure: those of its own
// source, and those of others that its source's policy grants.
func (k *Services) visible(spec *serviceSpec) (out []service.Device) {
	for _, d := range spec.cat.devices {
		if d.Faults.Err() == nil && !d.Disabled {
			out = append(out, seenByCode(d))
		}
	}
	if len(spec.policy.Devices) > 0 {
		for name, r := range k.agent.wanted(DeviceKind) {
			d, ok := r.Spec.(device.Device)
			if _, own := spec.cat.devices[name]; ok && !own && !d.Disabled && !r.Broken() && spec.policy.Device(name) {
				out = append(out, seenByCode(d))
			}
		}
	}
	slices.SortFunc(out, func(a, b service.Device) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func seenByCode(d device.Device) service.Device {
	return service.Device{Name: d.Name, Addr: d.Addr, Groups: d.Groups, Vars: d.Vars}
}

// View gives what sessions of the service API read that have had no run yet.
func (k *Services) View() service.View {
	v := service.View{Services: k.all(), Config: func(name string) *tree.Node { return k.Devices.Others(name, "") }}
	for _, r := range k.agent.wanted(DeviceKind) {
		if d, ok := r.Spec.(device.Device); ok && !r.Broken() {
			v.Devices = append(v.Devices, seenByCode(d))
		}
	}
	slices.SortFunc(v.Devices, func(a, b service.Device) int { return strings.Compare(a.Name, b.Name) })
	return v
}
