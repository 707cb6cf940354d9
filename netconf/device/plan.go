package device

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/aymanbagabas/go-udiff"

	"github.com/abide-agent/abide/netconf/tree"
)

// Plan gives what Apply of the changes would send to each device that it would
// send something to, ordered by name. Nothing is changed and nothing is locked.
// A device that can't be asked has an Err of its own; the error is a
// *[ConflictError], or that a device isn't known.
func (m *Manager) Plan(ctx context.Context, changes []Change) ([]DevicePlan, error) {
	jobs := m.jobs(changes)
	for _, j := range jobs {
		if j.err != nil {
			return nil, j.err
		}
	}
	outs := outputsOf(jobs)
	var mu sync.Mutex
	var plans []DevicePlan
	conflicts := &ConflictError{}
	var wg sync.WaitGroup
	for d, target := range m.targets(jobs) {
		wg.Go(func() {
			var p DevicePlan
			err := m.bounded(ctx, func(ctx context.Context) (err error) {
				p, err = d.preview(ctx, target, outs)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			if c, ok := err.(*ConflictError); ok {
				conflicts.Conflicts = append(conflicts.Conflicts, c.Conflicts...)
			} else if p.Err = err; err != nil || p.XML != nil {
				p.Device = d.name
				plans = append(plans, p)
			}
		})
	}
	wg.Wait()
	slices.SortFunc(plans, func(a, b DevicePlan) int { return cmpStrings(a.Device, b.Device) })
	if len(conflicts.Conflicts) > 0 {
		slices.SortFunc(conflicts.Conflicts, func(a, b Conflict) int { return cmpStrings(a.Device+a.Path, b.Device+b.Path) })
		return plans, conflicts
	}
	return plans, nil
}

func cmpStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// preview makes the plan of a push and takes it back.
func (d *device) preview(ctx context.Context, target map[string]string, outs []output) (out DevicePlan, err error) {
	if err := d.acquire(ctx); err != nil {
		return out, err
	}
	defer d.release()
	s, err := d.connect(ctx)
	if err != nil {
		return out, err
	}
	p := d.push(s, d.m.transaction(), target)
	p.outs = outs
	if err := p.read(ctx); err != nil {
		p.undo(ctx)
		return out, err
	}
	defer p.undo(ctx)
	if p.quiet() {
		return out, nil
	}
	out.XML, out.Changes = onTheWire(p.plan.Edit), p.plan.Changes
	after, err := tree.ApplyEdit(p.observed, p.plan.Edit, d.ledger.schema)
	if err != nil {
		return out, err
	}
	out.Diff = diffOf(d.name, p.observed, after)
	return out, nil
}

// onTheWire gives an edit as it stands in its request.
func onTheWire(edit *tree.Node) []byte {
	request := &tree.Node{Name: tree.Name{Space: tree.BaseSpace, Local: "edit-config"}, Children: []*tree.Node{edit}}
	text := request.AppendXML(nil)
	return text[bytes.Index(text, []byte("<config")) : len(text)-len("</edit-config>")]
}

// diffOf gives the unified diff of two configurations, "" for none.
func diffOf(name string, before, after *tree.Node) string {
	return udiff.Unified(name+" (is)", name+" (wanted)", text(before), text(after))
}

// text gives the top-level elements for people.
func text(n *tree.Node) string {
	var out string
	if n != nil {
		for _, c := range n.Children {
			out += c.Pretty()
		}
	}
	return out
}
