package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/internal/terminal"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/sse"
)

// fakeApp stands in for the wired agent.
type fakeApp struct {
	apply  func(context.Context, applyOptions) (int, error)
	plan   func(context.Context, planOptions) (reconcile.Plan, error)
	edited []editOptions
	placed int // units that a purge finds
	purged bool
}

func (f *fakeApp) Apply(ctx context.Context, o applyOptions) (int, error) { return f.apply(ctx, o) }

func (f *fakeApp) Plan(ctx context.Context, o planOptions) (reconcile.Plan, error) {
	return f.plan(ctx, o)
}

func (f *fakeApp) Compare(_ context.Context, o compareOptions) (reconcile.Comparison, error) {
	return reconcile.Comparison{From: o.From, To: o.To}, nil
}

func (f *fakeApp) Check(ctx context.Context, path string) (reconcile.Desired, error) {
	return wired{&process{}}.Check(ctx, path)
}

func (f *fakeApp) Edit(_ context.Context, o editOptions) error {
	f.edited = append(f.edited, o)
	return nil
}

func (f *fakeApp) Purge(_ context.Context, o purgeOptions) (int, error) {
	f.purged = o.Yes
	for range f.placed {
		o.Show("web.service")
	}
	return f.placed, nil
}

// command is one call of the program in this process.
type command struct {
	app    *fakeApp
	stdin  string
	env    map[string]string
	signal int
	ctx    context.Context
}

// run gives the exit code, standard output and standard error.
func (c command) run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	ctx := c.ctx
	if ctx == nil {
		ctx = t.Context()
	}
	p := process{
		args: append([]string{"abide"}, args...), in: strings.NewReader(c.stdin), out: &out, err: &errs,
		env:         func(k string) (string, bool) { v, ok := c.env[k]; return v, ok },
		newApp:      func(*process) app { return c.app },
		interrupted: func() int { return c.signal },
	}
	code = run(ctx, p)
	return code, out.String(), errs.String()
}

// expect runs and compares the exit code, and looks for words in the output.
func (c command) expect(t *testing.T, code int, words string, args ...string) (stdout string) {
	t.Helper()
	got, out, errs := c.run(t, args...)
	if got != code || !strings.Contains(out+errs, words) {
		t.Errorf("abide %s: exit code %d, want %d with %q\nstdout: %s\nstderr: %s", strings.Join(args, " "), got, code, words, out, errs)
	}
	return out
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args string
		code int
		want string
	}{
		{"aply", 2, `there is no command "aply"; did you mean apply?`},
		{"apply --nope", 2, "unknown flag: --nope"},
		{"apply", 2, "there is nothing to apply"},
		{"apply -f x --port 1", 2, "--port is for a daemon"},
		{"apply -f x --grace soon", 2, `--grace: "soon" is not a time`},
		{"apply --config /nowhere.yaml", 2, "no such file"},
		{"apply x", 2, "apply takes no arguments"},
		{"plan --git a --tag b --branch c", 1, "exclude each other"},
		{"plan --nope", 1, "unknown flag"},
		{"validate", 2, "validate needs a file"},
		{"logs", 2, "logs needs a run's id"},
		{"trigger", 2, "trigger needs a pipeline file"},
		{"runs --limit 0", 2, "--limit"},
		{"events --since x", 2, "--since"},
		{"suspend a b", 2, "takes one source"},
		{"status --server ftp://u:hunter2@x", 2, "address of the daemon"},
	} {
		code, out, errs := command{}.run(t, strings.Fields(tc.args)...)
		if code != tc.code || !strings.Contains(errs, tc.want) || out != "" {
			t.Errorf("abide %s: exit code %d, want %d\nstdout: %s\nstderr: %s", tc.args, code, tc.code, out, errs)
		}
		lines := strings.Split(strings.TrimSpace(errs), "\n")
		if len(lines) != 2 || !strings.HasPrefix(lines[0], "abide: ") || !strings.Contains(lines[1], "--help`") {
			t.Errorf("abide %s: not one line and a hint: %q", tc.args, errs)
		}
		if strings.Contains(errs, "hunter2") {
			t.Errorf("abide %s shows a password", tc.args)
		}
	}
}

// Every command has an example, and it only shows flags that exist.
func TestHelpIsTrue(t *testing.T) {
	t.Parallel()
	root := newRoot(&process{args: []string{"pin"}, env: func(string) (string, bool) { return "", false }})
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for line := range strings.Lines(c.Example) {
			_, call, ok := strings.Cut(line, "pin ")
			if !ok {
				continue
			}
			call, _, _ = strings.Cut(call, "#")
			call, _, _ = strings.Cut(call, "|")
			target, rest, err := root.Find(strings.Fields(call))
			if err != nil || target == root {
				t.Errorf("%s: the example %q calls no command", c.Name(), line)
				continue
			}
			for _, word := range rest {
				if name, ok := strings.CutPrefix(word, "--"); ok && target.Flags().Lookup(name) == nil {
					t.Errorf("%s: the example %q uses a flag that doesn't exist", c.Name(), line)
				}
			}
		}
		if c.Example == "" || c.Short == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	code, out, _ := command{}.run(t, "apply", "--help")
	if code != 0 || strings.Contains(out, "--keep-age") || !strings.Contains(out, "--git URL|PATH") {
		t.Errorf("apply --help: %d\n%s", code, out)
	}
}

