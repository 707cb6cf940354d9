package docker

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/filecopy"
	"github.com/abide-agent/abide/runner/script"
	"github.com/abide-agent/abide/sse"
)

// fill puts into the created container what must be there before it starts: the
// tree, and a script that is too long for an argument.
func (a *attempt) fill(ctx context.Context) error {
	if a.spec.Job.CopyFiles && a.spec.Tree != nil {
		if err := a.copyTree(ctx); err != nil {
			return err
		}
	}
	if len(a.cmd.Files) == 0 {
		return nil
	}
	text, err := archive(a.cmd.Files)
	if err != nil {
		return err
	}
	err = a.eng.api.CopyToContainer(ctx, a.id, "/", text, container.CopyToContainerOptions{})
	return a.eng.explain(err, "the script could not be put into the container")
}

// archive makes a tar of a script's files. Anyone may read them.
func archive(files []script.File) (io.Reader, error) {
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	for _, f := range files {
		if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.Name, Mode: 0o755, Size: int64(len(f.Text)), ModTime: time.Now()}); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(tw, f.Text); err != nil {
			return nil, err
		}
	}
	return &buf, tw.Close()
}

// copyTree streams the tree into the working directory, which the engine has
// made. What is copied belongs to the image's user, and so does the directory:
// the container is this job's alone, and a build writes beside its sources.
func (a *attempt) copyTree(ctx context.Context) error {
	tree, err := a.spec.Tree(ctx)
	if err != nil {
		return fmt.Errorf("copyFiles has nothing to copy: %w", err)
	}
	uid, gid := a.owner(ctx)
	target, prefix := a.target(ctx, uid)
	r, w := io.Pipe()
	type outcome struct {
		digest string
		err    error
	}
	streamed := make(chan outcome, 1)
	go func() {
		out := bufio.NewWriterSize(w, 1<<20)
		sink := filecopy.NewTar(out, prefix, uid, gid)
		var o outcome
		if prefix != "" {
			o.err = sink.Root()
		}
		if o.err == nil {
			o.digest, o.err = filecopy.Copy(ctx, tree, runner.CopySet(tree, a.spec.Job.CopyIgnore), sink)
		}
		if o.err == nil {
			o.err = errors.Join(sink.Close(), out.Flush())
		}
		w.CloseWithError(o.err)
		streamed <- o
	}()
	err = a.eng.api.CopyToContainer(ctx, a.id, target, r, container.CopyToContainerOptions{})
	r.CloseWithError(errNotTaken)
	o := <-streamed
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case o.err != nil && !errors.Is(o.err, errNotTaken):
		return fmt.Errorf("copyFiles: %w", o.err) // the engine only saw that the stream broke
	case err != nil:
		return a.eng.explain(err, fmt.Sprintf("copyFiles could not fill %s", a.dir))
	case o.err != nil:
		return o.err
	}
	a.tree = o.digest
	return nil
}

// target gives where the archive is unpacked, and what stands before its names.
// The engine leaves the owner of the directory that it unpacks into alone, so
// that a user's tree goes by way of the directory's parent; but not over a link,
// which would be in the way of a directory.
func (a *attempt) target(ctx context.Context, uid int) (dir, prefix string) {
	if uid == 0 || a.dir == "/" {
		return a.dir, ""
	}
	st, err := a.eng.api.ContainerStatPath(ctx, a.id, a.dir)
	if err != nil || !st.Mode.IsDir() {
		return a.dir, ""
	}
	return path.Dir(a.dir), path.Base(a.dir) + "/"
}

var errNotTaken = errors.New("the engine didn't take the whole tree")

// owner gives the numeric user that the container runs as. A name is looked up
// in the image's own passwd; when that fails the tree belongs to root, and the
// job is told.
func (a *attempt) owner(ctx context.Context) (uid, gid int) {
	if a.img.root() {
		return 0, 0
	}
	uid, gid, err := a.resolveUser(ctx, a.img.user)
	if err != nil {
		a.obs.Narrate(sse.Warning, fmt.Sprintf("The image runs as %s, whose number is unknown (%s): the copied files belong to root", a.img.user, message(err)))
		return 0, 0
	}
	return uid, gid
}
