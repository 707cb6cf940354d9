package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/abide-agent/abide/netconf/device"
	"github.com/abide-agent/abide/netconf/tree"
)

// devicesFake is a manager that remembers what it was asked for.
type devicesFake struct {
	mu      sync.Mutex
	names   []string
	applied []string // "owner@device=leaf,leaf" of each Apply
	answer  func(device.Change) device.Result
	clash   bool // changes that want different things of one device are in conflict
	modes   []device.Mode
	of      map[string]string // what was applied was made of, by owner
}

func (f *devicesFake) Inventory(list []device.Device) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.names = nil
	for _, d := range list {
		f.names = append(f.names, d.Name)
	}
}

func (f *devicesFake) Plan(_ context.Context, changes []device.Change) (out []device.DevicePlan, err error) {
	if err := f.conflict(changes); err != nil {
		return nil, err
	}
	by := map[string]string{}
	for _, c := range changes {
		for name, n := range c.Outputs {
			by[name] += string(n.AppendXML(nil))
		}
		if c.Outputs == nil {
			by["gone"] += c.Owner
		}
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		out = append(out, device.DevicePlan{Device: name, XML: []byte(by[name]), Diff: "+" + by[name]})
	}
	return out, nil
}

func (f *devicesFake) Preview(ctx context.Context, list []device.Device, changes []device.Change) ([]device.DevicePlan, error) {
	out, err := f.Plan(ctx, changes)
	for i := range out {
		out[i].Device += fmt.Sprintf(" of %d", len(list))
	}
	return out, err
}

func (f *devicesFake) Apply(_ context.Context, changes []device.Change, o device.Options) map[string]device.Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]device.Result{}
	if err := f.conflict(changes); err != nil {
		for _, c := range changes {
			out[c.Owner] = device.Result{Err: err}
		}
		return out
	}
	var all []string
	for _, c := range changes {
		all = append(all, told(c))
		out[c.Owner] = device.Result{}
		if f.answer != nil {
			out[c.Owner] = f.answer(c)
		}
		if out[c.Owner].Err == nil {
			f.of[c.Owner] = o.Of[c.Owner]
		}
	}
	slices.Sort(all)
	f.modes = append(f.modes, o.Mode)
	f.applied = append(f.applied, strings.Join(all, " "))
	return out
}

func (f *devicesFake) conflict(changes []device.Change) error {
	for i, a := range changes {
		for _, b := range changes[:i] {
			_, one, _ := strings.Cut(told(a), "@")
			_, two, _ := strings.Cut(told(b), "@")
			if f.clash && one != two {
				return &device.ConflictError{Conflicts: []device.Conflict{{Device: "d1", Path: "/motd", Owners: [2]string{a.Owner, b.Owner}, Values: [2]string{one, two}}}}
			}
		}
	}
	return nil
}

func told(c device.Change) string {
	if c.Outputs == nil {
		return c.Owner + "-"
	}
	var on []string
	for name, n := range c.Outputs {
		var values []string
		for _, leaf := range n.Children {
			values = append(values, leaf.Value)
		}
		on = append(on, name+"="+strings.Join(values, ","))
	}
	slices.Sort(on)
	return c.Owner + "@" + strings.Join(on, "@")
}

func (f *devicesFake) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.applied
	f.applied = nil
	return out
}

func (f *devicesFake) State(string) device.State                   { return device.State{} }
func (f *devicesFake) Devices() []device.Status                    { return nil }
func (f *devicesFake) Others(string, string) *tree.Node            { return nil }
func (f *devicesFake) Owners(string, string) ([]tree.Owned, error) { return nil, nil }
func (f *devicesFake) Read(context.Context, string, bool) (*tree.Node, error) {
	return nil, errors.New("none")
}

func (f *devicesFake) Diff(context.Context, string) (device.Difference, error) {
	return device.Difference{}, nil
}
func (f *devicesFake) Sync(context.Context, string) error { return nil }
