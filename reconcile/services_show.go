package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/abide-agent/abide/netconf/device"
)

// Render implements [Renderer]: what all changes of a plan together would send
// to each device. An instance whose code gives an error, or that is in conflict
// with another, stands in the place of its devices.
func (k *Services) Render(ctx context.Context, works []Work) (out []DevicePlan) {
	var changes []device.Change
	for i, g := range k.generate(ctx, works, true) {
		if g.err != nil {
			out = append(out, DevicePlan{Device: "of service " + works[i].Change.Name, Error: g.err.Error()})
			continue
		}
		changes = append(changes, g.change)
	}
	if len(changes) == 0 {
		return out
	}
	plans, err := k.planDevices(ctx, works, changes)
	for _, p := range plans {
		out = append(out, shownPlan(p))
	}
	if conflict, ok := errors.AsType[*device.ConflictError](err); ok {
		for _, c := range conflict.Conflicts {
			out = append(out, DevicePlan{Device: c.Device, Error: fmt.Sprintf("%s is %q for %s and %q for %s; change one of them",
				c.Path, maskValue(c.Path, c.Values[0]), c.Owners[0], maskValue(c.Path, c.Values[1]), c.Owners[1])})
		}
	} else if err != nil {
		out = append(out, DevicePlan{Device: "of these services", Error: err.Error()})
	}
	slices.SortStableFunc(out, func(a, b DevicePlan) int { return strings.Compare(a.Device, b.Device) })
	return out
}

// planDevices asks for a plan over the devices that there are now, or over those
// of the works' own revision where they are others.
func (k *Services) planDevices(ctx context.Context, works []Work, changes []device.Change) ([]device.DevicePlan, error) {
	now := map[string]device.Device{}
	for name, r := range k.agent.wanted(DeviceKind) {
		if d, ok := r.Spec.(device.Device); ok {
			now[name] = d
		}
	}
	same := true
	for _, w := range works {
		spec, ok := specOfService(w)
		if !ok {
			continue
		}
		for name, d := range spec.cat.devices {
			same = same && reflect.DeepEqual(plainDevice(now[name]), plainDevice(d))
			now[name] = d
		}
	}
	if same {
		return k.Devices.Plan(ctx, changes)
	}
	return k.Devices.Preview(ctx, slices.Collect(maps.Values(now)), changes)
}

func specOfService(w Work) (*serviceSpec, bool) {
	if w.Resource == nil {
		return nil, false
	}
	spec, ok := w.Resource.Spec.(*serviceSpec)
	return spec, ok
}

// shownPlan is the plan of a device as anybody may see it.
func shownPlan(p device.DevicePlan) DevicePlan {
	out := DevicePlan{Device: p.Device, Diff: maskXML(p.Diff), XML: maskXML(string(p.XML))}
	if p.Err != nil {
		out.Error = p.Err.Error()
	}
	for _, c := range p.Changes {
		out.Changes = append(out.Changes, PathChange{
			Path: c.Path, Operation: string(c.Op), Old: maskValue(c.Path, c.Old), New: maskValue(c.Path, c.New), Owners: c.Owners,
		})
	}
	return out
}

// Held says whether the configuration of an instance is to be left as it is found,
// because its source is held.
func (k *Services) Held(name string) bool { return k.agent.heldResource(ServiceKind + "/" + name) }

// DeviceStatus lists the devices, by name.
func (k *Services) DeviceStatus(context.Context) ([]DeviceStatus, error) {
	wanted := k.agent.wanted(DeviceKind)
	list := k.Devices.Devices()
	out := make([]DeviceStatus, 0, len(list))
	for _, d := range list {
		st := DeviceStatus{
			Name: d.Name, Address: d.Addr, Groups: d.Groups, Pending: d.Pending, Services: d.Holds,
			State: "unreachable", Sync: "in-sync", Since: d.Seen, Reason: d.Error,
		}
		if r := wanted[d.Name]; r != nil {
			st.Source, st.File = r.Source, r.File
		}
		switch {
		case d.Disabled:
			st.State, st.Reason = "disabled", ""
		case d.Connected:
			st.State, st.Since = "connected", d.Since
		case d.Error == "":
			st.State = "connecting"
		}
		for owner, why := range d.Refused {
			st.Refused = append(st.Refused, owner+": "+why)
		}
		slices.Sort(st.Refused)
		for _, f := range d.Drift {
			st.Drift = append(st.Drift, PathDrift{Path: f})
		}
		switch {
		case len(st.Refused) > 0:
			st.Sync = "refused"
		case d.Unsettled || len(d.Pending) > 0:
			st.Sync = "pending"
		case len(d.Drift) > 0:
			st.Sync = "drifted"
		}
		out = append(out, st)
	}
	return out, nil
}

