package executortest

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/runner"
)

func (s *suite) exitCode(t *testing.T) {
	r := s.start(t)
	for text, want := range map[string]int{"true": 0, "exit 7": 7, "exit 255": 255, "nonsense-command": 127, "sh -c 'kill -9 $$'": 137} {
		r.must(want, r.spec(text))
	}
	if rec := r.must(0, r.spec()); len(rec.Lines(runner.Stdout)) > 0 {
		t.Errorf("a job without a script printed:\n%s", rec)
	}
}

func (s *suite) errexit(t *testing.T) {
	r := s.start(t)
	spec := r.spec("echo a", "false", "echo b")
	if diff := cmp.Diff([]string{"a"}, r.must(1, spec).Lines(runner.Stdout)); diff != "" {
		t.Error(diff)
	}
	spec.Job.Errexit = false
	if diff := cmp.Diff([]string{"a", "b"}, r.must(0, spec).Lines(runner.Stdout)); diff != "" {
		t.Error(diff)
	}
}

func (s *suite) solo(t *testing.T) {
	r := s.start(t)
	spec := r.spec("cd /tmp; x=\"it's\"; echo $x", "echo \"[$x]\"", "printf partial", "exit 9", "echo never")
	spec.Job.SoloExecution = true
	rec := r.must(9, spec)
	if diff := cmp.Diff([]string{"it's", "[]", "partial"}, rec.Lines(runner.Stdout)); diff != "" {
		t.Error(diff)
	}
	want := []string{"info: Execute command: " + spec.Job.Script[0], `info: Execute command: echo "[$x]"`, "info: Execute command: printf partial", "info: Execute command: exit 9"}
	if diff := cmp.Diff(want, rec.Narrated("Execute command")); diff != "" {
		t.Error(diff)
	}
}

func (s *suite) order(t *testing.T) {
	r := s.start(t)
	rec := r.must(0, r.spec("for i in $(seq 1 300); do echo line $i; done", "echo wrong >&2", "echo"))
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprintf("line %d", i+1))
	}
	if diff := cmp.Diff(append(want, ""), rec.Lines(runner.Stdout)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"wrong"}, rec.Lines(runner.Stderr)); diff != "" {
		t.Error(diff)
	}
}

func (s *suite) lines(t *testing.T) {
	r := s.start(t)
	long := strings.Repeat("0123456789", runner.MaxLine/4)
	rec := r.must(0, r.spec(
		"x=0123456789", "long=", "i=0", "while [ $i -lt 64 ]; do long=$long$x; i=$((i+1)); done", "all=", "i=0",
		"while [ $i -lt 64 ]; do all=$all$long; i=$((i+1)); done",
		`printf '%s\n' "$all"`, `printf 'cr\r\n'`, `printf '\303\251 \377 end\n'`, "printf 'no newline'"))
	want := []string{long[:64*64*10], "cr", "é \uFFFD end", "no newline"}
	if diff := cmp.Diff(want, rec.Lines(runner.Stdout)); diff != "" {
		t.Error(diff)
	}
}

func (s *suite) env(t *testing.T) {
	r := s.start(t)
	spec := r.spec(`printf '%s|' "$PLAIN" "$SPACES" "$QUOTED" "$EQUALS" "$EMPTY"`)
	spec.Job.Env = []string{"PLAIN=a", "SPACES= b  c ", `QUOTED='"$x\`, "EQUALS=a=b=c", "EMPTY="}
	if diff := cmp.Diff([]string{`a| b  c |'"$x\|a=b=c||`}, r.must(0, spec).Lines(runner.Stdout)); diff != "" {
		t.Error(diff)
	}
}

func (s *suite) workDir(t *testing.T) {
	r := s.start(t)
	spec := r.spec("pwd")
	spec.Job.WorkDir = "/deep/er/"
	if got := r.must(0, spec).Lines(runner.Stdout); len(got) != 1 || !strings.HasSuffix(got[0], "/deep/er") {
		t.Errorf("the job ran in %q", got)
	}
	r.must(0, r.spec("cd ..", "pwd")) // a default that can be entered and left
}

func (s *suite) bigScript(t *testing.T) {
	r := s.start(t)
	big := ": " + strings.Repeat("x", 200<<10)
	if diff := cmp.Diff([]string{"end"}, r.must(3, r.spec(big, "echo end", "exit 3")).Lines(runner.Stdout)); diff != "" {
		t.Error(diff)
	}
	r.must(1, r.spec(big, "false", "true"))
	spec := r.spec(big+"\necho one", big+"\necho two\nexit 4", "echo never")
	spec.Job.SoloExecution = true
	if diff := cmp.Diff([]string{"one", "two"}, r.must(4, spec).Lines(runner.Stdout)); diff != "" {
		t.Error(diff)
	}
}

func (s *suite) bigOutput(t *testing.T) {
	r := s.start(t)
	const n = 150_000
	got := r.must(0, r.spec("seq 1 "+strconv.Itoa(n))).Lines(runner.Stdout)
	if len(got) != n {
		t.Fatalf("%d lines, want %d", len(got), n)
	}
	for i, l := range got {
		if l != strconv.Itoa(i+1) {
			t.Fatalf("line %d is %q", i+1, l)
		}
	}
}

func (s *suite) sideBySide(t *testing.T) {
	r := s.start(t)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			spec := r.spec(fmt.Sprintf("echo job %d", i), fmt.Sprintf("exit %d", i))
			spec.Labels.Job = fmt.Sprintf("job-%d", i)
			res, rec, err := r.do(spec)
			if err != nil || res.ExitCode != i {
				t.Errorf("job %d: exit code %d, error %v", i, res.ExitCode, err)
			}
			if diff := cmp.Diff([]string{fmt.Sprintf("job %d", i)}, rec.Lines(runner.Stdout)); diff != "" {
				t.Error(diff)
			}
		})
	}
	wg.Wait()
}
