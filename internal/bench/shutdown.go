package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"github.com/abide-agent/abide/sse"
)

// measureShutdown ends agents while a job sleeps that would go on for long.
func measureShutdown(ctx context.Context, r *rig) (rows []row, err error) {
	rounds := r.rounds(5, 2)
	command := func(ctx context.Context) (time.Duration, error) { return r.endCommand(ctx) }
	graceless := func(ctx context.Context) (time.Duration, error) { return r.endDaemon(ctx, 0) }
	graceful := func(ctx context.Context) (time.Duration, error) { return r.endDaemon(ctx, time.Second) }
	remove := func(ctx context.Context) (time.Duration, error) { return r.dockerRemove(ctx) }
	s, err := interleave(ctx, rounds, command, graceless, graceful, remove)
	if err != nil {
		return nil, err
	}
	left, err := r.containers(ctx)
	floor := "`docker rm -f` of such a container: " + span(s[3].median())
	return []row{
		within("SIGTERM → end of the command, a job sleeping, slowest", s[0].quantile(1), 3*time.Second, floor),
		within("SIGTERM → end of the daemon with a client, `--grace 0s`, slowest", s[1].quantile(1), time.Second, floor),
		within("the same with `--grace 1s`, beyond its grace", s[2].quantile(1)-time.Second, time.Second, floor),
		none("containers left behind by these", left, 3*rounds, "containers"),
	}, err
}

func (r *rig) sleeper() (string, job) {
	j := r.series(1, "", "sleep 60")[0]
	return j.name, j
}

// running waits until the container of a job runs.
func (r *rig) running(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return until(ctx, 20*time.Millisecond, func() (bool, error) {
		list, err := r.engine.ContainerList(ctx, container.ListOptions{Filters: filters.NewArgs(filters.Arg("label", labelJob+"="+name))})
		return len(list) == 1, err
	})
}

func (r *rig) endCommand(ctx context.Context) (time.Duration, error) {
	name, j := r.sleeper()
	file, err := r.file("p", pipeline(j))
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(r.binary, "apply", "-f", file)
	cmd.Env = environment()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	err = r.running(ctx, name)
	began := time.Now()
	err = errors.Join(err, cmd.Process.Signal(syscall.SIGTERM))
	if exit := cmd.Wait(); exit == nil {
		err = errors.Join(err, errors.New("a command that was stopped ended with exit code 0"))
	}
	return time.Since(began), err
}

// endDaemon measures to the end of the process, and sees that its client was
// told everything.
func (r *rig) endDaemon(ctx context.Context, grace time.Duration) (time.Duration, error) {
	d, err := r.start(ctx, nil, "--grace", grace.String())
	if err != nil {
		return 0, err
	}
	client, err := d.follow(ctx, "")
	if err != nil {
		return 0, errors.Join(err, d.stop())
	}
	defer client.close()
	name, j := r.sleeper()
	if _, err = d.trigger(ctx, pipeline(j)); err == nil {
		err = r.running(ctx, name)
	}
	took, end := d.terminate()
	if err = errors.Join(err, end); err != nil {
		return 0, err
	}
	for _, want := range []string{sse.TypePipelineInterrupted, sse.TypeDaemonStop} {
		if _, err := client.await(func(e sse.Event) bool { return e.Type == want }); err != nil {
			return 0, fmt.Errorf("the client was not told %s: %w", want, err)
		}
	}
	return took, nil
}

// dockerRemove measures what the engine needs to end and remove such a container.
func (r *rig) dockerRemove(ctx context.Context) (time.Duration, error) {
	out, err := r.docker(ctx, "run", "-d", "--entrypoint", "/bin/sh", r.images.Cmd, "-c", "sleep 60")
	if err != nil {
		return 0, err
	}
	began := time.Now()
	_, err = r.docker(ctx, "rm", "-f", strings.TrimSpace(out))
	return time.Since(began), err
}