// known gives an error that the API understands for a device that isn't there.
func known(err error) error {
	if errors.Is(err, device.ErrUnknown) {
		return fmt.Errorf("%w: %w; `abide devices` lists them", err, ErrNotFound)
	}
	if _, ok := errors.AsType[*device.UnreachableError](err); ok {
		return fmt.Errorf("%w: %w", err, ErrUnavailable)
	}
	return err
}

// DeviceConfig reads a device's configuration, with secrets masked.
func (k *Services) DeviceConfig(ctx context.Context, name string) (string, error) {
	config, err := k.Devices.Read(ctx, name, false)
	if err != nil || config == nil {
		return "", known(err)
	}
	return maskXML(config.Pretty()), nil
}

// DeviceDiff compares a device with what is wanted of it.
func (k *Services) DeviceDiff(ctx context.Context, name string) (DevicePlan, error) {
	d, err := k.Devices.Diff(ctx, name)
	if err != nil {
		return DevicePlan{}, known(err)
	}
	out := DevicePlan{Device: name, Diff: maskXML(d.Diff)}
	for _, f := range d.Drift {
		out.Changes = append(out.Changes, PathChange{
			Path: f.Path, Operation: string(f.Policy), Old: maskValue(f.Path, f.Have), New: maskValue(f.Path, f.Want), Owners: f.Owners,
		})
	}
	return out, nil
}

// SyncDevice has a device looked at, and put right, in the background.
func (k *Services) SyncDevice(_ context.Context, name, _ string) error {
	if !slices.ContainsFunc(k.Devices.Devices(), func(d device.Status) bool { return d.Name == name }) {
		return known(fmt.Errorf("%w: %q", device.ErrUnknown, name))
	}
	if !k.agent.Go(func(ctx context.Context) { _ = k.Devices.Sync(ctx, name) }) { // the manager tells what comes of it
		return fmt.Errorf("the agent is stopping: %w", ErrUnavailable)
	}
	return nil
}

// ServiceStatus lists the instances, by name.
func (k *Services) ServiceStatus(ctx context.Context) ([]ServiceStatus, error) {
	all, err := k.agent.Resources(ctx)
	if err != nil {
		return nil, err
	}
	wanted := k.agent.wanted(ServiceKind)
	var out []ServiceStatus
	for _, r := range all {
		if r.Kind != ServiceKind {
			continue
		}
		st := ServiceStatus{ResourceStatus: r, Code: "none"}
		st.Service, st.Key, _ = strings.Cut(strings.TrimSuffix(r.Name, "]"), "[")
		if w := wanted[r.Name]; w != nil {
			if spec, ok := w.Spec.(*serviceSpec); ok {
				st.Code = cmp.Or(spec.file, "handler")
			}
		}
		on := k.Devices.State(r.Name)
		st.Devices, st.Pending = on.Devices, on.Pending
		out = append(out, st)
	}
	return out, nil
}

// OneService gives an instance with its text.
func (k *Services) OneService(ctx context.Context, name string) (ServiceStatus, error) {
	list, err := k.ServiceStatus(ctx)
	if err != nil {
		return ServiceStatus{}, err
	}
	i := slices.IndexFunc(list, func(s ServiceStatus) bool { return s.Name == name })
	if i < 0 {
		return ServiceStatus{}, fmt.Errorf("no service instance is called %q: %w; `abide services` lists them", name, ErrNotFound)
	}
	if r := k.agent.wanted(ServiceKind)[name]; r != nil {
		list[i].Text = maskXML(string(r.Text))
	}
	return list[i], nil
}

// Blame says who wants what stands at a path and below it; without a device, on
// all of them.
func (k *Services) Blame(_ context.Context, name, path string) (out []Blame, err error) {
	for _, d := range k.Devices.Devices() {
		if name != "" && d.Name != name {
			continue
		}
		owned, err := k.Devices.Owners(d.Name, cmp.Or(path, "/"))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", err, ErrInvalid)
		}
		for _, o := range owned {
			out = append(out, Blame{Device: d.Name, Path: o.Path, Value: maskValue(o.Path, o.Value), Owners: o.Owners})
		}
	}
	if name != "" && out == nil && !slices.ContainsFunc(k.Devices.Devices(), func(d device.Status) bool { return d.Name == name }) {
		return nil, known(fmt.Errorf("%w: %q", device.ErrUnknown, name))
	}
	return out, nil
}
