package systemd

import (
	"context"
	"fmt"
	"slices"

	"github.com/abide-agent/abide/units"
)

// unmask takes away masks that stand in another directory than the unit's.
func (b *batch) unmask(ctx context.Context, steps []*step) {
	for _, s := range steps {
		dir := b.engine.maskedElsewhere(s.target.Name)
		if s.err != nil || dir == "" {
			continue
		}
		if _, err := b.bus.call(ctx, managerPath, manager+"UnmaskUnitFiles", []string{s.target.Name}, dir == "/run/systemd/system"); err != nil {
			s.err = fmt.Errorf("%s is masked in %s and could not be unmasked: %w", s.target.Name, dir, sentence(err))
			continue
		}
		s.wrote = true // so that systemd reads it again
		u, _ := b.engine.memory.get(s.target.Name)
		now := b.engine.look(u.mark, u.disk, true)
		b.engine.memory.update(s.target.Name, func(u *unit) { u.disk, u.run.load = now, "" })
		if !slices.Contains(s.did, "unmasked") {
			s.note("unmasked")
		}
	}
}

// link makes the links that [Install] asks for, and takes away those that it no
// longer does. Only what is to run gets any: systemd starts it at boot. Where
// that fails the unit is started all the same, and the error says so.
func (b *batch) link(ctx context.Context, steps []*step) {
	var enable, disable []*step
	for _, s := range steps {
		u, ours := b.engine.memory.get(s.target.Name)
		if s.err != nil || !ours || units.IsTemplate(s.target.Name) {
			continue
		}
		wants := s.want() == units.Launched && u.disk.installs
		if u.disk.enabled && (s.relink || !wants && u.disk.installs) {
			disable = append(disable, s)
		}
		if wants && (!u.disk.enabled || s.relink) {
			enable = append(enable, s)
		}
	}
	if len(enable)+len(disable) == 0 {
		return
	}
	b.eachOrAll(disable, "disabled", func(names []string) error {
		_, err := b.bus.call(ctx, managerPath, manager+"DisableUnitFiles", names, b.engine.opts.Runtime)
		return err
	})
	b.eachOrAll(enable, "enabled", func(names []string) error {
		// Without force: a link of somebody else is not ours to replace.
		_, err := b.bus.call(ctx, managerPath, manager+"EnableUnitFiles", names, b.engine.opts.Runtime, false)
		return err
	})
	b.engine.files.lookLinks()
}

// eachOrAll makes one call for all, and one for each where that fails, so that
// one bad [Install] is the fault of its own unit only.
func (b *batch) eachOrAll(steps []*step, did string, call func(names []string) error) {
	if len(steps) == 0 {
		return
	}
	var names []string
	for _, s := range steps {
		names = append(names, s.target.Name)
	}
	err := call(names)
	for _, s := range steps {
		if err != nil {
			if one := call([]string{s.target.Name}); one != nil {
				s.linkErr = fmt.Errorf("%s can't be %s: %w; look at its [Install]", s.target.Name, did, sentence(one))
				continue
			}
		}
		if !(did == "disabled" && s.relink) {
			s.note(did)
		}
	}
}
