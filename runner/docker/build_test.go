package docker_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/internal/testimage"
	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/executortest"
)

// removeImages takes what a test built off the engine again.
func removeImages(t *testing.T, names ...string) {
	t.Cleanup(func() {
		api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
		if err != nil {
			t.Fatal(err)
		}
		defer api.Close()
		for _, name := range names {
			if _, err := api.ImageRemove(context.WithoutCancel(t.Context()), name, image.RemoveOptions{Force: true, PruneChildren: true}); err != nil {
				t.Logf("removing image %s: %v", name, err)
			}
		}
	})
}

// buildSpec is a job of a Dockerfile in a tree. Every call gives images of its
// own: what an earlier run built must not count.
func buildSpec(t *testing.T, tree fs.FS, dockerfile string) runner.Spec {
	t.Helper()
	return runner.Spec{
		Labels: runner.Labels{Agent: "build-test", Source: "My Repo", Run: "run-" + t.Name(), Job: "Compile_It", Attempt: 1},
		Job:    &runner.Job{Name: "Compile_It", Dockerfile: dockerfile, Script: []string{"ls -R /ctx", "cat /built"}, Errexit: true},
		Tree:   func(context.Context) (fs.FS, error) { return tree, nil },
	}
}

// perform runs a job and removes its container.
func perform(t *testing.T, e runner.Executor, spec runner.Spec) (runner.Result, *executortest.Recorder, error) {
	t.Helper()
	rec := executortest.NewRecorder()
	res, err := e.Run(t.Context(), spec, rec)
	if rec.ID() != "" {
		if err := e.Remove(t.Context(), rec.ID()); err != nil {
			t.Error(err)
		}
	}
	return res, rec, err
}

func buildTree(t *testing.T, base, extra string) fstest.MapFS {
	t.Helper()
	text := "FROM " + base + "\nCOPY . /ctx\nRUN " + extra + "echo built " + fmt.Sprint(time.Now().UnixNano()) + " > /built\n"
	return fstest.MapFS{
		"Dockerfile":             {Data: []byte("FROM scratch\n"), Mode: 0o644}, // the wrong one
		"app/Dockerfile":         {Data: []byte(text), Mode: 0o644},
		"app/sub/Dockerfile":     {Data: []byte("FROM nowhere\n"), Mode: 0o644},
		"app/main.txt":           {Data: []byte("main"), Mode: 0o644},
		"app/link":               {Data: []byte("main.txt"), Mode: fs.ModeSymlink | 0o777},
		"app/secret.pem":         {Data: []byte("secret"), Mode: 0o600},
		"app/node_modules/x.txt": {Data: []byte("x"), Mode: 0o644},
		"app/node_modules/keep":  {Data: []byte("keep"), Mode: 0o644},
		"app/.dockerignore":      {Data: []byte("*.pem\nnode_modules\n!node_modules/keep\n"), Mode: 0o644},
	}
}

func TestBuildFromTheTree(t *testing.T) {
	t.Parallel()
	base := testimage.Require(t).Cmd
	for name, extra := range map[string]string{"classic": "", "buildkit": "--mount=type=tmpfs,target=/scratch "} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newExecutor(t)
			defer e.Close()
			tree := buildTree(t, base, extra)
			spec := buildSpec(t, tree, "app/Dockerfile")
			spec.Labels.Source, spec.Job.Name = "My Repo", "Compile_It-"+name
			_, rec, err := perform(t, e, spec)
			if err != nil {
				t.Fatalf("%v\n%s", err, rec)
			}
			built := rec.Narrated("Building image")
			if len(built) != 1 || !strings.Contains(built[0], "abide/my-repo-compile-it-"+name+":") {
				t.Fatalf("built %q", built)
			}
			removeImages(t, strings.Fields(built[0])[3], "compile-it-"+name+"-custom:latest")
			want := []string{"/ctx:", "Dockerfile", "link", "main.txt", "node_modules", "sub", "/ctx/node_modules:", "keep", "/ctx/sub:", "Dockerfile"}
			var got []string
			for _, l := range rec.Lines(runner.Stdout) {
				if !strings.HasPrefix(l, "built ") {
					got = append(got, l)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if len(rec.Narrated("build: ")) < 2 {
				t.Errorf("the build was silent:\n%s", rec)
			}
			_, rec, err = perform(t, e, spec)
			if err != nil || len(rec.Narrated("up to date")) != 1 || len(rec.Narrated("Building")) > 0 {
				t.Errorf("the same context was built again (%v):\n%s", err, rec)
			}
		})
	}
}

func TestBuildFailures(t *testing.T) {
	t.Parallel()
	base := testimage.Require(t).Cmd
	e := newExecutor(t)
	t.Cleanup(func() { e.Close() })
	tree := fstest.MapFS{
		"fails":   {Data: []byte("FROM " + base + "\nRUN echo reason; exit 3\n"), Mode: 0o644},
		"syntax":  {Data: []byte("FROM " + base + "\nRUNN x\n"), Mode: 0o644},
		"dir/x":   {Data: []byte("x"), Mode: 0o644},
		"unknown": {Data: []byte("FROM 127.0.0.1:1/no/such:image\n"), Mode: 0o644},
	}
	for file, want := range map[string][]string{
		"fails":   {"dockerfile fails could not be built", "3"},
		"syntax":  {"dockerfile syntax could not be built", "RUNN"},
		"dir":     {"dockerfile dir is no regular file"},
		"missing": {"dockerfile missing is not in the source's tree"},
		"../x":    {"leaves the source's tree"},
		"unknown": {"dockerfile unknown could not be built", "127.0.0.1:1"},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			_, rec, err := perform(t, e, buildSpec(t, tree, file))
			for _, w := range want {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Errorf("the error is %v; want it to say %q\n%s", err, w, rec)
				}
			}
		})
	}
	spec := buildSpec(t, tree, "fails")
	spec.Tree = nil
	if _, _, err := perform(t, e, spec); err == nil || !strings.Contains(err.Error(), "no files to build from") {
		t.Errorf("a build without a tree gives %v", err)
	}
}

func TestBuildIsCancellable(t *testing.T) {
	t.Parallel()
	base := testimage.Require(t).Cmd
	e := newExecutor(t)
	defer e.Close()
	tree := fstest.MapFS{"Dockerfile": {Data: []byte("FROM " + base + "\nRUN echo begun " + fmt.Sprint(time.Now().UnixNano()) + "; sleep 600\n"), Mode: 0o644}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rec := &cancelOn{Recorder: executortest.NewRecorder(), text: "build: begun", cancel: cancel}
	if _, err := e.Run(ctx, buildSpec(t, tree, "Dockerfile"), rec); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled build gives %v\n%s", err, rec.Recorder)
	}
}

// cancelOn ends a context when it is told a certain thing.
type cancelOn struct {
	*executortest.Recorder
	text   string
	cancel func()
}

func (c *cancelOn) Narrate(level, message string) {
	c.Recorder.Narrate(level, message)
	if strings.Contains(message, c.text) {
		c.cancel()
	}
}
