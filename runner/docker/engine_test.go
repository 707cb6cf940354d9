package docker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/internal/testimage"
	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/docker"
	"github.com/abide-agent/abide/runner/executortest"
)

// flaky is a way to the engine that can be cut.
type flaky struct {
	listener net.Listener
	target   string
	mu       sync.Mutex
	down     bool
	conns    map[net.Conn]bool
	wg       sync.WaitGroup
}

// newFlaky listens on a socket of its own, and passes everything on.
func newFlaky(t *testing.T) *flaky {
	t.Helper()
	host := os.Getenv("DOCKER_HOST")
	if host == "" {
		host = client.DefaultDockerHost
	}
	path, ok := strings.CutPrefix(host, "unix://")
	if !ok {
		testimage.NotRun(t, "the engine is not reached by a Unix socket")
	}
	dir, err := os.MkdirTemp("", "abide") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	f := &flaky{listener: l, target: path, conns: map[net.Conn]bool{}}
	f.wg.Go(f.accept)
	t.Cleanup(func() {
		l.Close()
		f.cut(true)
		f.wg.Wait()
		os.RemoveAll(dir)
	})
	return f
}

func (f *flaky) host() string { return "unix://" + f.listener.Addr().String() }

func (f *flaky) accept() {
	for {
		in, err := f.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("unix", f.target)
		if err != nil || !f.keep(in, out) {
			in.Close()
			continue
		}
		for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
			f.wg.Go(func() {
				buf := make([]byte, 32<<10)
				for {
					n, err := pair[0].Read(buf)
					if _, werr := pair[1].Write(buf[:n]); err != nil || werr != nil {
						break
					}
				}
				pair[0].Close()
				pair[1].Close()
			})
		}
	}
}

func (f *flaky) keep(conns ...net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range conns {
		if f.down {
			c.Close()
		} else {
			f.conns[c] = true
		}
	}
	return !f.down
}

// cut breaks all connections; with down set no new one is made.
func (f *flaky) cut(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
	for c := range f.conns {
		c.Close()
	}
	clear(f.conns)
}

func engineSpec(image string, items ...string) runner.Spec {
	return runner.Spec{
		Labels: runner.Labels{Agent: "engine-test", Run: strconv.FormatInt(time.Now().UnixNano(), 36), Job: "job", Attempt: 1},
		Job:    &runner.Job{Name: "job", Image: image, Script: items, Errexit: true},
	}
}

