package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

// sending is a family whose changes go to one device each.
type sending struct{ *fakeKind }

func (k sending) Render(_ context.Context, works []Work) (out []DevicePlan) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, w := range works {
		out = append(out, DevicePlan{Device: "of-" + w.Change.Name, XML: "<" + k.have["device"] + ">"})
	}
	return out
}

// planned is a world with all three families, whose first state is applied.
type planned struct {
	*world
	repo          *repo
	files         map[string]string
	unit, service *fakeKind
}

func newPlanned(t *testing.T) *planned {
	files := map[string]string{
		"a.yaml": pipeline("a", "true"), "b.yaml": pipeline("b", "true", "after: a"),
		"units/u": "one", "units/w": "one", "services/s": "one",
	}
	p := &planned{repo: newRepo("r", files), files: files}
	p.world = newWorld(t, p.repo)
	p.unit, p.service = &fakeKind{name: "unit", have: Observed{}}, &fakeKind{name: "service", have: Observed{}}
	if well, err := p.life().Once(t.Context()); !well || err != nil {
		t.Fatal(well, err)
	}
	p.did()
	return p
}

func (p *planned) life() *life {
	settle() // so that no two lives give the same ids
	return p.wake(func(c *Config) { c.Kinds = []Kind{p.unit, sending{p.service}} })
}

// did gives what was done since the last call.
func (p *planned) did() string {
	out := slices.Concat(p.unit.take(), p.service.take())
	for _, name := range p.engine.take() {
		out = append(out, "run pipeline/"+name)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// save gives the plan as it comes back from a file.
func (p *planned) save(t *testing.T) (saved Plan) {
	t.Helper()
	plan, err := p.life().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(plan)
	if err == nil {
		err = json.Unmarshal(text, &saved)
	}
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

func (p *planned) commit(files map[string]string) {
	for name, text := range files {
		if p.files[name] = text; text == "" {
			delete(p.files, name)
		}
	}
	p.repo.set(p.files)
}

var second = map[string]string{
	"a.yaml": pipeline("a", "echo"), "b.yaml": pipeline("b", "echo", "after: a"), "units/u": "two", "units/w": "", "services/s": "two",
}

func TestASavedPlanIsAppliedExactly(t *testing.T) {
	in(t, func(t *testing.T) {
		p := newPlanned(t)
		p.commit(second)
		saved := p.save(t)
		l := p.life()
		if err := l.Accept(t.Context(), saved); err != nil {
			t.Fatal(err)
		}
		if well, err := l.Once(t.Context()); !well || err != nil {
			t.Error(well, err)
		}
		if did := p.did(); did != "remove unit/w, run pipeline/a, run pipeline/b, run service/s, run unit/u" {
			t.Errorf("did %s", did)
		}
		err := p.life().Accept(t.Context(), saved) // it is done, and so not to do
		if !errors.Is(err, ErrMoved) || !strings.Contains(err.Error(), "unit/u was to run, and is none now") {
			t.Error(err)
		}
		if empty := p.save(t); empty.Pending() != 0 || p.life().Accept(t.Context(), empty) != nil {
			t.Errorf("a plan with nothing to do: %+v", empty.Changes)
		}
	})
}

// TestASavedPlanThatMoved has one entry for each thing that may move.
func TestASavedPlanThatMoved(t *testing.T) {
	for name, tc := range map[string]struct {
		move func(*planned)
		says string
	}{
		"a commit": {func(p *planned) { p.commit(map[string]string{"README": "x"}) }, "source r is at 000000000000, not at 000000000000"},
		"content":  {func(p *planned) { p.commit(map[string]string{"units/u": "three"}) }, "unit/u has another content now"},
		"back":     {func(p *planned) { p.commit(map[string]string{"services/s": "one"}) }, "service/s was to run, and is none now: up to date"},
		"more":     {func(p *planned) { p.commit(map[string]string{"units/new": "x"}) }, "unit/new is to do now (run: new), and the plan has nothing of it"},
		"less":     {func(p *planned) { p.commit(map[string]string{"units/w": "one"}) }, "unit/w was to remove, and is none now"},
		"waiting":  {func(p *planned) { p.commit(map[string]string{"b.yaml": pipeline("b", "echo")}) }, "pipeline/b was to wait, and is run now"},
		"applied":  {func(p *planned) { p.record("unit/u", "other") }, "unit/u was applied meanwhile"},
		"found":    {func(p *planned) { p.unit.set("u", "other") }, "unit/u is not any more as it was found"},
		"device":   {func(p *planned) { p.service.set("device", "other") }, "device of-s would be sent something else"},
		"unread":   {func(p *planned) { p.repo.err = errors.New("it is away") }, "source r can't be read: it is away"},
		"another":  {func(p *planned) { p.repos = append(p.repos, newRepo("two", map[string]string{"x": "x"})) }, "source two is not in the plan"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				p := newPlanned(t)
				p.commit(second)
				saved := p.save(t)
				tc.move(p)
				err := p.life().Accept(t.Context(), saved)
				if !errors.Is(err, ErrMoved) || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), "nothing was applied") {
					t.Error(err)
				}
				if did := p.did(); did != "" {
					t.Errorf("did %s", did)
				}
			})
		})
	}
}

// record makes it seem that somebody else applied something.
func (p *planned) record(key, digest string) {
	l := p.life()
	kind, name, _ := strings.Cut(key, "/")
	_ = l.commit(p.t.Context(), l.Recorded(kind, name, Last{Digest: digest, Result: Succeeded, Run: "other"}, nil)...)
}

// TestASavedPlanThatMovesMeanwhile: what moves after the look at everything is
// left, and the rest of the plan is done.
func TestASavedPlanThatMovesMeanwhile(t *testing.T) {
	in(t, func(t *testing.T) {
		p := newPlanned(t)
		p.commit(second)
		saved := p.save(t)
		l := p.life()
		if err := l.Accept(t.Context(), saved); err != nil {
			t.Fatal(err)
		}
		p.unit.set("u", "other")
		p.service.set("s", "other")
		if well, err := l.Once(t.Context()); well || err != nil {
			t.Error(well, err)
		}
		if did := p.did(); did != "remove unit/w, run pipeline/a, run pipeline/b" {
			t.Errorf("did %s", did)
		}
		l = p.life()
		saved = p.save(t)
		if err := l.Accept(t.Context(), saved); err != nil {
			t.Fatal(err)
		}
		p.commit(map[string]string{"README": "x"}) // a commit that comes then is the next plan's
		if well, err := l.Once(t.Context()); well || err != nil {
			t.Error(well, err)
		}
		if did := p.did(); did != "" {
			t.Errorf("did %s", did)
		}
	})
}
