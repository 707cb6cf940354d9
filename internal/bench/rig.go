package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"github.com/abide-agent/abide/internal/testimage"
)

// rig is what all subjects share: the built command, the images, an engine and
// a directory for everything that is made.
type rig struct {
	dir           string
	binary        string
	quick         bool
	images        testimage.Images
	engine        *client.Client
	engineVersion string
	mark          string // in the names of all jobs of this run, so that its containers can be counted
	names         atomic.Int64
}

func newRig(ctx context.Context, quick bool, binary string) (r *rig, err error) {
	r = &rig{quick: quick, binary: binary, mark: fmt.Sprintf("bench%d", os.Getpid())}
	if r.images, err = testimage.Ensure(ctx); err != nil {
		return nil, err
	}
	if r.engine, err = client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation()); err != nil {
		return nil, err
	}
	version, err := r.engine.ServerVersion(ctx)
	if err != nil {
		return nil, err
	}
	r.engineVersion = version.Version
	if r.dir, err = os.MkdirTemp("", "abide-bench-"); err != nil {
		return nil, err
	}
	if binary == "" {
		r.binary = filepath.Join(r.dir, "abide")
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", r.binary, "./cmd/abide")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return nil, errors.Join(fmt.Errorf("abide can't be built: %w; run it at the top of the project", err), r.close())
		}
	}
	return r, nil
}

func (r *rig) close() error { return errors.Join(r.engine.Close(), os.RemoveAll(r.dir)) }

// rounds gives how often to measure.
func (r *rig) rounds(full, quick int) int {
	if r.quick {
		return quick
	}
	return full
}

// name makes a name that nothing else in this run has.
func (r *rig) name(what string) string { return fmt.Sprintf("%s-%s%d", r.mark, what, r.names.Add(1)) }

// fresh makes an empty directory.
func (r *rig) fresh(what string) (string, error) {
	dir := filepath.Join(r.dir, r.name(what))
	return dir, os.MkdirAll(dir, 0o755)
}

// file writes a file of its own and gives its path.
func (r *rig) file(what, text string) (string, error) {
	name := filepath.Join(r.dir, r.name(what)+".yaml")
	return name, os.WriteFile(name, []byte(text), 0o644)
}

// environment is the caller's without settings of an agent of his.
func environment(extra ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "ABIDE_") })
	return append(env, extra...)
}

// abide runs the command to its end and gives what it printed.
func (r *rig) abide(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, r.binary, args...)
	cmd.Env = environment()
	return finish(cmd)
}

// docker runs Docker's own client, the peer of most figures.
func (r *rig) docker(ctx context.Context, args ...string) (string, error) {
	return finish(exec.CommandContext(ctx, "docker", args...))
}

func finish(cmd *exec.Cmd) (string, error) {
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w: %s%s", strings.Join(cmd.Args, " "), err, out, stderr.String())
	}
	return string(out), nil
}

// containers counts those of this run's jobs that exist, running or not.
func (r *rig) containers(ctx context.Context) (int, error) {
	list, err := r.engine.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", labelJob))})
	n := 0
	for _, c := range list {
		if strings.HasPrefix(c.Labels[labelJob], r.mark) {
			n++
		}
	}
	return n, err
}

// labelJob is where a container says which job it runs: part of the promise
// that the agent makes to people who look at `docker ps`.
const labelJob = "dev.abide.job"
