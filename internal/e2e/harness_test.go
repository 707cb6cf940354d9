package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/abide-agent/abide/runner"
)

// binaries are built once for all tests, by their build tags.
var binaries sync.Map

type built struct {
	once sync.Once
	path string
	err  error
}

var binDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "abide-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// binary gives the product, built with the given tags.
func binary(t *testing.T, tags string) string {
	t.Helper()
	v, _ := binaries.LoadOrStore(tags, &built{})
	b := v.(*built)
	b.once.Do(func() {
		b.path = filepath.Join(binDir, "abide"+tags)
		cmd := exec.Command("go", "build", "-tags", tags, "-o", b.path, "github.com/abide-agent/abide/cmd/abide")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

// daemon is a running agent with its state directory, which outlives it.
type daemon struct {
	t     *testing.T
	tags  string
	state string
	port  int
	args  []string
	env   []string

	mu  sync.Mutex
	cmd *exec.Cmd
	out *syncBuffer
	end chan struct{}
}

func newDaemon(t *testing.T, args ...string) *daemon {
	t.Helper()
	// A short path: sockets have room for 107 bytes.
	state, err := os.MkdirTemp("", "abide-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, state: state, port: freePort(t), args: args}
	t.Cleanup(func() {
		d.kill(syscall.SIGKILL)
		d.removeContainers()
		_ = os.RemoveAll(state)
	})
	return d
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// start begins the agent and waits until it answers.
func (d *daemon) start(env ...string) {
	d.t.Helper()
	d.launch(env...)
	for {
		resp, err := http.Get(d.url("/health"))
		if err == nil {
			_ = resp.Body.Close()
			return
		}
		select {
		case <-d.end:
			d.t.Fatalf("the agent ended: %s", d.output())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// launch begins the agent and waits for nothing.
func (d *daemon) launch(env ...string) {
	d.t.Helper()
	args := append([]string{"apply", "--daemon", "--state", d.state, "--port", fmt.Sprint(d.port)}, d.args...)
	cmd := exec.Command(binary(d.t, d.tags), args...)
	cmd.Env = append(append(os.Environ(), d.env...), env...)
	out := &syncBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	end := make(chan struct{})
	d.mu.Lock()
	d.cmd, d.end, d.out = cmd, end, out
	d.mu.Unlock()
	go func() {
		_ = cmd.Wait()
		close(end)
	}()
}

// kill sends a signal, waits for the end, and says how long that took.
func (d *daemon) kill(sig syscall.Signal) time.Duration {
	d.mu.Lock()
	cmd, end := d.cmd, d.end
	d.mu.Unlock()
	if cmd == nil {
		return 0
	}
	begin := time.Now()
	_ = cmd.Process.Signal(sig)
	<-end
	return time.Since(begin)
}

func (d *daemon) output() string { return d.out.String() }

func (d *daemon) url(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", d.port, path) }

// syncBuffer is safe for the two pipes of one process.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// get decodes a JSON answer.
func get[T any](d *daemon, path string) (out T) {
	d.t.Helper()
	resp, err := http.Get(d.url(path))
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		d.t.Fatalf("%s: %v", path, err)
	}
	return out
}

func (d *daemon) runs() []runner.Run {
	d.t.Helper()
	return get[struct {
		Runs []runner.Run `json:"runs"`
	}](d, "/v1/runs").Runs
}

// sources is what /v1/sources answers, as text.
func (d *daemon) sources() string { return string(get[json.RawMessage](d, "/v1/sources")) }

// waitRuns waits until there are n runs and all of them have ended.
func (d *daemon) waitRuns(n int) []runner.Run {
	d.t.Helper()
	var runs []runner.Run
	d.eventually(fmt.Sprintf("%d ended runs", n), func() bool {
		runs = d.runs()
		for _, r := range runs {
			if !r.State.Final() {
				return false
			}
		}
		return len(runs) == n
	})
	return runs
}

// eventually polls until ok, for at most half a minute.
func (d *daemon) eventually(what string, ok func() bool) {
	d.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			d.t.Fatalf("never: %s; the agent said:\n%s", what, d.output())
		}
		time.Sleep(30 * time.Millisecond) // a poll of another process, which nothing can signal
	}
}

// cli runs a command of the product against the daemon.
func (d *daemon) cli(args ...string) (out string, code int) {
	d.t.Helper()
	return cli(d.t, []string{"ABIDE_SERVER=" + d.url("")}, "", args...)
}

func cli(t *testing.T, env []string, stdin string, args ...string) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(t, ""), args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = strings.NewReader(stdin)
	b, err := cmd.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatalf("abide %s: %v", strings.Join(args, " "), err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// stream reads /events in the background; wait blocks until a line has text.
type stream struct {
	t     *testing.T
	body  io.Closer
	lines chan string
}

func (d *daemon) stream(query string) *stream {
	d.t.Helper()
	resp, err := http.Get(d.url("/events" + query))
	if err != nil {
		d.t.Fatal(err)
	}
	s := &stream{t: d.t, body: resp.Body, lines: make(chan string, 10_000)}
	go func() {
		defer close(s.lines)
		sc := bufio.NewScanner(resp.Body)
		for sc.Scan() {
			s.lines <- sc.Text()
		}
	}()
	d.t.Cleanup(func() { _ = resp.Body.Close() })
	return s
}

func (s *stream) wait(text string) string {
	s.t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		select {
		case line, ok := <-s.lines:
			if !ok {
				s.t.Fatalf("the stream ended before %q", text)
			}
			if strings.Contains(line, text) {
				return line
			}
		case <-timeout:
			s.t.Fatalf("never on /events: %q", text)
		}
	}
}

// repository is a Git repository in which the tests commit as people do.
type repository struct {
	t   *testing.T
	dir string
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	r := &repository{t: t, dir: t.TempDir()}
	r.git("init", "-q", "-b", "main")
	return r
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", r.dir, "-c", "user.name=e2e", "-c", "user.email=e2e@example.org"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *repository) write(name, text string) {
	r.t.Helper()
	write(r.t, filepath.Join(r.dir, name), text)
}

func (r *repository) commit(message string) string {
	r.t.Helper()
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", message)
	return r.git("rev-parse", "HEAD")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// containers lists what is left of a daemon's containers.
func (d *daemon) containers() string {
	d.t.Helper()
	id, err := os.ReadFile(filepath.Join(d.state, "agent-id"))
	if err != nil {
		return ""
	}
	return containersOf(d.t, "dev.abide.agent="+strings.TrimSpace(string(id)))
}

// removeContainers removes what a daemon that was killed left, before its state
// is gone and nobody knows whose they are.
func (d *daemon) removeContainers() {
	id, err := os.ReadFile(filepath.Join(d.state, "agent-id"))
	if err != nil {
		return
	}
	out, err := exec.Command("docker", "ps", "-aq", "--filter", "label=dev.abide.agent="+strings.TrimSpace(string(id))).Output()
	if ids := strings.Fields(string(out)); err == nil && len(ids) > 0 {
		_ = exec.Command("docker", append([]string{"rm", "-f"}, ids...)...).Run()
	}
}

func containersOf(t *testing.T, label string) string {
	t.Helper()
	out, err := exec.Command("docker", "ps", "-aq", "--filter", "label="+label).CombinedOutput()
	if err != nil {
		t.Fatalf("docker ps: %v: %s", err, out)
	}
	return string(out)
}
