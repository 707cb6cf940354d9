package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/abide-agent/abide/internal/testimage"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/runner"
)

// agent is `plan` and `apply` over one repository and one state directory.
type agent struct {
	t     *testing.T
	repo  *repository
	state string
	told  int // operations that earlier calls of apply performed
}

func (a *agent) run(args ...string) (out string, code int) {
	a.t.Helper()
	return abide(a.t, a.state, nil, append(args, "--state", a.state)...)
}

// plan gives what is to be done, as "operation name: reason", and the code.
func (a *agent) plan() (plan reconcile.Plan, todo []string, code int) {
	a.t.Helper()
	out, code := a.run("plan", "--json", "--git", a.repo.dir)
	if err := json.Unmarshal([]byte(out), &plan); err != nil {
		a.t.Fatalf("plan: %v\n%s", err, out)
	}
	for _, c := range plan.Changes {
		if c.Pending() {
			todo = append(todo, fmt.Sprintf("%s %s", c.Operation, c.Name))
		}
	}
	return plan, todo, code
}

// apply gives what was done, from the event log, and the code.
func (a *agent) apply() (done []string, out string, code int) {
	a.t.Helper()
	out, code = a.run("apply", "--git", a.repo.dir)
	log := eventLog(a.t, &daemon{state: a.state})
	for line := range strings.Lines(log) {
		var e struct{ Type, Pipeline string }
		if json.Unmarshal([]byte(line), &e) != nil {
			continue
		}
		switch e.Type {
		case "pipeline_start":
			done = append(done, "run "+e.Pipeline)
		case "resource_removed":
			done = append(done, "remove "+e.Pipeline)
		}
	}
	done, a.told = done[a.told:], len(done)
	slices.SortFunc(done, func(x, y string) int { return strings.Compare(x[strings.Index(x, " "):], y[strings.Index(y, " "):]) })
	return done, out, code
}

// TestPlanIsWhatApplyDoes goes through the life of pipelines in a repository: at
// every step plan says what apply then does, neither more nor less.
func TestPlanIsWhatApplyDoes(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	a := &agent{t: t, repo: newRepository(t), state: t.TempDir()}
	texts := map[string]string{
		"steady":    one(image, "echo steady"),
		"edited":    one(image, "echo first"),
		"failing":   one(image, "exit 3"),
		"skipped":   one(image, "echo never", "  condition: $NOT_SET_ANYWHERE"),
		"scheduled": one(image, "echo on time", "schedule: '@hourly'"),
		"asked":     one(image, "echo asked", "trigger: manual"),
		"broken":    one(image, "echo once well"),
	}
	set := func(name, text string) {
		if text == "" {
			if err := os.Remove(filepath.Join(a.repo.dir, "pipelines", name+".yaml")); err != nil {
				t.Fatal(err)
			}
			return
		}
		a.repo.write("pipelines/"+name+".yaml", text)
	}
	for _, step := range []struct {
		name    string
		change  map[string]string // file → text; "" removes it
		do      func()
		want    []string          // what both do
		reasons map[string]string // a part of all that the plan says of a pipeline
		plan    int               // exit codes
		apply   int
	}{
		{
			name: "all are new", change: texts, plan: 2, apply: 1,
			want:    []string{"run broken", "run edited", "run failing", "run scheduled", "run skipped", "run steady"},
			reasons: map[string]string{"steady": "new", "asked": "runs on request or schedule only", "skipped": "its condition is false now: $NOT_SET_ANYWHERE", "scheduled": "5 turns"},
		},
		{
			name: "nothing has changed", plan: 0, apply: 0,
			reasons: map[string]string{"failing": "failed: job job failed: exit code 3; change it, or use `abide retry`", "skipped": "up to date (skipped)", "steady": "up to date (succeeded)"},
		},
		{
			name: "a file that is nobody's", do: func() { a.repo.write("README.md", "more") }, plan: 0, apply: 0,
		},
		{
			name: "one is changed", change: map[string]string{"edited": one(image, "echo second")}, plan: 2, apply: 0,
			want: []string{"run edited"}, reasons: map[string]string{"edited": "changed since ", "steady": "up to date"},
		},
		{
			name: "it is reverted", do: func() { a.repo.git("revert", "--no-edit", "HEAD") }, plan: 2, apply: 0,
			want: []string{"run edited"}, reasons: map[string]string{"edited": "-    - echo second\n+    - echo first\n"},
		},
		{
			name: "one is broken", change: map[string]string{"broken": "workflow: [job]\njob: {image: " + image + ", scripts: [echo]}\n"}, plan: 1, apply: 1,
			reasons: map[string]string{"broken": "the file has errors; what was last applied stays in force"},
		},
		{
			name: "one is broken, another changes", change: map[string]string{"edited": one(image, "echo third")}, plan: 1, apply: 1,
			want: []string{"run edited"},
		},
		{
			name: "it is mended to what it was", change: map[string]string{"broken": texts["broken"]}, plan: 0, apply: 0,
		},
		{
			name: "two are removed, one is new", change: map[string]string{"broken": "", "scheduled": "", "fresh": one(image, "echo fresh")}, plan: 2, apply: 0,
			want:    []string{"remove broken", "run fresh", "remove scheduled"},
			reasons: map[string]string{"broken": "no longer in"},
		},
		{
			name: "the failed one is asked for", do: func() {
				if out, code := a.run("retry", "failing"); code != 0 {
					t.Errorf("retry: %d %s", code, out)
				}
			}, plan: 2, apply: 1,
			want: []string{"run failing"}, reasons: map[string]string{"failing": "asked for by "},
		},
		{name: "that was for once", plan: 0, apply: 0},
		{
			name: "the failed one changes", change: map[string]string{"failing": one(image, "echo well now")}, plan: 2, apply: 0,
			want: []string{"run failing"},
		},
		{
			name: "the one on request is asked for", do: func() {
				if out, code := a.run("retry", "asked"); code != 0 {
					t.Errorf("retry: %d %s", code, out)
				}
			}, plan: 2, apply: 0,
			want: []string{"run asked"},
		},
	} {
		for _, name := range slices.Sorted(maps.Keys(step.change)) {
			set(name, step.change[name])
		}
		if step.do != nil {
			step.do()
		}
		a.repo.commit(step.name)
		plan, todo, code := a.plan()
		if code != step.plan {
			t.Errorf("%s: plan ended with %d, want %d", step.name, code, step.plan)
		}
		reasons := map[string]string{}
		for _, c := range plan.Changes {
			reasons[c.Name] = fmt.Sprintln(c.Reason, c.Details, len(c.Next), "turns", c.Diff)
		}
		for name, want := range step.reasons {
			if !strings.Contains(reasons[name], want) {
				t.Errorf("%s: the plan says of %s: %q, want %q", step.name, name, reasons[name], want)
			}
		}
		done, out, code := a.apply()
		if diff := cmp.Diff(step.want, todo, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: the plan (-want +got)\n%s", step.name, diff)
		}
		if diff := cmp.Diff(todo, done, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: what was done (-planned +done)\n%s", step.name, diff)
		}
		if code != step.apply {
			t.Errorf("%s: apply ended with %d, want %d:\n%s", step.name, code, step.apply, out)
		}
	}
}

