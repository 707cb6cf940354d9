package script_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/script"
)

// run executes a command with the machine's own shell and gives its standard
// output, less the markers of its items, and its exit code.
func run(t *testing.T, job *runner.Job) (string, int, script.Command) {
	t.Helper()
	dir := t.TempDir()
	cmd := script.Build(job, runner.Labels{Run: "r", Job: "j", Attempt: 1}, dir)
	for _, f := range cmd.Files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), []byte(f.Text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, arg := range cmd.Argv {
		if len(arg) >= script.MaxArg {
			t.Errorf("an argument of %d bytes", len(arg))
		}
	}
	out, err := exec.CommandContext(t.Context(), cmd.Argv[0], cmd.Argv[1:]...).Output()
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "abide-step-") {
			b.WriteString(line)
		}
	}
	return b.String(), code, cmd
}

func TestBuild(t *testing.T) {
	t.Parallel()
	big := ": " + strings.Repeat("x", 200<<10)
	tests := map[string]struct {
		job   runner.Job
		want  string
		code  int
		files int
	}{
		"one line":                        {job: runner.Job{Script: []string{"echo hi"}, Errexit: true}, want: "hi\n"},
		"no script":                       {job: runner.Job{Errexit: true}},
		"stops at the first failure":      {job: runner.Job{Script: []string{"echo a", "false", "echo b"}, Errexit: true}, want: "a\n", code: 1},
		"errexit false":                   {job: runner.Job{Script: []string{"false", "echo b"}}, want: "b\n"},
		"a shell for all lines":           {job: runner.Job{Script: []string{"cd /", "x=1", "echo $x$PWD"}, Errexit: true}, want: "1/\n"},
		"begins like an option":           {job: runner.Job{Script: []string{"-nonsense || echo $?"}, Errexit: true}, want: "127\n"},
		"too long for an argument":        {job: runner.Job{Script: []string{big, "echo end"}, Errexit: true}, want: "end\n", files: 1},
		"too long and failing":            {job: runner.Job{Script: []string{big, "false", "echo end"}, Errexit: true}, code: 1, files: 1},
		"solo":                            {job: runner.Job{Script: []string{"x=1; echo 'it''s'", "echo \"[$x]\""}, SoloExecution: true, Errexit: true}, want: "its\n[]\n"},
		"solo, multi-line item":           {job: runner.Job{Script: []string{"echo a\nfalse\necho b", "echo c"}, SoloExecution: true, Errexit: true}, want: "a\n", code: 1},
		"solo, first failure counts":      {job: runner.Job{Script: []string{"exit 7", "exit 8"}, SoloExecution: true, Errexit: true}, code: 7},
		"solo without errexit":            {job: runner.Job{Script: []string{"false\necho a", "exit 4", "echo b"}, SoloExecution: true}, want: "a\n", code: 4},
		"solo, item too long":             {job: runner.Job{Script: []string{"echo a", big + "\nexit 3", "echo b"}, SoloExecution: true, Errexit: true}, want: "a\n", code: 3, files: 1},
		"solo, all together too long":     {job: runner.Job{Script: []string{big[:100<<10], big[:100<<10], "echo c"}, SoloExecution: true, Errexit: true}, want: "c\n", files: 1},
		"quotes, dollars and backslashes": {job: runner.Job{Script: []string{`printf '%s|' "a'b" '$x' \\ '*'`}, SoloExecution: true, Errexit: true}, want: `a'b|$x|\|*|`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, code, cmd := run(t, &tc.job)
			if diff := cmp.Diff(tc.want, out); diff != "" {
				t.Error(diff)
			}
			if code != tc.code || len(cmd.Files) != tc.files {
				t.Errorf("exit code %d, %d files; want %d and %d", code, len(cmd.Files), tc.code, tc.files)
			}
		})
	}
}

func TestTokenDependsOnTheAttempt(t *testing.T) {
	t.Parallel()
	a := script.Token(runner.Labels{Run: "r", Job: "j", Attempt: 1})
	b := script.Token(runner.Labels{Run: "r", Job: "j", Attempt: 2})
	if a == b || a != script.Token(runner.Labels{Run: "r", Job: "j", Attempt: 1}) {
		t.Errorf("tokens %s and %s", a, b)
	}
}
