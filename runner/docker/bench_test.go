package docker_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"github.com/abide-agent/abide/internal/testimage"
	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/docker"
	"github.com/abide-agent/abide/runner/executortest"
)

// All comparisons are interleaved, in one run, of the same image: what else the
// machine does meets each side alike. Ratios are of medians.

type bench struct {
	b     *testing.B
	e     *docker.Executor
	api   *client.Client
	image string
}

func newBench(b *testing.B) *bench {
	b.Helper()
	image := testimage.Require(b).Cmd
	e, err := docker.New(docker.Options{})
	if err != nil {
		b.Fatal(err)
	}
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Close(); api.Close() })
	return &bench{b: b, e: e, api: api, image: image}
}

// job runs one job with abide, removal included.
func (x *bench) job(spec runner.Spec, obs runner.Observer) {
	res, err := x.e.Run(x.b.Context(), spec, obs)
	if err != nil || res.ExitCode != 0 {
		x.b.Errorf("exit code %d, error %v", res.ExitCode, err)
	}
	if err := x.e.Remove(x.b.Context(), res.ID); err != nil {
		x.b.Error(err)
	}
}

func (x *bench) hi(n int) runner.Spec {
	return runner.Spec{
		Labels: runner.Labels{Agent: "bench", Run: "bench", Job: "j" + strconv.Itoa(n), Attempt: 1},
		Job:    &runner.Job{Name: "j", Image: x.image, Script: []string{"echo hi"}, Errexit: true},
	}
}

// peer runs the same with Docker's own client; it gives false without one.
func (x *bench) peer() {
	out, err := exec.CommandContext(x.b.Context(), "docker", "run", "--rm", x.image, "sh", "-c", "echo hi").CombinedOutput()
	if err != nil {
		x.b.Errorf("docker run: %v: %s", err, out)
	}
}

// floor does the API calls that can't be left out, and nothing else.
func (x *bench) floor() {
	ctx := x.b.Context()
	c, err := x.api.ContainerCreate(ctx, &container.Config{Image: x.image, Cmd: []string{"sh", "-c", "echo hi"}, AttachStdout: true}, nil, nil, nil, "")
	if err != nil {
		x.b.Fatal(err)
	}
	conn, err := x.api.ContainerAttach(ctx, c.ID, container.AttachOptions{Stream: true, Stdout: true})
	if err != nil {
		x.b.Fatal(err)
	}
	answer, failure := x.api.ContainerWait(ctx, c.ID, container.WaitConditionNextExit)
	if err := x.api.ContainerStart(ctx, c.ID, container.StartOptions{}); err != nil {
		x.b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, conn.Reader)
	conn.Close()
	select {
	case <-answer:
	case err := <-failure:
		x.b.Fatal(err)
	}
	if err := x.api.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true}); err != nil {
		x.b.Fatal(err)
	}
}

