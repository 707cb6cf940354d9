package reconcile

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/units"
)

// placed gives the names of the units that stand in the engine.
func (e *unitEngine) placed() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(slices.Sorted(maps.Keys(e.units)), " ")
}

func fleet(exec string, lines ...string) string {
	return unitText(exec, append([]string{"[X-Fleet]"}, lines...)...)
}

// placing is a world whose units are chosen for a machine that can change.
type placingWorld struct {
	*world
	e       *unitEngine
	board   *units.Board
	machine units.Machine
	repo    *repo
	files   map[string]string
	*life
}

func newPlacing(t *testing.T, files map[string]string) *placingWorld {
	w := &placingWorld{e: &unitEngine{units: map[string]units.Status{}}, board: units.NewBoard(), files: files, repo: newRepo("r", files)}
	w.world = newWorld(t, w.repo)
	w.wakeUp()
	return w
}

func (w *placingWorld) wakeUp() {
	k := NewUnits(UnitConfig{Engine: w.e, Publish: w.publish, Board: w.board, Host: "here", Machine: func() units.Machine { return w.machine }})
	w.life = w.start(func(c *Config) { c.Kinds = []Kind{k} })
}

// commit changes files, the empty text taking one away.
func (w *placingWorld) commit(files map[string]string) {
	for name, text := range files {
		if w.files[name] = text; text == "" {
			delete(w.files, name)
		}
	}
	w.repo.set(w.files)
	settle()
}

func (w *placingWorld) expect(want string) {
	w.t.Helper()
	settle()
	if got := w.e.placed(); got != want {
		w.t.Errorf("placed are %q, want %q", got, want)
	}
}

func TestUnitsInConflict(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newPlacing(t, map[string]string{
			"b.service": fleet("b", "Conflicts=a.service"), "peer.service": fleet("p", "MachineOf=b.service"), "z.service": unitText("z"),
		})
		w.expect("b.service peer.service z.service")
		w.commit(map[string]string{"a.service": unitText("a")}) // newcomers don't drive out what is there
		w.expect("b.service peer.service z.service")
		live, d := w.board.Live("a.service"), units.Declared{}
		if d, _ = w.board.Declared("a.service"); d.Desired != units.Launched || live.Health != units.HealthRefused ||
			!strings.Contains(live.Reason, "in conflict with b.service") || live.Status.State() != units.Inactive || live.Busy {
			t.Errorf("declared %+v, live %+v", d, live)
		}
		p, err := w.Plan(t.Context())
		if err != nil || len(p.Ignored) != 1 || !strings.Contains(p.Ignored[0], "r: a.service: it is in conflict with b.service") || p.Pending() != 0 || p.Failed() {
			t.Errorf("%v, ignored %q, %d to do", err, p.Ignored, p.Pending())
		}

		w.end() // a new life knows who was here first
		w.e.take()
		w.wakeUp()
		expectDid(t, w.e)

		w.commit(map[string]string{"b.service": ""})
		w.expect("a.service z.service") // with b went its peer, and a is free to come
		if live := w.board.Live("peer.service"); live.Health != units.HealthRefused || !strings.Contains(live.Reason, "MachineOf= names b.service") {
			t.Errorf("%+v", live)
		}
		did := w.e.take()
		if slices.Index(did, "start a.service") < 0 || slices.Contains(did, "start z.service") {
			t.Errorf("did %v", did)
		}
		w.end()
	})
}

// TestUnitReplaces: what takes another's place is begun when that one is gone.
func TestUnitReplaces(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newPlacing(t, map[string]string{"old.service": unitText("old"), "other.service": unitText("other")})
		w.expect("old.service other.service")
		w.e.mu.Lock()
		w.e.stuck = "old.service"
		w.e.mu.Unlock()
		w.commit(map[string]string{"new.service": fleet("new", "Replaces=old.service")})
		w.expect("old.service other.service")
		if live := w.board.Live("new.service"); live.Health != units.HealthWaiting || !strings.Contains(live.Reason, "unit/old.service to be gone") {
			t.Errorf("%+v", live)
		}
		w.commit(map[string]string{"third.service": unitText("third")}) // nobody else waits
		w.expect("old.service other.service third.service")
		w.e.mu.Lock()
		w.e.stuck = ""
		w.e.mu.Unlock()
		time.Sleep(10 * time.Second)
		w.expect("new.service other.service third.service")
		for _, ev := range w.eventsOf("resource_removed") {
			if !strings.Contains(ev.Message, "new.service replaces it") {
				t.Errorf("why it went: %s", ev.Message)
			}
		}
		w.commit(map[string]string{"new.service": ""}) // and back
		w.expect("old.service other.service third.service")
		w.end()
	})
}

// TestUnitsOfASourceThatIsSlow: what another source places counts as being there
// before that one was read in this life.
func TestUnitsOfASourceThatIsSlow(t *testing.T) {
	in(t, func(t *testing.T) {
		slow := newRepo("slow", map[string]string{"base.service": unitText("base")})
		w := &placingWorld{e: &unitEngine{units: map[string]units.Status{}}, board: units.NewBoard()}
		w.files = map[string]string{"peer.service": fleet("p", "MachineOf=base.service")}
		w.repo = newRepo("r", w.files)
		w.world = newWorld(t, w.repo, slow)
		w.wakeUp()
		w.expect("base.service peer.service")
		w.end()
		w.e.take()
		slow.mute = true
		w.wakeUp()
		w.commit(map[string]string{"foe.service": fleet("f", "Conflicts=base.service")})
		w.expect("base.service peer.service")
		expectDid(t, w.e)
		w.end()
	})
}

func TestUnitsOfAnotherMachine(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newPlacing(t, map[string]string{
			"ssd.service": fleet("s", "MachineMetadata=disk=ssd"), "ssd@.service": fleet("s", "MachineMetadata=disk=ssd"), "a.service": unitText("a"),
			"off.service": fleet("o", "Conflicts=*", "[X-Abide]", "DesiredState=inactive"), "needs.service": unitText("n", "[Unit]", "Requires=ssd.service"),
		})
		w.expect("a.service")
		if live := w.board.Live("needs.service"); live.Health != units.HealthWaiting || !strings.Contains(live.Reason, "which is not for this machine") {
			t.Errorf("%+v", live)
		}
		w.machine.Metadata = map[string]string{"disk": "ssd"}
		w.commit(map[string]string{"b.service": unitText("b")}) // or any other reason to look
		w.expect("a.service b.service needs.service ssd.service ssd@.service")
		w.end()
	})
}

// TestUnitsAreShownBeforeTheirSourceIsRead: a new life knows what the last one
// placed, and whose it is.
func TestUnitsAreShownBeforeTheirSourceIsRead(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newPlacing(t, map[string]string{"a.service": unitText("a"), "b.service": unitText("b", "[X-Abide]", "DesiredState=loaded")})
		w.end()
		w.board, w.repo.err = units.NewBoard(), errors.New("the server is away")
		w.wakeUp()
		for name, want := range map[string]units.State{"a.service": units.Launched, "b.service": units.Loaded} {
			d, ok := w.board.Declared(name)
			if !ok || d.Desired != want || d.Source != "r" || d.File != name || len(d.Options) == 0 || w.board.Live(name).Status.State() != want {
				t.Errorf("%+v, %+v", d, w.board.Live(name))
			}
		}
		w.repo.mu.Lock()
		w.repo.err = nil
		w.repo.mu.Unlock()
		w.commit(map[string]string{"a.service": ""})
		if _, ok := w.board.Declared("a.service"); ok {
			t.Error("it is declared still")
		}
		w.expect("b.service")
		w.end()
	})
}
