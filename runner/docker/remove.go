package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/owner"
)

// removeTimeout bounds a removal, which goes on when its caller's context ends.
const removeTimeout = 30 * time.Second

// Remove kills and removes a container with its anonymous volumes. A context
// that has ended doesn't keep it from doing so.
func (e *Executor) Remove(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	var errs []error
	for _, eng := range e.holder(id) {
		errs = append(errs, eng.remove(ctx, id))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	e.note(id, nil)
	return nil
}

func (g *engine) remove(ctx context.Context, id string) error {
	err := g.api.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	switch {
	case err == nil, cerrdefs.IsNotFound(err):
		return nil
	case cerrdefs.IsConflict(err): // somebody else is removing it already
		if e := <-g.wait(ctx, id, container.WaitConditionRemoved); e.err == nil || cerrdefs.IsNotFound(e.err) {
			return nil
		}
	}
	return g.explain(err, fmt.Sprintf("container %.12s could not be removed", id))
}

// List gives the containers that carry the agent's label, on all engines that
// are known. With agent empty it gives those of runs that kept no state and
// whose process is gone, so that a later run can clear them away.
func (e *Executor) List(ctx context.Context, agent string) ([]runner.Workload, error) {
	var out []runner.Workload
	var errs []error
	for _, eng := range e.engines() {
		found, err := eng.list(ctx, agent)
		for _, w := range found {
			e.note(w.ID, eng)
		}
		out = append(out, found...)
		errs = append(errs, err)
	}
	return out, errors.Join(errs...)
}

func (g *engine) list(ctx context.Context, agent string) ([]runner.Workload, error) {
	all, err := g.api.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", LabelAgent+"="+agent))})
	if err != nil {
		return nil, g.explain(err, "the engine could not list its containers")
	}
	var out []runner.Workload
	for _, c := range all {
		l := parseLabels(c.Labels)
		if l.Agent != agent || agent == "" && !owner.Gone(c.Labels[LabelOwner]) {
			continue // the engine's filter takes an empty value for any
		}
		started := c.State != container.StateCreated
		out = append(out, runner.Workload{
			ID: c.ID, Labels: l,
			Running:  c.State == container.StateRunning || c.State == container.StatePaused,
			Started:  started,
			Stranded: !started && c.Labels[LabelOwner] != owner.Self(),
		})
	}
	return out, nil
}

// Artifact streams a path of an ended container as a tar archive whose first
// entry bears the path's last element. A relative path counts from the job's
// working directory.
func (e *Executor) Artifact(ctx context.Context, id, name string) (io.ReadCloser, error) {
	var errs []error
	for _, eng := range e.holder(id) {
		body, err := eng.artifact(ctx, id, name)
		if err == nil {
			return body, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func (g *engine) artifact(ctx context.Context, id, name string) (io.ReadCloser, error) {
	full := name
	if !path.IsAbs(name) {
		info, err := g.api.ContainerInspect(ctx, id)
		if cerrdefs.IsNotFound(err) {
			return nil, fmt.Errorf("container %.12s: %w", id, runner.ErrGone)
		}
		if err != nil {
			return nil, g.explain(err, "the container could not be looked at")
		}
		full = path.Join(info.Config.WorkingDir, name)
	}
	body, _, err := g.api.CopyFromContainer(ctx, id, full)
	if cerrdefs.IsNotFound(err) {
		return nil, fmt.Errorf("artifactPath %s doesn't exist after the job; create it in the script, or correct the path", full)
	}
	return body, g.explain(err, fmt.Sprintf("artifactPath %s could not be read", full))
}
