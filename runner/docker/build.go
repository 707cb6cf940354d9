package docker

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/distribution/reference"
	buildapi "github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sse"
)

// build makes the image of a job's Dockerfile from the snapshot's tree. The
// context is the Dockerfile's directory. An image that was built from the same
// content is used as it is.
func (e *Executor) build(ctx context.Context, eng *engine, spec runner.Spec, obs runner.Observer) (picture, error) {
	if spec.Tree == nil {
		return picture{}, fmt.Errorf("dockerfile %s: this run has no files to build from; run the pipeline from a directory or a Git repository", spec.Job.Dockerfile)
	}
	tree, err := spec.Tree(ctx)
	if err != nil {
		return picture{}, fmt.Errorf("dockerfile %s: its directory can't be read: %w", spec.Job.Dockerfile, err)
	}
	bc, err := newBuildContext(ctx, tree, spec.Job.Dockerfile)
	if err != nil {
		return picture{}, err
	}
	tags := imageTags(spec, bc.digest)
	unlock, _, err := e.busy.lock(ctx, eng.host+" "+tags[0])
	if err != nil {
		return picture{}, err
	}
	defer unlock()
	if img, ok, err := eng.built(ctx, bc.digest, tags); err != nil || ok {
		if ok {
			obs.Narrate(sse.Info, fmt.Sprintf("Image %s is up to date with %s", img.name, spec.Job.Dockerfile))
		}
		return img, err
	}
	obs.Narrate(sse.Info, fmt.Sprintf("Building image %s from %s", tags[0], spec.Job.Dockerfile))
	if err := e.send(ctx, eng, bc, tags, spec, obs); err != nil {
		return picture{}, err
	}
	img, err := eng.look(ctx, tags[0])
	return img, eng.explain(err, fmt.Sprintf("the image that %s gave can't be used", spec.Job.Dockerfile))
}

// built looks for an image that was built from a context with this digest, and
// gives it the names that a build would have given it.
func (g *engine) built(ctx context.Context, digest string, tags []string) (picture, bool, error) {
	found, err := g.api.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("label", LabelContext+"="+digest))})
	if err != nil {
		return picture{}, false, g.explain(err, "the engine could not list its images")
	}
	for _, f := range found {
		for _, tag := range tags {
			if slices.Contains(f.RepoTags, tag) {
				continue
			}
			if err := g.api.ImageTag(ctx, f.ID, tag); err != nil {
				return picture{}, false, g.explain(err, "the engine could not name the built image "+tag)
			}
		}
		if img, err := g.look(ctx, tags[0]); err == nil {
			return img, true, nil
		}
	}
	return picture{}, false, nil
}

// send performs one build and tells what it prints.
func (e *Executor) send(ctx context.Context, eng *engine, bc *buildContext, tags []string, spec runner.Spec, obs runner.Observer) error {
	auths, err := e.allCredentials(ctx)
	if err != nil {
		obs.Narrate(sse.Warning, fmt.Sprintf("Registry credentials can't be read: %s; building without", message(err)))
	}
	opts := buildapi.ImageBuildOptions{
		Tags: tags, Dockerfile: bc.dockerfile, Remove: true, ForceRemove: true, AuthConfigs: auths,
		Labels: map[string]string{LabelContext: bc.digest, LabelSource: spec.Labels.Source, LabelJob: spec.Labels.Job},
	}
	var to listener = &classicLog{obs: obs}
	if bc.needsBuildKit() {
		opts.Version = buildapi.BuilderBuildKit
		opts.BuildID = clean(spec.Labels.Run, 40) + "-" + bc.digest[:19]
		to = &buildkitLog{obs: obs, names: map[string]string{}}
	}
	r, w := io.Pipe()
	streamed := make(chan error, 1)
	go func() {
		err := bc.stream(ctx, w)
		w.CloseWithError(err)
		streamed <- err
	}()
	resp, err := eng.api.ImageBuild(ctx, r, opts)
	if err == nil {
		err = follow(resp.Body, to)
	}
	r.CloseWithError(errNotTaken)
	serr := <-streamed
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		return nil // a Dockerfile that copies nothing leaves its context untaken
	case serr != nil && !isNotTaken(serr):
		return serr
	}
	return eng.explain(err, fmt.Sprintf("dockerfile %s could not be built", spec.Job.Dockerfile))
}

// buildRepository begins the names of all built images.
const buildRepository = "abide/"

// imageTags gives what a built image is called: a name that holds its content's
// digest, and the name that pin's users know, both in lower case as Docker
// demands.
func imageTags(spec runner.Spec, digest string) []string {
	_, hex, _ := strings.Cut(digest, ":")
	source := spec.Labels.Source
	if source == "" {
		source = "x"
	}
	own := buildRepository + component(source) + "-" + component(spec.Job.Name) + ":" + hex[:12]
	pins := component(spec.Job.Name) + "-custom:latest"
	tags := []string{own}
	if _, err := reference.ParseNormalizedNamed(pins); err == nil {
		tags = append(tags, pins)
	}
	return tags
}

// component makes s a path component of an image's name: lower case letters and
// digits, with single separators between them.
func component(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(clean(s, 60)) {
		if r == '.' || r == '_' || r == '-' {
			if last := b.String(); last != "" && !strings.HasSuffix(last, "-") {
				b.WriteByte('-')
			}
			continue
		}
		b.WriteRune(r)
	}
	return strings.Trim(b.String(), "-")
}

// checkDockerfile reads the Dockerfile itself, or says what is wrong with it.
func checkDockerfile(tree fs.FS, name string) (string, []byte, error) {
	clean := path.Clean(strings.TrimPrefix(name, "/"))
	if !fs.ValidPath(clean) {
		return "", nil, fmt.Errorf("dockerfile %s leaves the source's tree; name a file inside it", name)
	}
	info, err := fs.Stat(tree, clean)
	if err != nil {
		return "", nil, fmt.Errorf("dockerfile %s is not in the source's tree: %w; name it from the tree's root", name, err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxDockerfile {
		return "", nil, fmt.Errorf("dockerfile %s is no regular file of at most %d bytes; name the Dockerfile itself, not its directory", name, maxDockerfile)
	}
	text, err := fs.ReadFile(tree, clean)
	return clean, text, err
}
