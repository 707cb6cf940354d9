package reconcile

import (
	"context"
	"maps"
	"reflect"

	"github.com/abide-agent/abide/units"
)

// pin puts what is known of all units on the board, where the API reads it
// without asking anybody. Only what changed is written: a quiet machine wakes
// no reader.
func (k *Units) pin(ctx context.Context, o outlook, states map[string]units.Status, err error) {
	if k.Board == nil {
		return
	}
	if err != nil || k.Board.Down() != nil {
		k.Board.SetDown(err)
	}
	if err != nil {
		return
	}
	k.declare(ctx, o)
	now := make(map[string]units.Live, len(states))
	for name, st := range states {
		now[name] = units.Live{Status: st}
	}
	for name, r := range o.wanted {
		_, there := states[name]
		now[name] = k.live(r, o.last[name], now[name], there)
	}
	for name, w := range o.withheld {
		now[name] = withhold(w, now[name])
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, l := range now {
		if !reflect.DeepEqual(k.pinned[name], l) {
			k.Board.Set(name, l)
		}
	}
	for name := range k.pinned {
		if _, there := now[name]; !there {
			k.Board.Drop(name)
		}
	}
	k.pinned = now
}

// declare says what is to be read of the units that the registry doesn't hold.
func (k *Units) declare(ctx context.Context, o outlook) {
	now := map[string]*Resource{}
	note := func(r *Resource) {
		if r.Source != units.RegistrySource {
			now[r.Name] = r
		}
	}
	for _, r := range o.wanted {
		note(r)
	}
	for _, w := range o.withheld {
		note(w.resource)
	}
	for _, r := range k.remembered(ctx, o.unread) {
		note(r)
	}
	k.mu.Lock()
	same := maps.Equal(k.declared, now) // a source that is read anew gives new ones
	k.declared = now
	k.mu.Unlock()
	if same {
		return
	}
	var list []units.Declared
	for _, r := range now {
		if spec, ok := r.Spec.(*unitSpec); ok {
			list = append(list, units.Declared{
				Name: r.Name, Desired: spec.want, Source: r.Source, File: r.File, Options: spec.shown,
			})
		}
	}
	k.Board.Declare(list)
}

// remembered gives the units of sources that were not read yet as they were last
// applied: a caller of the API must not find them gone, nor free to be created,
// because the agent has just begun.
func (k *Units) remembered(ctx context.Context, unread []Record) []*Resource {
	k.mu.Lock()
	kept := k.kept
	k.mu.Unlock()
	now := make(map[string]*Resource, len(unread))
	var out []*Resource
	for _, rec := range unread {
		r := kept[rec.Name]
		if r == nil {
			r = &Resource{Kind: rec.Kind, Name: rec.Name, Source: rec.Source, File: rec.File}
			text, _ := unbundle(k.agent.applied(ctx, Change{Kind: rec.Kind, Name: rec.Name}))
			_, want := unwish(rec.Last.Digest)
			r.Spec = &unitSpec{want: want, shown: units.Effective(text, nil)}
		}
		now[rec.Name] = r
		out = append(out, r)
	}
	k.mu.Lock()
	k.kept = now // never changed once it is there
	k.mu.Unlock()
	return out
}

// live completes what an engine says of a wanted unit; there says whether it says
// anything.
func (k *Units) live(r *Resource, last *Last, l units.Live, there bool) units.Live {
	l.Status.Name = r.Name
	spec, ok := r.Spec.(*unitSpec)
	if !ok {
		return l
	}
	l.Busy, l.Ignored = last == nil || last.Digest != r.Digest, spec.ignored
	if have, why := observed(r.Name, r.Digest, l.Status); there && have != r.Digest && !l.Busy && !moving(l.Status) {
		l.Drift = why
		if k.givenUp(r.Name, why) {
			l.Health, _ = l.Status.Health(spec.want)
			l.Reason = k.Note(r.Name)
		}
	}
	return l
}

// withhold says of a unit why nothing is done about it.
func withhold(w withheld, l units.Live) units.Live {
	spec, ok := w.resource.Spec.(*unitSpec)
	if ok && w.how == isFailed && (moving(l.Status) || spec.unit.Abide.Probe == nil && l.Status.State() == spec.want) {
		return l // somebody is at it, or it is well by itself
	}
	words := map[withholding]string{
		isRefused: units.HealthRefused, isBroken: units.HealthBroken, isWaiting: units.HealthWaiting,
		isRolledBack: units.HealthRolledBack, isFailed: units.HealthFailed,
	}
	l.Status.Name, l.Busy = w.resource.Name, false
	l.Health, l.Reason = words[w.how], w.why
	if ok && w.how == isBroken && spec.unsupported {
		l.Health = units.HealthNotSupported
	}
	return l
}
