package runner

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/abide-agent/abide/sse"
)

// Bounds of an artifact: a job that fills the host's disk is a failed job.
const (
	maxArtifactBytes = 4 << 30
	maxArtifactFiles = 200_000
)

// artifact fetches job i's artifactPath from its ended container. pin wrote the
// first entry to a file called "*" (pin.md §1); its documentation promises the
// file or directory.
func (x *execution) artifact(ctx context.Context, i int, exec Executor, res Result) error {
	job := &x.p.Jobs[i]
	if job.ArtifactPath == "" || x.Artifacts == nil {
		return nil
	}
	r, err := exec.Artifact(ctx, res.ID, job.ArtifactPath)
	if err != nil {
		return fmt.Errorf("artifactPath %s could not be copied: %w", job.ArtifactPath, err)
	}
	defer r.Close()
	x.mu.Lock()
	dir := x.Artifacts(x.run, job.Name)
	x.mu.Unlock()
	if err := Unpack(r, dir); err != nil {
		return fmt.Errorf("artifactPath %s could not be stored: %w", job.ArtifactPath, err)
	}
	kept := filepath.Join(dir, path.Base(job.ArtifactPath))
	x.change(i, func(j *JobRun) { j.Artifact = kept })
	x.narrate(job.Name, sse.Info, fmt.Sprintf("Artifact %s is kept as %s", job.ArtifactPath, kept))
	return nil
}

// Unpack extracts a tar archive below dir, which is made when it does not
// exist. Nothing is written outside dir whatever the archive says; devices and
// links that leave it are refused.
func Unpack(r io.Reader, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	left := int64(maxArtifactBytes)
	tr := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if left -= h.Size; left < 0 || n >= maxArtifactFiles {
			return fmt.Errorf("it has more than %d bytes or %d files; name a smaller path", int64(maxArtifactBytes), maxArtifactFiles)
		}
		if err := unpackEntry(root, h, tr); err != nil {
			return err
		}
	}
}

func unpackEntry(root *os.Root, h *tar.Header, r io.Reader) error {
	name := path.Clean(strings.TrimPrefix(h.Name, "/"))
	if name == "." {
		return nil
	}
	if parent := path.Dir(name); parent != "." {
		if err := root.MkdirAll(parent, 0o755); err != nil {
			return err
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		err := root.Mkdir(name, 0o755)
		if errors.Is(err, os.ErrExist) {
			return nil
		}
		return err
	case tar.TypeSymlink:
		if path.IsAbs(h.Linkname) || strings.HasPrefix(path.Join(path.Dir(name), h.Linkname), "..") {
			return fmt.Errorf("the link %s leaves the artifact", h.Name)
		}
		_ = root.Remove(name)
		return root.Symlink(h.Linkname, name)
	case tar.TypeReg:
		_ = root.Remove(name)
		f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, os.FileMode(h.Mode)&0o777|0o600)
		if err != nil {
			return err
		}
		if _, err := io.Copy(f, r); err != nil {
			_ = f.Close()
			return err
		}
		return f.Close()
	}
	return nil // sockets, devices and fifos are no content
}
