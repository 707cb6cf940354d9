package docker

import (
	"context"
	"fmt"
	"net"
	"path"
	"strconv"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/script"
)

const (
	createGrace = 5 * time.Second // a create that a cancel interrupts may finish within this
	startGrace  = 3 * time.Second // the same for a start
)

// attempt is one Run or Adopt under way.
type attempt struct {
	exec *Executor
	eng  *engine
	spec runner.Spec
	obs  runner.Observer
	img  picture
	cmd  script.Command
	dir  string // the working directory in the container
	id   string
	tree string // the digest of what was copied
}

// defaultDir is where pin ran its scripts.
const defaultDir = "/root"

// workDir decides where a script runs when the job doesn't say: pin's /root, as
// long as the image's user may enter it. Else the image's own directory counts,
// and a copied tree never lands on the image's root.
func workDir(job *runner.Job, img picture) string {
	switch {
	case job.WorkDir != "":
		return path.Clean(job.WorkDir)
	case img.root():
		return defaultDir
	case img.workDir != "" && path.Clean(img.workDir) != "/":
		return path.Clean(img.workDir)
	case job.CopyFiles:
		return "/workspace"
	}
	return "/"
}

// create makes the container. On return it exists or it doesn't: a cancel in
// the middle is followed up by name.
func (a *attempt) create(ctx context.Context) error {
	config, host, err := a.config()
	if err != nil {
		return err
	}
	name := containerName(a.spec.Labels)
	made, cancel := outlive(ctx, createGrace)
	defer cancel()
	resp, err := a.eng.api.ContainerCreate(made, config, host, nil, nil, name)
	if cerrdefs.IsConflict(err) && a.reclaim(made, name) {
		resp, err = a.eng.api.ContainerCreate(made, config, host, nil, nil, name)
	}
	if cerrdefs.IsConflict(err) { // somebody else's: let the engine choose a name
		resp, err = a.eng.api.ContainerCreate(made, config, host, nil, nil, "")
	}
	if err != nil {
		if made.Err() != nil {
			a.exec.work.Go(func() { a.reclaim(context.WithoutCancel(ctx), name) })
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return a.eng.explain(err, fmt.Sprintf("the container of job %s could not be created from image %s", a.spec.Job.Name, a.img.name))
	}
	a.id = resp.ID
	a.exec.note(a.id, a.eng)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return nil
}

// reclaim removes a container that bears our name and our labels: an earlier
// life died between making it and recording it. It gives false when the name
// is somebody else's.
func (a *attempt) reclaim(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	info, err := a.eng.api.ContainerInspect(ctx, name)
	if err != nil || info.Config == nil || parseLabels(info.Config.Labels) != a.spec.Labels {
		return false
	}
	return a.eng.remove(ctx, info.ID) == nil
}

func (a *attempt) config() (*container.Config, *container.HostConfig, error) {
	exposed, bindings, err := ports(a.spec.Job.Ports)
	if err != nil {
		return nil, nil, err
	}
	return &container.Config{
		Image:        a.img.name,
		Entrypoint:   a.cmd.Argv[:1],
		Cmd:          a.cmd.Argv[1:],
		WorkingDir:   a.dir,
		Env:          a.spec.Job.Env,
		Labels:       labels(a.spec.Labels),
		ExposedPorts: exposed,
		AttachStdout: true,
		AttachStderr: true,
		Healthcheck:  &container.HealthConfig{Test: []string{"NONE"}}, // the image's own would be about its own entry process
	}, &container.HostConfig{PortBindings: bindings}, nil
}

func ports(list []runner.Port) (nat.PortSet, nat.PortMap, error) {
	if len(list) == 0 {
		return nil, nil, nil
	}
	exposed, bindings := nat.PortSet{}, nat.PortMap{}
	for _, p := range list {
		proto := p.Protocol
		if proto == "" {
			proto = "tcp"
		}
		port, err := nat.NewPort(proto, strconv.Itoa(p.ContainerPort))
		if err != nil {
			return nil, nil, fmt.Errorf("port %d/%s can't be published: %w", p.ContainerPort, proto, err)
		}
		ip := strings.Trim(p.HostIP, "[]")
		if ip == "localhost" {
			ip = "127.0.0.1" // the engine would take any name for "all interfaces"
		}
		if ip != "" && net.ParseIP(ip) == nil {
			return nil, nil, fmt.Errorf("port %s:%d:%d can't be published: %q is not an IP address", p.HostIP, p.HostPort, p.ContainerPort, p.HostIP)
		}
		exposed[port] = struct{}{}
		bindings[port] = append(bindings[port], nat.PortBinding{HostIP: ip, HostPort: strconv.Itoa(p.HostPort)})
	}
	return exposed, bindings, nil
}
