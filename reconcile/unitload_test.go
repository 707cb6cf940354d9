package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/abide-agent/abide/sse"
	"github.com/abide-agent/abide/units"
)

// plainEngine is an engine that doesn't have everything.
type plainEngine struct{ *unitEngine }

var _ units.Checker = plainEngine{}

func (plainEngine) Check(name string, text []byte, dropIns []units.DropIn) ([]string, error) {
	for i, d := range dropIns {
		if strings.Contains(string(d.Text), "MemoryMax") {
			return nil, &units.LineError{File: name + ".d/" + dropIns[i].Name, Line: 2, Column: 1, Err: fmt.Errorf("MemoryMax= is %w", units.ErrNotSupported)}
		}
	}
	if strings.Contains(string(text), "MemoryMax") {
		return nil, &units.LineError{File: name, Line: 3, Column: 1, Err: fmt.Errorf("MemoryMax= is %w", units.ErrNotSupported)}
	}
	return []string{"Service/CPUWeight"}, nil
}

// TestUnitsThatTheEngineCantHonour: they are problems of the plan, and what was
// applied of them stays.
func TestUnitsThatTheEngineCantHonour(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{
			"a.service": unitText("a"), "b.service": unitText("b", "MemoryMax=1G"), "off.service": unitText("o", "MemoryMax=1G", "[X-Abide]", "DesiredState=inactive"),
			"units/c.service": unitText("c"), "units/c.service.d/m.conf": "[Service]\nMemoryMax=1G\n",
		}
		e := &unitEngine{units: map[string]units.Status{}}
		w := newWorld(t, newRepo("r", files))
		board := units.NewBoard()
		k := NewUnits(UnitConfig{Engine: plainEngine{e}, Publish: w.publish, Board: board, Host: "here"})
		ready := w.wake(func(c *Config) { c.Kinds = []Kind{k} })
		p, err := ready.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		told := ""
		for _, c := range p.Changes {
			told += fmt.Sprintln(c.Name, c.Operation, c.Details, c.Problems.Err())
		}
		for _, want := range []string{
			"a.service run [it is placed and brought to launched without effect here, and without harm: Service/CPUWeight]",
			"b.service none [] b.service:3:1: MemoryMax= is not supported by this engine",
			"c.service none [] units/c.service.d/m.conf:2:1: MemoryMax= is not supported by this engine",
			"off.service run [it is placed and brought to inactive] <nil>", // nothing of it is to be honoured
		} {
			if !strings.Contains(told, want) {
				t.Errorf("the plan lacks %q:\n%s", want, told)
			}
		}
		l := w.start(func(c *Config) {
			k = NewUnits(UnitConfig{Engine: plainEngine{e}, Publish: w.publish, Board: board, Host: "here"})
			c.Kinds = []Kind{k}
		})
		expectDid(t, e, "remove off.service", "start a.service")
		if live := board.Live("b.service"); live.Health != units.HealthNotSupported || !strings.Contains(live.Reason, "MemoryMax=") {
			t.Errorf("%+v", live)
		}
		if live := board.Live("a.service"); !slices.Equal(live.Ignored, []string{"Service/CPUWeight"}) {
			t.Errorf("%+v", live)
		}
		w.repos[0].set(map[string]string{"a.service": unitText("a", "MemoryMax=1G")})
		settle()
		expectDid(t, e, "remove off.service")
		if d, ok := board.Declared("a.service"); !ok || d.Desired != units.Launched || board.Live("a.service").Status.State() != units.Launched {
			t.Errorf("what was applied went: %+v, %+v", d, board.Live("a.service"))
		}
		l.end()
	})
}

// TestUnitDefaultsOfASource: what a unit doesn't say, its source's settings do.
func TestUnitDefaultsOfASource(t *testing.T) {
	in(t, func(t *testing.T) {
		e := &unitEngine{units: map[string]units.Status{}}
		w := newWorld(t, newRepo("quiet", map[string]string{
			"a.service": unitText("a"), "b.service": unitText("b", "[X-Abide]", "DesiredState=launched", "Drift=repair"), "t@.service": unitText("t"),
		}), newRepo("plain", map[string]string{"c.service": unitText("c")}))
		l := w.start(func(c *Config) {
			c.Kinds = []Kind{NewUnits(UnitConfig{Engine: e, Publish: w.publish, Host: "here"})}
			c.Sources[0].Policy.Units = UnitDefaults{Desired: units.Loaded, Drift: units.DriftReport}
		})
		expectDid(t, e, "place a.service", "place t@.service", "start b.service", "start c.service")
		for _, name := range []string{"a.service", "b.service", "c.service"} {
			e.set(name, func(s *units.Status) { s.Digest = "sha256:edited" })
		}
		settle()
		expectDid(t, e, "keep b.service", "keep c.service")
		if told := w.eventsOf(sse.TypeUnitDrift); len(told) != 3 {
			t.Errorf("%d of 3 drifts were told", len(told))
		}
		l.end()
	})
}

// TestUnitsNeedNoContainers: without a pipeline nobody misses their engine.
func TestUnitsNeedNoContainers(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{"a.service": unitText("a")}
		r := newRepo("r", files)
		w, e, start := unitWorld(t, r)
		w.engine.down = true
		l := start()
		expectDid(t, e, "start a.service")
		if d := l.Degraded(); len(d) > 0 {
			t.Errorf("degraded without need: %v", d)
		}
		l.end()
		files["p.yaml"] = pipeline("p", "true")
		r.set(files)
		l = start()
		settle()
		if d := l.Degraded(); len(d) == 0 {
			t.Error("a pipeline needs the engine")
		}
		l.end()
	})
}

// TestDropInsOfATemplate: they are its instances' too, and their own go before.
func TestDropInsOfATemplate(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{
			"units/t@.service": unitText("t"), "units/t@1.service": unitText("t"), "units/t@2.service": unitText("t"),
			"units/t@.service.d/a.conf": "[Service]\nNice=1\n", "units/t@2.service.d/a.conf": "[Service]\nNice=2\n",
		}
		r := newRepo("r", files)
		_, e, start := unitWorld(t, r)
		l := start()
		expectDid(t, e, "place t@.service", "start t@1.service", "start t@2.service")
		files["units/t@.service.d/a.conf"] = "[Service]\nNice=3\n"
		r.set(files)
		settle()
		expectDid(t, e, "place t@.service", "restart t@1.service")
		l.end()
	})
}
