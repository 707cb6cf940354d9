package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testimage"
	"github.com/abide-agent/abide/runner"
)

// TestExitCodes holds commands against the contract that scripts depend on.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	dir := t.TempDir()
	write(t, filepath.Join(dir, "good.yaml"), one(image, "echo good"))
	write(t, filepath.Join(dir, "other.yaml"), one(image, "echo other"))
	write(t, filepath.Join(dir, "bad.yaml"), one(image, "exit 7"))
	write(t, filepath.Join(dir, "broken.yaml"), "workflow: [a]\na: {}\n")
	write(t, filepath.Join(dir, "binary.yaml"), "\x00\x01\xff")
	write(t, filepath.Join(dir, "empty.yaml"), "")
	nobody := "http://127.0.0.1:1"
	for _, c := range []struct {
		args  string
		stdin string
		code  int
		says  string
	}{
		{"apply -f good.yaml", "", 0, "[job] good"},
		{"apply -f good.yaml -f other.yaml", "", 0, "2 succeeded"},
		{"apply -f -", one(image, "echo from stdin"), 0, "[job] from stdin"},
		{"apply -f bad.yaml", "", 1, "exit code 7"},
		{"apply -f bad.yaml -f good.yaml", "", 1, "1 succeeded, 1 failed"},
		{"apply -f broken.yaml", "", 1, "broken.yaml:2:"},
		{"apply -f binary.yaml", "", 1, "binary.yaml"},
		{"apply -f empty.yaml", "", 1, "empty.yaml"},
		{"apply -f -", "", 1, "stdin.yaml"},
		{"apply -f nowhere.yaml", "", 1, "nowhere.yaml"},
		{"apply", "", 2, "there is nothing to apply"},
		{"apply --port 1 -f good.yaml", "", 2, "add --daemon"},
		{"apply --nonsense", "", 2, "--nonsense"},
		{"apply --daemon --port 99999", "", 2, "99999"},
		{"aply", "", 2, "did you mean apply"},
		{"plan -f good.yaml", "", 2, "run pipeline/good"},
		{"plan -f broken.yaml", "", 1, "broken.yaml:2:"},
		{"plan --nonsense", "", 1, "--nonsense"},
		{"validate good.yaml bad.yaml", "", 0, ""},
		{"validate broken.yaml", "", 1, "broken.yaml:2:"},
		{"validate .", "", 1, "broken.yaml:2:"},
		{"trigger good.yaml --server " + nobody, "", 1, nobody},
		{"trigger", "", 2, "trigger needs a pipeline file"},
		{"runs --server " + nobody, "", 1, nobody},
		{"runs --server nonsense://x", "", 2, "unix:///PATH"},
		{"version", "", 0, "abide"},
		{"help", "", 0, "apply"},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(binary(t, ""), strings.Fields(c.args)...)
			cmd.Dir, cmd.Stdin = dir, strings.NewReader(c.stdin)
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(out), c.says) {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, c.code, c.says, out)
			}
			if strings.ContainsAny(string(out), "\x1b\r") {
				t.Errorf("control characters in a pipe: %q", out)
			}
		})
	}
}

