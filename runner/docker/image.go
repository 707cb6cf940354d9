package docker

import (
	"context"
	"fmt"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sse"
)

// picture is what is known about an image before a container is made of it.
type picture struct {
	name    string // as the pipeline writes it
	id      string
	user    string
	workDir string
}

// root says whether the image's processes run as root.
func (p picture) root() bool {
	name, _, _ := strings.Cut(p.user, ":")
	return name == "" || name == "root" || strings.Trim(name, "0") == ""
}

// look asks the engine for an image by any form of name: with or without tag,
// by digest, by (short) id.
func (g *engine) look(ctx context.Context, name string) (picture, error) {
	info, err := g.api.ImageInspect(ctx, name)
	if err != nil {
		return picture{}, err
	}
	p := picture{name: name, id: info.ID}
	if info.Config != nil {
		p.user, p.workDir = info.Config.User, info.Config.WorkingDir
	}
	return p, nil
}

// image makes sure that the job's image is there, by pulling or building it
// where needed.
func (e *Executor) image(ctx context.Context, eng *engine, spec runner.Spec, obs runner.Observer) (picture, error) {
	if spec.Job.Dockerfile != "" {
		return e.build(ctx, eng, spec, obs)
	}
	name := spec.Job.Image
	img, err := eng.look(ctx, name)
	if err == nil {
		obs.Narrate(sse.Info, "Image is available")
		return img, nil
	}
	if !cerrdefs.IsNotFound(err) {
		if _, perr := reference.ParseNormalizedNamed(name); perr != nil && cerrdefs.IsInvalidArgument(err) {
			err = perr
		}
		return picture{}, eng.explain(err, fmt.Sprintf("image %q can't be used", name))
	}
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return picture{}, fmt.Errorf("image %q is not on the engine, and is no name to pull it by: %w; write it as name:tag", name, err)
	}
	ref = reference.TagNameOnly(ref)
	unlock, waited, err := e.busy.lock(ctx, eng.host+" "+ref.String())
	if err != nil {
		return picture{}, err
	}
	defer unlock()
	if waited { // another job has pulled it meanwhile, or has failed to
		if img, err := eng.look(ctx, name); err == nil {
			obs.Narrate(sse.Info, "Image is available")
			return img, nil
		}
	}
	if err := e.pull(ctx, eng, ref, obs); err != nil {
		return picture{}, err
	}
	img, err = eng.look(ctx, name)
	return img, eng.explain(err, fmt.Sprintf("image %q was pulled and can't be used", name))
}
