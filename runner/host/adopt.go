package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/filecopy"
	"github.com/abide-agent/abide/runner/owner"
)

// List gives the jobs whose directory carries the agent's label. With agent
// empty it gives those of runs that kept no state and whose process is gone.
func (e *Executor) List(_ context.Context, agent string) ([]runner.Workload, error) {
	entries, err := os.ReadDir(e.dir)
	if err != nil {
		return nil, fmt.Errorf("the jobs of the host executor can't be listed: %w", err)
	}
	var out []runner.Workload
	var errs []error
	for _, entry := range entries {
		s, err := e.open(entry.Name())
		if errors.Is(err, runner.ErrGone) {
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if s.Labels.Agent != agent || agent == "" && !owner.Gone(s.Owner) {
			continue
		}
		out = append(out, runner.Workload{ID: s.id, Labels: s.Labels, Running: s.running(), Started: s.PID != 0})
	}
	return out, errors.Join(errs...)
}

// Adopt ends what an earlier life left and gives ErrGone: the output of a
// process is lost with the agent that read it.
func (e *Executor) Adopt(ctx context.Context, id string, _ runner.Spec, _ map[runner.Stream]int, _ runner.Observer) (runner.Result, error) {
	res := runner.Result{ID: id}
	if err := e.Remove(ctx, id); err != nil {
		return res, err
	}
	return res, fmt.Errorf("job %s was a plain process, which no later agent can go on with: %w", id, runner.ErrGone)
}

// Remove kills all processes of a job and removes its directory.
func (e *Executor) Remove(_ context.Context, id string) error {
	s, err := e.open(id)
	if errors.Is(err, runner.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.end(); err != nil {
		return err
	}
	return s.erase()
}

// Artifact streams a path of an ended job as a tar archive whose first entry
// bears the path's last element. A relative path counts from workDir, an
// absolute one from the scratch root.
func (e *Executor) Artifact(ctx context.Context, id, name string) (io.ReadCloser, error) {
	s, err := e.open(id)
	if err != nil {
		return nil, err
	}
	full := name
	if !path.IsAbs(name) {
		full = path.Join(s.WorkDir, name)
	}
	root, err := os.OpenRoot(filepath.Join(s.dir, rootName))
	if err != nil {
		return nil, err
	}
	info, err := root.Lstat(inside(full))
	if err != nil {
		root.Close()
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("artifactPath %s doesn't exist after the job; create it in the script, or correct the path", full)
		}
		return nil, fmt.Errorf("artifactPath %s could not be read: %w", full, err)
	}
	r, w := io.Pipe()
	go func() {
		defer root.Close()
		out := bufio.NewWriter(w)
		err := pack(ctx, root, inside(full), info, out)
		w.CloseWithError(errors.Join(err, out.Flush()))
	}()
	return r, nil
}

// pack writes one file, link or directory of root as a tar archive.
func pack(ctx context.Context, root *os.Root, name string, info fs.FileInfo, w io.Writer) error {
	base := path.Base(name)
	if info.IsDir() {
		sub, err := fs.Sub(root.FS(), name)
		if err != nil {
			return err
		}
		t := filecopy.NewTar(w, base+"/", 0, 0)
		if err := t.Root(); err != nil {
			return err
		}
		if _, err := filecopy.Copy(ctx, sub, runner.CopySet(sub, nil), t); err != nil {
			return err
		}
		return t.Close()
	}
	t := filecopy.NewTar(w, "", 0, 0)
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := root.Readlink(name)
		return errors.Join(err, t.Link(base, target, info), t.Close())
	}
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return errors.Join(t.File(base, info, io.LimitReader(f, info.Size())), t.Close())
}