func TestALostConnectionIsFoundAgain(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	f := newFlaky(t)
	e, err := docker.New(docker.Options{Host: f.host(), Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	rec := executortest.NewRecorder()
	var wg sync.WaitGroup
	wg.Go(func() {
		res, err := e.Run(t.Context(), engineSpec(image, "echo one", "printf tw", "sleep 1", "echo o", "exit 3"), rec)
		if err != nil || res.ExitCode != 3 || res.ID != rec.ID() {
			t.Errorf("exit code %d, error %v\n%s", res.ExitCode, err, rec)
		}
		if err := e.Remove(t.Context(), res.ID); err != nil {
			t.Error(err)
		}
	})
	if err := rec.Await(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	f.cut(false)
	wg.Wait()
	if diff := cmp.Diff([]string{"one", "two"}, rec.Lines(runner.Stdout)); diff != "" {
		t.Error(diff)
	}
	if len(rec.Narrated("connection to the engine")) == 0 {
		t.Errorf("nobody was told:\n%s", rec)
	}
}

func TestAnEngineThatStaysAway(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	f := newFlaky(t)
	e, err := docker.New(docker.Options{Host: f.host(), Reconnect: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	direct := newExecutor(t)
	defer direct.Close()
	rec := executortest.NewRecorder()
	var wg sync.WaitGroup
	wg.Go(func() {
		res, err := e.Run(t.Context(), engineSpec(image, "echo one", "sleep 600"), rec)
		if !errors.Is(err, runner.ErrUnavailable) || res.ID != rec.ID() {
			t.Errorf("%+v, error %v", res, err)
		}
	})
	if err := rec.Await(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	f.cut(true)
	wg.Wait()
	if err := direct.Remove(t.Context(), rec.ID()); err != nil {
		t.Error(err)
	}
}

func TestRemovedBehindOurBack(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	e, other := newExecutor(t), newExecutor(t)
	defer e.Close()
	defer other.Close()
	rec := executortest.NewRecorder()
	var wg sync.WaitGroup
	wg.Go(func() {
		res, err := e.Run(t.Context(), engineSpec(image, "echo one", "sleep 600"), rec)
		if err == nil && res.ExitCode != 137 || err != nil && !errors.Is(err, runner.ErrGone) {
			t.Errorf("%+v, error %v", res, err)
		}
	})
	if err := rec.Await(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if err := other.Remove(t.Context(), rec.ID()); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

func TestStartFailuresAreSentences(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	e := newExecutor(t)
	defer e.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	spec := engineSpec(image, "echo never")
	spec.Job.Ports = []runner.Port{{HostIP: "127.0.0.1", HostPort: port, ContainerPort: 80, Protocol: "tcp"}}
	rec := executortest.NewRecorder()
	res, err := e.Run(t.Context(), spec, rec)
	if err == nil || !strings.Contains(err.Error(), "is in use") || !strings.Contains(err.Error(), fmt.Sprint(port)) {
		t.Errorf("a port in use gives %v", err)
	}
	if err := e.Remove(t.Context(), res.ID); err != nil || res.ID == "" {
		t.Errorf("%+v, Remove: %v", res, err)
	}
	_, err = e.Run(t.Context(), engineSpec("127.0.0.1:1/no/such:image", "true"), rec)
	if err == nil || !strings.Contains(err.Error(), `image "127.0.0.1:1/no/such:image" is not on the engine`) || !strings.Contains(err.Error(), "docker load") {
		t.Errorf("an unknown image gives %v", err)
	}
	_, err = e.Run(t.Context(), engineSpec("Not A Name", "true"), rec)
	if err == nil || !strings.Contains(err.Error(), "Not A Name") {
		t.Errorf("a bad name gives %v", err)
	}
}

func TestAnOrphanOfTheSameNameIsReplaced(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	e := newExecutor(t)
	defer e.Close()
	spec := engineSpec(image, "echo hi")
	first, second := executortest.NewRecorder(), executortest.NewRecorder()
	first.FailCreated = errors.New("the agent died here")
	if _, err := e.Run(t.Context(), spec, first); err == nil {
		t.Error("no error")
	}
	res, err := e.Run(t.Context(), spec, second)
	if err != nil || res.ExitCode != 0 || first.ID() == second.ID() {
		t.Errorf("%+v, error %v", res, err)
	}
	if err := e.Remove(t.Context(), res.ID); err != nil {
		t.Error(err)
	}
	if left, err := e.List(t.Context(), spec.Labels.Agent); err != nil {
		t.Error(err)
	} else {
		for _, w := range left {
			if w.Labels.Run == spec.Labels.Run {
				t.Errorf("left behind: %+v", w)
			}
		}
	}
}

// TestLabels pins what people filter by.
func TestLabels(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	e := newExecutor(t)
	defer e.Close()
	spec := engineSpec(image, "true")
	spec.Labels.Source, spec.Labels.Revision = "repo", "abc123"
	rec := executortest.NewRecorder()
	res, err := e.Run(t.Context(), spec, rec)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Remove(context.WithoutCancel(t.Context()), res.ID)
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	info, err := api.ContainerInspect(t.Context(), res.ID)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"dev.abide.agent": "engine-test", "dev.abide.source": "repo", "dev.abide.revision": "abc123",
		"dev.abide.run": spec.Labels.Run, "dev.abide.job": "job", "dev.abide.attempt": "1",
	} {
		if got := info.Config.Labels[key]; got != want {
			t.Errorf("label %s is %q, want %q", key, got, want)
		}
	}
	if want := "/abide-" + spec.Labels.Run + "-job-1"; info.Name != want {
		t.Errorf("the container is called %s, want %s", info.Name, want)
	}
	if info.HostConfig.Privileged || len(info.Mounts) > 0 || info.State.Status != container.StateExited {
		t.Errorf("privileged %v, mounts %v, %s", info.HostConfig.Privileged, info.Mounts, info.State.Status)
	}
}

// peak gives the most memory that this process ever had resident, in bytes.
func peak(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		testimage.NotRun(t, "the kernel doesn't tell a process's memory: "+err.Error())
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// counter forgets what it is told, as an agent does once it is logged.
type counter struct {
	*executortest.Recorder
	bytes int
}

func (c *counter) Line(_ runner.Stream, text string, more bool) {
	c.bytes += len(text)
	if !more { // a line whose end was late comes in parts
		c.bytes++
	}
}

// TestMemoryIsBounded is not parallel: what it measures is the process's.
func TestMemoryIsBounded(t *testing.T) {
	image := testimage.Require(t).Cmd
	e := newExecutor(t)
	defer e.Close()
	const size = 64_000_000 // whole lines of spew's
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "big"))
	if err == nil {
		err = errors.Join(f.Truncate(size), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	spec := engineSpec(image, "spew "+strconv.Itoa(size))
	spec.Job.CopyFiles = true
	spec.Tree = dirTree(dir)
	c := &counter{Recorder: executortest.NewRecorder()}
	runtime.GC()
	before := peak(t)
	res, err := e.Run(t.Context(), spec, c)
	after := peak(t)
	if err != nil || res.ExitCode != 0 || c.bytes != size {
		t.Errorf("%+v, error %v, %d bytes of output", res, err, c.bytes)
	}
	if err := e.Remove(t.Context(), res.ID); err != nil {
		t.Error(err)
	}
	t.Logf("peak %d MB before, %d MB after", before>>20, after>>20)
	// Half of what passes through shows that nothing is held; how little is
	// really needed is measured in the benchmarks, without the race detector.
	if grown := after - before; grown > size/2 {
		t.Errorf("%d MB in and %d MB out cost %d MiB of memory", size/1_000_000, size/1_000_000, grown>>20)
	}
}