func TestSeedCommandLinesAreAccepted(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"apply --daemon", "apply --daemon -f pipeline.yaml", "apply --daemon --port 8082",
		"apply --daemon --host 127.0.0.1", "apply --daemon --host 0.0.0.0",
		"apply -n name -f pipeline.yaml", "apply --name name --filepath pipeline.yaml",
	} {
		var got applyOptions
		app := &fakeApp{apply: func(_ context.Context, o applyOptions) (int, error) { got = o; return exitDone, nil }}
		if code, _, errs := (command{app: app}).run(t, strings.Fields(line)...); code != 0 || errs != "" {
			t.Errorf("%s: exit code %d: %s", line, code, errs)
		}
		if got.Daemon != strings.Contains(line, "--daemon") {
			t.Errorf("%s: daemon is %v", line, got.Daemon)
		}
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	event := func(kind, message string) sse.Event {
		return sse.Event{Type: kind, Run: "r", Pipeline: "hello", Job: "", Message: message}
	}
	for _, tc := range []struct {
		name   string
		events []sse.Event
		exit   int
		err    error
		code   int
		out    string
		errs   string
	}{
		{"well", []sse.Event{event(sse.TypePipelineComplete, "Pipeline completed")}, exitDone, nil, 0, "Pipelines: 1 succeeded.", ""},
		{"families", []sse.Event{
			event(sse.TypePipelineComplete, "Pipeline completed"),
			{Type: sse.TypeUnitFailed, Pipeline: "a.service", Message: "x"},
			{Type: sse.TypeUnitStarted, Pipeline: "a.service", Message: "x"},
			{Type: sse.TypeServiceApplied, Pipeline: "s[a]", Message: "x"},
			{Type: sse.TypeServiceApplied, Pipeline: "s[b]", Message: "x"},
		}, exitDone, nil, 0, "Pipelines: 1 succeeded. Units: 1 changed. Services: 2 applied.", ""},
		{"nothing", nil, exitDone, nil, 0, "Nothing to do.", ""},
		{"failed", []sse.Event{event(sse.TypePipelineError, "Pipeline failed")}, exitFailed, nil, 1, "Pipelines: 1 failed.", ""},
		{
			"not readable",
			[]sse.Event{{Type: sse.TypeSourceError, Level: sse.Error, Message: "Source x can't be read"}},
			exitFailed, nil, 1, "Nothing ran.\n", "abide: Source x can't be read\n",
		},
		{"broken", nil, exitFailed, problem.List{{File: "a.yaml", Line: 2, Column: 3, Message: "bad", Hint: "mend it"}}, 1, "", "abide: a.yaml:2:3: bad; mend it\n"},
	} {
		app := &fakeApp{apply: func(_ context.Context, o applyOptions) (int, error) {
			for _, e := range tc.events {
				o.Show(e)
			}
			return tc.exit, tc.err
		}}
		code, out, errs := command{app: app}.run(t, "apply", "-f", "x.yaml")
		if code != tc.code || !strings.Contains(out, tc.out) || errs != tc.errs {
			t.Errorf("%s: exit code %d\nstdout: %s\nstderr: %s", tc.name, code, out, errs)
		}
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	stopped := &fakeApp{apply: func(ctx context.Context, _ applyOptions) (int, error) {
		<-ctx.Done()
		return exitFailed, nil
	}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := command{app: stopped, ctx: ctx, signal: 143}
	if out := c.expect(t, 143, "Stopped.", "apply", "-f", "x"); out != "Stopped.\n" {
		t.Errorf("stdout: %q", out)
	}
	daemon := &fakeApp{apply: func(ctx context.Context, _ applyOptions) (int, error) {
		<-ctx.Done()
		return exitDone, nil
	}}
	c.app = daemon
	c.expect(t, 0, "", "apply", "--daemon")
}

func TestPlanExitCodes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		plan reconcile.Plan
		code int
	}{
		{reconcile.Plan{}, 0},
		{reconcile.Plan{Changes: []reconcile.Change{{Operation: reconcile.OpNone}}}, 0},
		{reconcile.Plan{Changes: []reconcile.Change{{Operation: reconcile.OpRun}}}, 2},
		{reconcile.Plan{Sources: []reconcile.SourceStatus{{Error: "gone"}}, Changes: []reconcile.Change{{Operation: reconcile.OpRun}}}, 1},
	} {
		c := command{app: &fakeApp{plan: func(context.Context, planOptions) (reconcile.Plan, error) { return tc.plan, nil }}}
		c.expect(t, tc.code, "", "plan", "--git", "/x")
		if out := c.expect(t, tc.code, "", "plan", "--git", "/x", "--json"); !strings.HasPrefix(out, "{\n") {
			t.Errorf("plan --json: %s", out)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	good := write("good.yaml", "workflow: [a]\na: {image: x, script: [echo]}\n")
	bad := write("pipelines/deep/bad.yml", "workflow: [a, b]\na: {image: 3x, scripts: [echo]}\n")
	write("pipelines/vendor/x.yaml", "workflow: 3\n")
	write("other/x.yaml", "workflow: 3\n")
	write("values.yaml", "a: b\n")
	write(".abideignore", "vendor/\n")
	link := filepath.Join(dir, "link.yaml")
	if err := os.Symlink("/etc/hostname", link); err != nil {
		t.Fatal(err)
	}

	command{}.expect(t, 0, "1 file checked: 0 errors, 0 warnings.", "validate", good)
	out := command{}.expect(t, 1, "2 files checked", "validate", dir)
	for _, want := range []string{bad + ":2:", "did you mean", link + ": it can't be read", "values.yaml: ignored"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing from\n%s", want, out)
		}
	}
	if strings.Contains(out, "vendor") || strings.Contains(out, "other") {
		t.Errorf("it reads what is none of its business:\n%s", out)
	}
	command{stdin: "workflow: []"}.expect(t, 1, "-:1:", "validate", "-")
	if out := (command{}).expect(t, 1, "", "validate", "--json", bad); !strings.Contains(out, `"line": 2`) {
		t.Errorf("--json: %s", out)
	}
	command{}.expect(t, 1, "it can't be read: no such file", "validate", filepath.Join(dir, "nope"))
	command{}.expect(t, 0, "7 files checked", "validate", "../../examples")
	command{}.expect(t, 0, "3 files checked", "validate", "../../examples/network")
	write("units/a.service", "[Service]\nExecStart=/bin/true\n[X-Abide]\nProbe=nonsense\n")
	write("services/s.xml", "<services xmlns='http://clicon.org/controller'><a xmlns='urn:a'/></services>")
	write("devices/d.xml", "<devices xmlns='http://clicon.org/controller'><device><name>d</name><password>p</password></device></devices>")
	write("devices/e.xml", "<other/>")
	out = command{}.expect(t, 1, "", "validate", dir)
	for _, want := range []string{"units/a.service:4:", "services/s.xml:1:", "devices/d.xml:1:", "devices/e.xml: ignored, its root is <other>"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing from\n%s", want, out)
		}
	}
	command{}.expect(t, 1, "services/s.xml:1:", "validate", filepath.Join(dir, "services/s.xml"))
}

