package reconcile

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/aymanbagabas/go-udiff"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/netconf/device"
	"github.com/abide-agent/abide/sources"
)

// Devices is the [Kind] of the inventory. A device that is wanted is one that the
// manager looks after: nothing has to be done to it for that, so a change is at
// once as good as made.
type Devices struct {
	manager DeviceManager
	agent   *Agent
	cat     *catalogues

	mu    sync.Mutex
	known map[string]device.Device // as the manager was last told
	told  string                   // the digest of that
}

var (
	_ Kind     = (*Devices)(nil)
	_ Splitter = (*Devices)(nil)
	_ Gatherer = (*Devices)(nil)
)

// Attach gives the kind the agent that knows what is wanted.
func (k *Devices) Attach(a *Agent) { k.agent = a }

// parsedDevices is what Parse keeps of a document.
type parsedDevices struct {
	inventory device.Inventory
	faults    problem.List // of the document and its groups and profiles
}

// Name implements [Kind].
func (k *Devices) Name() string { return DeviceKind }

// Wants implements [Kind]: the same files as those of the services.
func (k *Devices) Wants(name string) bool { return (*Services)(nil).Wants(name) }

// Claims implements [Kind].
func (k *Devices) Claims(file File) (bool, string) { return claimsRoot(file.Data, "devices") }

// Parse implements [Kind].
func (k *Devices) Parse(file File) any {
	inv, faults := device.ParseInventory(file.Path, file.Data)
	own := map[string]bool{}
	for _, d := range inv.Devices {
		for _, f := range d.Faults {
			own[f.String()] = true
		}
	}
	faults = slices.DeleteFunc(faults, func(p problem.Problem) bool { return own[p.String()] })
	return parsedDevices{inv, faults}
}

// Split implements [Splitter].
func (k *Devices) Split(_ File, parsed any) (names []string, faults problem.List) {
	p := parsed.(parsedDevices)
	for _, d := range p.inventory.Devices {
		if !slices.Contains(names, d.Name) {
			names = append(names, d.Name)
		}
	}
	return names, p.faults
}

// Gather implements [Gatherer]: groups and profiles may stand in other documents.
func (k *Devices) Gather(snap *sources.Snapshot, _ []string, mine []Parsed) problem.List {
	var docs []device.Inventory
	for _, m := range mine {
		docs = append(docs, m.Parsed.(parsedDevices).inventory)
	}
	return k.cat.putDevices(snap.Source, docs)
}

// Load implements [Kind].
func (k *Devices) Load(snap *sources.Snapshot, file File, _ any, _ Policy) Resource {
	d := k.cat.get(snap.Source).devices[file.As]
	faults := d.Faults
	text, err := json.MarshalIndent(plainDevice(d), "", "  ")
	if err != nil {
		panic(err) // our own types always encode
	}
	text = append(text, '\n')
	return Resource{Kind: DeviceKind, Name: file.As, Text: text, Digest: textDigest(text), Spec: d, Problems: faults}
}

// plainDevice is a device without the place where it stands, which is no part of
// what is wanted.
func plainDevice(d device.Device) device.Device {
	d.Place = device.Place{}
	return d
}

// Observe implements [Kind]: it tells the manager which devices there are.
func (k *Devices) Observe(context.Context) (Observed, error) {
	wanted := k.agent.wanted(DeviceKind)
	k.mu.Lock()
	defer k.mu.Unlock()
	next := make(map[string]device.Device, len(wanted))
	var list []device.Device
	var digests []string
	for name, r := range wanted {
		d, ok := r.Spec.(device.Device)
		if !ok || r.Broken() {
			d, ok = k.known[name] // what it was before it broke stays in force
		}
		if !ok {
			continue
		}
		next[name] = d
		list = append(list, d)
		digests = append(digests, name+" "+r.Digest)
	}
	slices.Sort(digests)
	if told := strings.Join(digests, "\n"); told != k.told {
		slices.SortFunc(list, func(a, b device.Device) int { return strings.Compare(a.Name, b.Name) })
		k.manager.Inventory(list)
		k.known, k.told = next, told
	}
	return nil, nil
}

// Describe implements [Kind].
func (k *Devices) Describe(c *Change, want *Resource, applied []byte) {
	switch {
	case want == nil:
		c.Details = append(c.Details, "it is no longer looked after; its configuration stays as it is")
	case len(applied) > 0:
		c.Diff = udiff.Unified("a/"+want.Name, "b/"+want.Name, string(applied), string(want.Text))
	}
}

// Lane implements [Kind].
func (k *Devices) Lane(Change) string { return "devices" }

// Apply implements [Kind]: the manager knows already.
func (k *Devices) Apply(_ context.Context, batch []Work, report func(Work, Outcome)) {
	for _, w := range batch {
		report(w, Outcome{Last: Last{Digest: w.Change.Digest, Revision: w.Change.Revision, When: k.agent.Now(), Result: Succeeded}})
	}
}
