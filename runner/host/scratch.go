package host

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/owner"
	"github.com/abide-agent/abide/runner/script"
)

const (
	recordName = "workload.json" // beside rootName, where the job doesn't look
	rootName   = "root"
	defaultDir = "/root" // pin's
)

// record is what the next life of the agent needs to know of a job.
type record struct {
	Labels  runner.Labels `json:"labels"`
	Owner   string        `json:"owner"`    // see package owner
	WorkDir string        `json:"work_dir"` // below the scratch root, absolute
	PID     int           `json:"pid"`      // 0: not started. Also the process group and session
	Start   string        `json:"start"`    // of the process, since a pid is given again
}

// scratch is the directory of one attempt.
type scratch struct {
	id  string
	dir string
	record
}

// create makes the scratch directory of an attempt.
func (e *Executor) create(spec runner.Spec) (*scratch, error) {
	id := script.Token(spec.Labels) + "-" + strings.ToLower(rand.Text()[:8])
	s := &scratch{id: id, dir: filepath.Join(e.dir, id)}
	s.Labels, s.Owner, s.WorkDir = spec.Labels, owner.Self(), path.Join("/", spec.Job.WorkDir)
	if spec.Job.WorkDir == "" {
		s.WorkDir = defaultDir
	}
	err := os.MkdirAll(filepath.Join(s.dir, rootName), 0o700)
	if err == nil {
		err = s.save()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the job's directory can't be made: %w", err), os.RemoveAll(s.dir))
	}
	return s, nil
}

// save writes the record so that it is whole or as it was.
func (s *scratch) save() error {
	text, err := json.Marshal(s.record)
	if err != nil {
		return err
	}
	name := filepath.Join(s.dir, recordName)
	if err := os.WriteFile(name+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// open finds the scratch directory of an id, ErrGone when there is none.
func (e *Executor) open(id string) (*scratch, error) {
	if id == "" || strings.ContainsAny(id, `/\`) || id[0] == '.' {
		return nil, fmt.Errorf("%q: %w", id, runner.ErrGone)
	}
	s := &scratch{id: id, dir: filepath.Join(e.dir, id)}
	text, err := os.ReadFile(filepath.Join(s.dir, recordName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("job %s: %w", id, runner.ErrGone)
	}
	if err == nil {
		err = json.Unmarshal(text, &s.record)
	}
	if err != nil {
		return nil, fmt.Errorf("the record of job %s can't be read: %w; remove %s when nothing of it runs", id, err, s.dir)
	}
	return s, nil
}

// work makes and opens the working directory.
func (s *scratch) work() (*os.Root, error) {
	root, err := os.OpenRoot(filepath.Join(s.dir, rootName))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	name := inside(s.WorkDir)
	if err := root.MkdirAll(name, 0o755); err != nil {
		return nil, fmt.Errorf("workDir %s can't be made in the job's directory: %w", s.WorkDir, err)
	}
	return root.OpenRoot(name)
}

// workPath is the working directory's path on this machine.
func (s *scratch) workPath() string {
	return filepath.Join(s.dir, rootName, filepath.FromSlash(inside(s.WorkDir)))
}

// inside gives an absolute path as one below the scratch root.
func inside(name string) string {
	if name = strings.TrimPrefix(path.Join("/", name), "/"); name == "" {
		return "."
	}
	return name
}

// erase removes the directory, also what a job has made unreadable in it.
func (s *scratch) erase() error {
	if err := os.RemoveAll(s.dir); err == nil {
		return nil
	}
	_ = filepath.WalkDir(s.dir, func(name string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(name, 0o700) // before it is read
		}
		return nil
	})
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("the job's directory can't be removed: %w", err)
	}
	return nil
}
