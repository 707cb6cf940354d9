package systemd

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/abide-agent/abide/units"
)

// step is one target on its way.
type step struct {
	target units.Target
	before unit // what was known of it
	owned  bool // abide had placed it before

	writes  []file
	takes   []string // drop-ins that go
	unmask  bool
	wrote   bool // what stood there is not what is wanted
	content bool // what runs has to be restarted for what was placed
	relink  bool // its [Install] is another now
	mark    mark // the new mark, if there is one

	verb   verb
	gates  []*step // that must have ended before this one begins
	needed []*step // without which it must not run
	sent   *sent
	done   chan struct{}
	did    []string
	err    error

	linkErr error // its links could not be made; it is started all the same
}

func (s *step) note(did string) { s.did = append(s.did, did) }

// removes says whether the unit is to go.
func (s *step) removes() bool { return s.target.Remove || s.target.Want == units.Inactive }

// want is the state that the unit is to be in; a template is never started.
func (s *step) want() units.State {
	if units.IsTemplate(s.target.Name) && s.target.Want == units.Launched {
		return units.Loaded
	}
	return s.target.Want
}

// batch is one call of Converge.
type batch struct {
	engine *Engine
	bus    *bus
	steps  []*step
	group  sync.WaitGroup
	broom  *broom
	pace   *pace

	mu     sync.Mutex
	report func(units.Target, units.Result)
}

// Converge implements [units.Engine]. wait counts from when the files are placed
// and systemd has read them, which is not the unit's to hold up, and anew from
// when a unit of the batch came to its end; zero or less means a minute.
func (e *Engine) Converge(ctx context.Context, targets []units.Target, wait time.Duration, report func(units.Target, units.Result)) {
	if len(targets) == 0 {
		return
	}
	if wait <= 0 {
		wait = time.Minute
	}
	b := &batch{engine: e, report: report}
	for _, t := range targets {
		if t.Digest == "" && !t.Remove {
			t.Digest = units.Content(t.Text, t.DropIns)
		}
		b.steps = append(b.steps, &step{target: t, done: make(chan struct{})})
	}
	var err error
	if b.bus, err = e.link.get(ctx); err == nil {
		err = e.lockPlacing(ctx)
	}
	if err != nil {
		for _, s := range b.steps {
			s.err = err
			b.tell(s)
		}
		return
	}
	b.prepare(ctx)
	<-e.placing
	ctx, pace, stop := newPace(ctx, wait, len(b.steps))
	defer stop()
	b.pace = pace
	b.run(ctx)
}

// lockPlacing lets one batch at a time place files.
func (e *Engine) lockPlacing(ctx context.Context) error {
	select {
	case e.placing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-e.ctx.Done():
		return errClosed
	}
}

// prepare places all files and makes systemd read them.
func (b *batch) prepare(ctx context.Context) {
	var place []*step
	for _, s := range b.steps {
		if s.removes() {
			s.before, s.owned = b.engine.memory.get(s.target.Name)
			continue
		}
		place = append(place, s)
	}
	b.engine.place(place)
	b.unmask(ctx, place)
	b.reload(ctx, place)
	b.link(ctx, place)
}

// reload makes systemd read the unit files again, once, if it has in memory what
// is no longer so. It finds new names by itself.
func (b *batch) reload(ctx context.Context, steps []*step) {
	var ask []*step
	for _, s := range steps {
		if s.err == nil && (s.wrote || s.before.run.outdated) && !units.IsTemplate(s.target.Name) {
			ask = append(ask, s)
		}
	}
	stale, err := b.stale(ctx, ask)
	if err == nil && len(stale) > 0 {
		ask = stale
		if err = b.bus.reload(ctx); err == nil && slices.ContainsFunc(stale, func(s *step) bool { return !s.owned }) {
			err = b.engine.sweep(ctx, b.bus) // the name was somebody else's: what of it runs?
		}
	}
	if err != nil {
		for _, s := range ask {
			s.err = fmt.Errorf("systemd could not read the new files: %w", sentence(err))
		}
	}
}

// many is the number of units from which on one list costs systemd less than a
// question for each.
const many = 16

// stale gives the steps whose unit systemd has in memory. One that it looked
// for and did not find it looks for again.
func (b *batch) stale(ctx context.Context, steps []*step) ([]*step, error) {
	if len(steps) == 0 {
		return nil, nil
	}
	held := map[string]string{}
	if len(steps) > many {
		rows, err := b.bus.list(ctx)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			held[row.Name] = row.Load
		}
	} else {
		for _, s := range steps {
			load, err := b.bus.loadState(ctx, s.target.Name)
			if err != nil {
				return nil, err
			}
			held[s.target.Name] = load
		}
	}
	return slices.DeleteFunc(slices.Clone(steps), func(s *step) bool {
		load := held[s.target.Name]
		return load == "" || load == "not-found"
	}), nil
}

