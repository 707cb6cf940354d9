package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/abide-agent/abide/internal/testimage"
	"github.com/abide-agent/abide/internal/testkit/notrun"
	"github.com/abide-agent/abide/runner"
)

// homeless is a uid that no user of a test machine has.
const homeless = 61234

// TestSeedUnit starts the agent as the systemd unit of the reference does: the
// binary is called pin, its user has no home and may write nowhere.
func TestSeedUnit(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	if os.Geteuid() != 0 {
		notrun.Because(t, "only root can start it as another user")
	}
	port := takeSeedPort(t)
	command := seedUnit(t, port)
	t.Cleanup(func() { _ = os.RemoveAll(fmt.Sprintf("/var/tmp/abide-%d", homeless)) })

	t.Run("without access to the engine", func(t *testing.T) {
		d := &daemon{t: t, port: port, out: &syncBuffer{}}
		log := program(t, homelessCommand(t, command))
		log.wait("permission denied; make the agent's user a member of the group")
		d.eventually("/health answers", func() bool { return d.ask("GET", "/health", "") == http.StatusOK })
		if status := d.ask("POST", "/trigger", one(image, "echo hi")); status != http.StatusServiceUnavailable {
			t.Errorf("trigger: %d", status)
		}
		if runs := d.runs(); len(runs) != 0 {
			t.Errorf("runs that could not start are recorded: %+v", runs)
		}
	})
	t.Run("in the engine's group", func(t *testing.T) {
		socket, err := os.Stat("/var/run/docker.sock")
		if err != nil || socket.Mode().Perm()&0o060 != 0o060 {
			notrun.Because(t, "the engine's socket is not at /var/run/docker.sock, for its group")
		}
		group := socket.Sys().(*syscall.Stat_t).Gid
		for life := 1; life <= 2; life++ {
			d := &daemon{t: t, port: port, out: &syncBuffer{}}
			cmd := homelessCommand(t, command)
			cmd.SysProcAttr.Credential.Groups = []uint32{group}
			log := program(t, cmd)
			log.wait("daemon started, listening on http://127.0.0.1:")
			d.eventually("/health answers", func() bool { return d.ask("GET", "/health", "") == http.StatusOK })
			if n := len(d.runs()); n != life-1 {
				t.Errorf("after %d restarts it knows %d runs", life-1, n)
			}
			if status := d.ask("POST", "/trigger", one(image, "echo hi")); status != http.StatusOK {
				t.Errorf("trigger: %d", status)
			}
			if run := d.waitRuns(life)[0]; run.State != runner.Succeeded {
				t.Errorf("the run is %s: %s", run.State, run.Reason)
			}
			_ = cmd.Process.Signal(syscall.SIGTERM)
			log.wait("daemon shutting down")
			d.eventually("it is gone", func() bool { return syscall.Kill(cmd.Process.Pid, 0) != nil })
		}
	})
}

// seedUnit gives the unit's command, its binary being the product; the port is
// added where it isn't the usual one.
func seedUnit(t *testing.T, port int) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "seed", "pin-daemon.service"))
	if err != nil {
		t.Fatal(err)
	}
	_, line, ok := strings.Cut(string(text), "ExecStart=/usr/local/bin/pin ")
	if !ok {
		t.Fatal("the unit has another command")
	}
	line, _, _ = strings.Cut(line, "\n")
	dir, err := os.MkdirTemp("", "abide-e2e-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	copyProgram(t, filepath.Join(dir, "pin"))
	command := append([]string{filepath.Join(dir, "pin")}, strings.Fields(line)...)
	if port != 8081 {
		command = append(command, "--port", fmt.Sprint(port))
	}
	return command
}

func copyProgram(t *testing.T, to string) {
	t.Helper()
	in, err := os.Open(binary(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
}

// homelessCommand gives a process what systemd gives to a unit's user.
func homelessCommand(t *testing.T, command []string) *exec.Cmd {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = filepath.Dir(command[0]) // root's
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=/nonexistent", "USER=pin", "LOGNAME=pin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: homeless, Gid: homeless}}
	return cmd
}

// ask sends a request and gives the status, 0 when nobody answers.
func (d *daemon) ask(method, path, body string, header ...string) int {
	status, _ := d.answer(method, path, body, header...)
	return status
}

func (d *daemon) answer(method, path, body string, header ...string) (int, string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.url(path), strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// TestSeedContainer runs the container command of the reference: reachable from
// everywhere, it asks for a token, and says where the one that it made is.
func TestSeedContainer(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	socket := "/var/run/docker.sock"
	if _, err := os.Stat(socket); err != nil {
		notrun.Because(t, "the engine's socket is not at "+socket)
	}
	text, err := os.ReadFile(filepath.Join("testdata", "seed", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	_, cmd, _ := strings.Cut(string(text), "\nCMD ")
	var command []string
	if err := json.Unmarshal([]byte(cmd), &command); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	args := append([]string{"create", "-w", "/app", "-v", socket + ":" + socket, "-p", fmt.Sprintf("127.0.0.1:%d:8081", port), image}, command...)
	id := docker(t, args...)
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "-f", id).Run() })
	docker(t, "cp", binary(t, ""), id+":/app/pin")
	docker(t, "start", id)

	d := &daemon{t: t, port: port, out: &syncBuffer{}}
	for _, path := range []string{"/", "/health"} {
		d.eventually(path+" answers", func() bool { return d.ask("GET", path, "") == http.StatusOK })
	}
	for _, r := range [][2]string{{"GET", "/events"}, {"POST", "/trigger"}, {"GET", "/v1/runs"}} {
		if status, text := d.answer(r[0], r[1], one(image, "echo hi")); status != http.StatusUnauthorized || !strings.Contains(text, "callers from other machines need a token") {
			t.Errorf("%s %s: %d %s", r[0], r[1], status, text)
		}
	}
	log := docker(t, "logs", id)
	_, file, ok := strings.Cut(log, "need a token: it was made and is in ")
	if !ok {
		t.Fatalf("the log names no token:\n%s", log)
	}
	file, _, _ = strings.Cut(file, " ")
	token := docker(t, "exec", id, "cat", file)
	if strings.Contains(log, token) {
		t.Error("the log shows the token itself")
	}
	status, answer := d.answer("POST", "/trigger", one(image, "echo from a container"), "Authorization", "Bearer "+token)
	if status != http.StatusOK {
		t.Fatalf("with the token: %d %s", status, answer)
	}
	d.eventually("the run succeeds", func() bool {
		_, text := d.answer("GET", "/v1/runs", "", "Authorization", "Bearer "+token)
		return strings.Contains(text, `"state":"succeeded"`)
	})
	docker(t, "stop", "-t", "10", id)
	if code := docker(t, "inspect", "-f", "{{.State.ExitCode}}", id); code != "0" {
		t.Errorf("after SIGTERM it ended with %s:\n%s", code, docker(t, "logs", id))
	}
}

// docker runs the engine's own client and gives what it printed.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}