func TestEventLine(t *testing.T) {
	t.Parallel()
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	for _, tc := range []struct {
		event sse.Event
		want  string
	}{
		{
			sse.Event{ID: 7, Type: sse.TypeJobFailed, Level: sse.Error, Pipeline: "hello", Job: "build", Message: "Job failed", Time: when, Fields: map[string]any{"exit_code": 3, "duration": "2s"}},
			"     7 2026-01-02 03:04:05 job_failed           [hello/build] Job failed (exit code 3) (2s)",
		},
		{
			sse.Event{ID: 8, Type: sse.TypeLog, Job: "build", Stream: "stdout", Message: "\x1b[2Jx\x1b[31m", Time: when},
			"     8 2026-01-02 03:04:05 log                  [build] x",
		},
		{
			sse.Event{ID: 9, Type: sse.TypeSourceUpdated, Source: "app", Message: "moved", Time: when},
			"     9 2026-01-02 03:04:05 source_updated       [app] moved",
		},
	} {
		if got := eventLine(terminal.Screen{}, tc.event); got != tc.want {
			t.Errorf("got  %q\nwant %q", got, tc.want)
		}
	}
}

func TestPurgeWantsYes(t *testing.T) {
	t.Parallel()
	f := &fakeApp{placed: 2}
	c := command{app: f}
	if out := c.expect(t, 1, "nothing was changed; say --yes to stop and remove 2 units", "purge"); out != "web.service\nweb.service\n" || f.purged {
		t.Errorf("without --yes: %q, purged %v", out, f.purged)
	}
	if c.expect(t, 0, "2 units removed.", "purge", "--yes"); !f.purged {
		t.Error("--yes did not purge")
	}
	f.placed = 0
	c.expect(t, 0, "0 units removed.", "purge")
	c.expect(t, 2, "takes no arguments", "purge", "web.service")
}