// run stops and starts everything, each in its turn, and returns when all is
// reported.
func (b *batch) run(ctx context.Context) {
	order, idle := b.steps, true
	for _, s := range b.steps {
		s.verb = b.engine.decide(s)
		idle = idle && s.verb == none
	}
	if !idle {
		order = b.arrange()
	}
	b.broom = newBroom(b)
	b.group.Go(func() { b.broom.run(ctx) })
	for _, s := range slices.Backward(order) {
		if s.verb == stop {
			b.begin(ctx, s)
		}
	}
	for _, s := range order {
		switch {
		case s.verb == stop:
		case len(s.gates) > 0:
			b.group.Go(func() {
				if s.err = s.pass(ctx); s.err != nil {
					s.verb = none
				}
				b.begin(ctx, s)
			})
		default:
			b.begin(ctx, s)
		}
	}
	b.group.Wait()
}

// arrange orders the steps, and holds those back that come after a unit with a
// probe: of probes systemd knows nothing.
func (b *batch) arrange() []*step {
	names := make([]string, len(b.steps))
	deps := make([]units.Deps, len(b.steps))
	for i, s := range b.steps {
		names[i] = s.target.Name
		deps[i] = units.DepsOf(s.target.Name, b.optionsOf(s))
	}
	p := orderBatch(names, deps)
	order := make([]*step, len(p.order))
	seen := make([]bool, len(p.order))
	for k, i := range p.order {
		s := b.steps[i]
		order[k] = s
		for _, j := range p.after[i] {
			if before := b.steps[j]; seen[j] && before.gating() {
				s.gates = append(s.gates, before)
			}
		}
		for _, j := range p.needed[i] {
			if before := b.steps[j]; seen[j] && before.gating() {
				s.needed = append(s.needed, before)
				s.gates = append(s.gates, before)
			}
		}
		seen[i] = true
	}
	return order
}

// optionsOf gives what is to be in force, or for a unit that goes, what is.
func (b *batch) optionsOf(s *step) []units.Option {
	if !s.removes() {
		return units.Effective(s.target.Text, s.target.DropIns)
	}
	text, ins := b.engine.standing(s.before.mark)
	return units.Effective(text, ins)
}

func (s *step) gating() bool {
	return !s.removes() && s.want() == units.Launched && (s.target.Probe != nil || len(s.gates) > 0)
}

// pass waits for those before.
func (s *step) pass(ctx context.Context) error {
	for _, g := range s.gates {
		select {
		case <-g.done:
		case <-ctx.Done():
			return fmt.Errorf("%s was not started yet, it waits for %s: %w", s.target.Name, g.target.Name, context.Cause(ctx))
		}
	}
	for _, n := range s.needed {
		if n.err != nil {
			return fmt.Errorf("%s was not started: it requires %s, which is not well; see what is wrong with that one first", s.target.Name, n.target.Name)
		}
	}
	return s.err
}

// begin sends what is to be done with a unit and sees to its end.
func (b *batch) begin(ctx context.Context, s *step) {
	if s.err == nil && s.verb != none {
		s.sent = b.engine.send(ctx, b.bus, s.verb, s.target.Name)
	}
	b.group.Go(func() { b.finish(ctx, s) })
}

// finish takes a unit to its end and reports it, or hands it to the broom.
func (b *batch) finish(ctx context.Context, s *step) {
	if s.err == nil {
		s.err = b.engine.carry(ctx, s)
	}
	if s.err == nil && s.removes() {
		b.broom.add(s) // reports it
		return
	}
	b.tell(s)
}

// tell reports one target.
func (b *batch) tell(s *step) {
	u, _ := b.engine.memory.get(s.target.Name)
	r := units.Result{Err: s.err, Did: s.did}
	if u.mark.Name != "" {
		r.Status = u.status()
	} else {
		r.Status = units.Status{Name: s.target.Name, Missing: true, Load: "not-found", Active: "inactive", Sub: "dead"}
	}
	if failed(s.err) {
		r.Log = b.engine.lastLines(s.target.Name)
	}
	close(s.done)
	b.pace.moved()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broom != nil && s.removes() {
		b.broom.forget()
	}
	b.report(s.target, r)
}