// TestDroppedFile: a file that appears in a watched directory runs, and its
// schedule goes on until the file leaves.
func TestDroppedFile(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	dir := t.TempDir()
	d := newDaemon(t, "-f", dir)
	d.start()
	write(t, filepath.Join(dir, "plain.yaml"), one(image, "echo dropped"))
	events := d.stream("?since=0")
	events.wait(`"message":"dropped"`)
	events.wait(`"type":"pipeline_complete"`)

	clock := filepath.Join(dir, "clock.yaml")
	write(t, clock, one(image, "echo tick", "schedule: '@every 1s'"))
	for range 3 {
		events.wait(`"message":"tick"`)
	}
	ticks := func() (n int) {
		for _, r := range d.runs() {
			if r.Pipeline == "clock" {
				n++
			}
		}
		return n
	}
	if err := os.Remove(clock); err != nil {
		t.Fatal(err)
	}
	events.wait(`"type":"resource_removed"`)
	idle := func() bool {
		return !slices.ContainsFunc(d.runs(), func(r runner.Run) bool { return !r.State.Final() })
	}
	d.eventually("its last run ends", idle)
	before := ticks()
	// Another schedule measures the time: two turns of it, and none of the first.
	write(t, filepath.Join(dir, "other.yaml"), one(image, "echo tock", "schedule: '@every 1s'"))
	for range 3 {
		events.wait(`"message":"tock"`)
	}
	if after := ticks(); after != before {
		t.Errorf("its file is gone, and it ran %d times more", after-before)
	}
	if out, code := d.cli("status"); code != 0 || strings.Contains(out, "clock") {
		t.Errorf("status: %d %s", code, out)
	}

	// What one file does wrong is nobody else's business.
	write(t, filepath.Join(dir, "wrong.yaml"), "workflow: [job]\njob: {imagee: x}\n")
	events.wait("imagee")
	write(t, filepath.Join(dir, "late.yaml"), one(image, "echo late"))
	events.wait(`"message":"late"`)
	if err := os.Remove(filepath.Join(dir, "other.yaml")); err != nil {
		t.Fatal(err)
	}
	events.wait(`"type":"resource_removed"`)
	d.eventually("the last run ends", idle)
}
