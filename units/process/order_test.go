package process

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abide-agent/abide/units"
)

// tracer makes units that write down when they start and stop.
type tracer struct {
	t    *testing.T
	file string
}

func newTracer(t *testing.T) *tracer {
	return &tracer{t, filepath.Join(t.TempDir(), "trace")}
}

func (tr *tracer) unit(name string, unit ...string) units.Target {
	log := func(word string) string { return "/bin/sh -c 'echo " + word + " " + name + " >> " + tr.file + "'" }
	lines := append([]string{"[Unit]"}, unit...)
	return target(name+".service", append(lines, "[Service]", "Type=oneshot", "RemainAfterExit=yes", "ExecStart="+log("start"), "ExecStop="+log("stop"))...)
}

// take gives what was written since.
func (tr *tracer) take() []string {
	tr.t.Helper()
	text, err := os.ReadFile(tr.file)
	if err != nil && !os.IsNotExist(err) {
		tr.t.Fatal(err)
	}
	_ = os.Remove(tr.file)
	return strings.Fields(strings.ReplaceAll(string(text), " ", "-"))
}

func (tr *tracer) expect(what string, want ...string) {
	tr.t.Helper()
	if got := tr.take(); !slices.Equal(got, want) {
		tr.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func all(t *testing.T, e *Engine, batch ...units.Target) {
	t.Helper()
	for name, r := range converge(t, e, batch, patience) {
		if r.Err != nil {
			t.Errorf("%s: %v; log %q", name, r.Err, r.Log)
		}
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	e, tr := engine(t), newTracer(t)
	batch := []units.Target{
		tr.unit("a", "After=b.service"),
		tr.unit("b", "Requires=c.service"),
		tr.unit("c", "After=network.target", "Before=b.service"),
	}
	all(t, e, batch...)
	tr.expect("started", "start-c", "start-b", "start-a")
	for i := range batch {
		batch[i].Want = units.Loaded
	}
	all(t, e, batch...)
	tr.expect("stopped", "stop-a", "stop-b", "stop-c")

	// A hand starts what is required, and stops what requires.
	if err := e.Start(t.Context(), "b.service"); err != nil {
		t.Fatal(err)
	}
	tr.expect("by hand", "start-c", "start-b")
	if err := e.Stop(t.Context(), "c.service"); err != nil {
		t.Fatal(err)
	}
	tr.expect("by hand", "stop-b", "stop-c")
}

func TestCircle(t *testing.T) {
	t.Parallel()
	e, tr := engine(t), newTracer(t)
	all(t, e, tr.unit("a", "After=b.service"), tr.unit("b", "After=c.service"), tr.unit("c", "After=a.service"))
	if got := tr.take(); len(got) != 3 {
		t.Errorf("started %q", got)
	}
}

func TestTied(t *testing.T) {
	t.Parallel()
	e, tr := engine(t), newTracer(t)
	a := tr.unit("a")
	all(t, e, a, tr.unit("part", "PartOf=a.service", "After=a.service"), tr.unit("other"))
	tr.take()
	a.Text = append(a.Text, "Environment=NEW=1\n"...)
	a.Digest = units.Content(a.Text, nil)
	all(t, e, a)
	tr.expect("changed", "stop-part", "stop-a", "start-a", "start-part")
	all(t, e, units.Target{Name: "a.service", Remove: true})
	tr.expect("removed", "stop-part", "stop-a")
}

func TestRequirementFails(t *testing.T) {
	t.Parallel()
	e := engine(t)
	out := converge(t, e, []units.Target{
		service("bad.service", "Type=oneshot", "ExecStart=/bin/false"),
		target("needs.service", "[Unit]", "Requires=bad.service", "[Service]", "ExecStart=/bin/sleep 1000"),
		target("wants.service", "[Unit]", "Wants=bad.service no-such.service", "[Service]", "ExecStart=/bin/sleep 1000"),
		target("lost.service", "[Unit]", "BindsTo=no-such.service", "[Service]", "ExecStart=/bin/sleep 1000"),
	}, patience)
	for name, want := range map[string]string{"bad": "exited with 1", "needs": "requires bad.service", "lost": "requires no-such.service"} {
		if err := out[name+".service"].Err; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := out["wants.service"].Err; err != nil {
		t.Error(err)
	}
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	e := engine(t)
	tmpl := service("a@.service", "ExecStart=/bin/echo %i")
	if r := must(t, e, tmpl); r.Status.State() != units.Loaded || !slices.Equal(r.Did, []string{"placed"}) {
		t.Errorf("%q, %+v", r.Did, r.Status)
	}
	if err := e.Start(t.Context(), "a@.service"); err == nil {
		t.Error("a template was started")
	}
	tmpl.Name = "a@one.service"
	tmpl.Text = []byte("[Service]\nType=oneshot\nExecStart=/bin/echo %i\n")
	must(t, e, tmpl)
	if log, err := e.Journal(t.Context(), "a@one.service", 1); err != nil || !slices.Equal(log, []string{"one"}) {
		t.Errorf("%q, %v", log, err)
	}
}

func TestForeignFile(t *testing.T) {
	t.Parallel()
	e := engine(t)
	path := filepath.Join(e.opts.Dir, "a.service")
	own := []byte("[Service]\nExecStart=/bin/sleep 5\n")
	if err := os.WriteFile(path, own, 0o644); err != nil {
		t.Fatal(err)
	}
	r := one(t, e, service("a.service", "ExecStart=/bin/sleep 1000"), patience)
	if r.Err == nil || !strings.Contains(r.Err.Error(), "did not place it") {
		t.Errorf("%v", r.Err)
	}
	if r := must(t, e, units.Target{Name: "a.service", Remove: true}); len(r.Did) > 0 {
		t.Errorf("it did %q", r.Did)
	}
	if text, err := os.ReadFile(path); string(text) != string(own) || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	e := engine(t)
	file := filepath.Join(t.TempDir(), "well")
	tg := service("a.service", "ExecStart=/bin/sh -c 'sleep 0.2; touch "+file+"; exec sleep 1000'")
	tg.Probe = &units.Probe{Exec: []string{"/usr/bin/test", "-e", file}, Window: patience}
	must(t, e, tg)
	tg = service("b.service", "ExecStart=/bin/sh -c 'sleep 0.2; exit 4'")
	tg.Probe = &units.Probe{Exec: []string{"/bin/false"}, Window: patience}
	if r := one(t, e, tg, patience); r.Err == nil || !strings.Contains(r.Err.Error(), "exited with 4") {
		t.Errorf("%v", r.Err)
	}
}