// TestRemoteCommands triggers, waits, follows and cancels from the command line.
func TestRemoteCommands(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	d := newDaemon(t)
	d.start()
	env := []string{"ABIDE_SERVER=" + d.url("")}
	out, code := cli(t, env, one(image, "echo waited for"), "trigger", "-", "--wait")
	if code != 0 || !strings.Contains(out, "[job] waited for") {
		t.Errorf("trigger --wait: %d %s", code, out)
	}
	if out, code = cli(t, env, one(image, "exit 9"), "trigger", "-", "--wait"); code != 1 || !strings.Contains(out, "exit code 9") {
		t.Errorf("trigger --wait of one that fails: %d %s", code, out)
	}
	if run := d.waitRuns(2)[0]; run.ExitCode != 9 {
		t.Errorf("the run's exit code is %d", run.ExitCode)
	}
	if out, code = cli(t, env, "workflow: [a]\na: {script: [echo]}\n", "trigger", "-"); code != 1 || !strings.Contains(out, "either 'image' or 'dockerfile' must be specified") {
		t.Errorf("trigger of a broken one: %d %s", code, out)
	}
	id, code := cli(t, env, one(image, "echo begun; sleep 60"), "trigger", "-", "--name", "endless")
	if id = strings.TrimSpace(id); code != 0 || strings.ContainsAny(id, " \n") {
		t.Fatalf("trigger prints the id alone: %d %q", code, id)
	}
	d.stream("?since=0&run=" + id).wait(`"message":"begun"`)
	if out, code := d.cli("runs"); code != 0 || !strings.Contains(out, "endless") || !strings.Contains(out, "running") {
		t.Errorf("runs: %d %s", code, out)
	}
	if out, code := d.cli("cancel", id); code != 0 {
		t.Errorf("cancel: %d %s", code, out)
	}
	if run := d.waitRuns(3)[0]; run.ID != id || run.State != runner.Cancelled {
		t.Errorf("after cancel the run is %s: %s", run.State, run.Reason)
	}
	if out, code := d.cli("cancel", id); code != 1 || !strings.Contains(out, id) {
		t.Errorf("cancel again: %d %s", code, out)
	}
	if out, code := d.cli("logs", "no-such-run"); code != 1 || !strings.Contains(out, "no-such-run") {
		t.Errorf("logs of nothing: %d %s", code, out)
	}
	d.eventually("no container left", func() bool { return d.containers() == "" })
}

// TestCommandTerminated: SIGTERM ends a command and its containers at once.
func TestCommandTerminated(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	job := fmt.Sprintf("e2e-term-%d", os.Getpid())
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		file := filepath.Join(t.TempDir(), "p.yaml")
		write(t, file, fmt.Sprintf("workflow: [%s]\n%s: {image: %q, script: [echo begun, sleep 60]}\n", job, job, image))
		cmd := exec.Command(binary(t, ""), "apply", "-f", file)
		out := program(t, cmd)
		out.wait("begun")
		begin := time.Now()
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		out.wait("Stopped.")
		for range out.lines { // to its end
		}
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("%s took %v", sig, took)
		}
		if left := containersOf(t, "dev.abide.job="+job); left != "" {
			t.Errorf("%s left %s", sig, left)
		}
	}
}

// TestSecondSignal: the first SIGTERM waits for what runs, the second doesn't;
// the next start takes care of what that left.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	d := newDaemon(t, "--grace", "1m")
	d.start()
	d.trigger(one(image, "echo begun; sleep 60"), &map[string]any{})
	d.stream("?since=0").wait(`"message":"begun"`)
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	// It drains: it answers, and soon takes nothing more.
	taken := 1
	d.eventually("it takes no more", func() bool {
		status := d.ask("POST", "/trigger", one(image, "echo hi"))
		if status == http.StatusOK {
			taken++
		}
		return status == http.StatusServiceUnavailable
	})
	if took := d.kill(syscall.SIGTERM); took > time.Second {
		t.Errorf("the second signal took %v", took)
	}
	if code := d.cmd.ProcessState.ExitCode(); code != 128+int(syscall.SIGTERM) {
		t.Errorf("it ended with %d", code)
	}
	d.start()
	runs := d.runs()
	if len(runs) != taken { // what it refused while it drained is not recorded
		t.Fatalf("after the restart there are %d runs, and it took %d", len(runs), taken)
	}
	if out, code := d.cli("cancel", runs[taken-1].ID); code != 0 {
		t.Errorf("cancel: %d %s", code, out)
	}
	d.waitRuns(taken)
	d.eventually("no container left", func() bool { return d.containers() == "" })
}

// TestPortInUse: a daemon that can't listen says so and ends; nothing runs.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.start()
	out, code := abide(t, t.TempDir(), nil, "apply", "--daemon", "--state", t.TempDir(), "--port", fmt.Sprint(d.port))
	if code != 1 || !strings.Contains(out, fmt.Sprintf("port %d on 127.0.0.1 is in use", d.port)) {
		t.Errorf("%d %s", code, out)
	}
	// The same state is somebody else's as well.
	out, code = abide(t, t.TempDir(), nil, "apply", "--daemon", "--state", d.state, "--port", "0")
	if code != 1 || !strings.Contains(out, d.state) || !strings.Contains(out, fmt.Sprint(d.cmd.Process.Pid)) {
		t.Errorf("a second daemon on one state: %d %s", code, out)
	}
}