func timed(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// compare interleaves sides and reports each one's median against the first's
// and the second's.
func (x *bench) compare(names []string, sides ...func()) {
	if _, err := exec.LookPath("docker"); err != nil {
		testimage.NotRun(x.b, "the peer, the docker command, is not installed")
	}
	took := make([][]time.Duration, len(sides))
	for x.b.Loop() {
		for i, side := range sides {
			took[i] = append(took[i], timed(side))
		}
	}
	first := median(took[0])
	for i, name := range names {
		m := median(took[i])
		x.b.ReportMetric(float64(m.Microseconds())/1000, name+"-ms")
		if i > 0 {
			x.b.ReportMetric(float64(first)/float64(m), "ratio-to-"+name)
		}
	}
}

func BenchmarkOneJob(b *testing.B) {
	x := newBench(b)
	x.compare([]string{"abide", "docker-run", "floor"},
		func() { x.job(x.hi(0), executortest.NewRecorder()) }, x.peer, x.floor)
}

func BenchmarkTenSequential(b *testing.B) {
	x := newBench(b)
	ten := func(f func(int)) func() {
		return func() {
			for i := range 10 {
				f(i)
			}
		}
	}
	x.compare([]string{"abide", "docker-run"},
		ten(func(i int) { x.job(x.hi(i), executortest.NewRecorder()) }), ten(func(int) { x.peer() }))
}

func BenchmarkTenParallel(b *testing.B) {
	x := newBench(b)
	ten := func(f func(int)) func() {
		return func() {
			var wg sync.WaitGroup
			for i := range 10 {
				wg.Go(func() { f(i) })
			}
			wg.Wait()
		}
	}
	x.compare([]string{"abide", "docker-run"},
		ten(func(i int) { x.job(x.hi(i), executortest.NewRecorder()) }), ten(func(int) { x.peer() }))
}

func BenchmarkSoloItem(b *testing.B) {
	x := newBench(b)
	const items = 51
	spec := func(n int) runner.Spec {
		s := x.hi(n)
		s.Job.SoloExecution = true
		s.Job.Script = slices.Repeat([]string{"echo hi"}, n)
		return s
	}
	var one, many []time.Duration
	for b.Loop() {
		one = append(one, timed(func() { x.job(spec(1), executortest.NewRecorder()) }))
		many = append(many, timed(func() { x.job(spec(items), executortest.NewRecorder()) }))
	}
	b.ReportMetric(float64((median(many)-median(one)).Microseconds())/1000/(items-1), "ms/item")
}

// clock measures how late lines come that hold the time they were printed at.
type clock struct {
	*executortest.Recorder
	late []time.Duration
}

func (c *clock) Line(_ runner.Stream, text string, _ bool) {
	if ns, err := strconv.ParseInt(text, 10, 64); err == nil {
		c.late = append(c.late, time.Since(time.Unix(0, ns)))
	}
}

func BenchmarkLineLatency(b *testing.B) {
	x := newBench(b)
	var late []time.Duration
	for b.Loop() {
		spec := x.hi(0)
		spec.Job.Script = []string{"emit 200 5"}
		c := &clock{Recorder: executortest.NewRecorder()}
		x.job(spec, c)
		late = append(late, c.late...)
	}
	slices.Sort(late)
	b.ReportMetric(float64(late[len(late)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(late[len(late)*99/100].Microseconds())/1000, "p99-ms")
}

// manyFiles makes 5,000 files of 4 KiB in 100 directories.
func manyFiles(b *testing.B) string {
	dir := b.TempDir()
	text := []byte(strings.Repeat("0123456789abcde\n", 256))
	for i := range 5000 {
		sub := filepath.Join(dir, fmt.Sprintf("d%02d", i%100))
		if i < 100 {
			if err := os.Mkdir(sub, 0o755); err != nil {
				b.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("f%04d", i)), text, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// copyClock measures the step between the container's creation and its start,
// in which nothing but the copy happens.
type copyClock struct {
	*executortest.Recorder
	created, starting time.Time
}

func (c *copyClock) Created(id, image string) error {
	c.created = time.Now()
	return c.Recorder.Created(id, image)
}

func (c *copyClock) Narrate(level, message string) {
	if message == "Starting the container" {
		c.starting = time.Now()
	}
	c.Recorder.Narrate(level, message)
}

func BenchmarkCopyFiles(b *testing.B) {
	x := newBench(b)
	dir := manyFiles(b)
	var ours, theirs []time.Duration
	for b.Loop() {
		spec := x.hi(0)
		spec.Job.CopyFiles = true
		spec.Tree = func(context.Context) (fs.FS, error) { return os.DirFS(dir), nil }
		c := &copyClock{Recorder: executortest.NewRecorder()}
		x.job(spec, c)
		ours = append(ours, c.starting.Sub(c.created))

		made, err := x.api.ContainerCreate(b.Context(), &container.Config{Image: x.image, WorkingDir: "/root"}, nil, nil, nil, "")
		if err != nil {
			b.Fatal(err)
		}
		theirs = append(theirs, timed(func() {
			if out, err := exec.CommandContext(b.Context(), "docker", "cp", dir+"/.", made.ID+":/root").CombinedOutput(); err != nil {
				b.Errorf("docker cp: %v: %s", err, out)
			}
		}))
		if err := x.e.Remove(b.Context(), made.ID); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(median(ours).Microseconds())/1000, "abide-ms")
	b.ReportMetric(float64(median(theirs).Microseconds())/1000, "docker-cp-ms")
	b.ReportMetric(float64(median(ours))/float64(median(theirs)), "ratio-to-docker-cp")
}
