// Package host runs jobs as plain processes of this machine, each in a scratch
// directory of its own. It knows processes and directories. It never knows
// containers, and nothing shields the machine from a job: it is for those who
// ask for it by name, never a fallback for an engine that is missing.
//
// A job's scratch directory stands for the root of its file system: workDir,
// copyFiles and artifactPath count from there, so that a pipeline that keeps to
// its working directory runs as it does in a container. The script itself sees
// the machine's real paths.
package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/abide-agent/abide/runner"
)

// Options configure an Executor.
type Options struct {
	// Dir holds the scratch directories. It is made when it doesn't exist, and
	// belongs to abide alone.
	Dir string
	// Path is the PATH of jobs; empty means the agent's own.
	Path string
}

// Executor runs jobs as processes. It implements [runner.Executor].
type Executor struct {
	dir  string
	path string
}

var _ runner.Executor = (*Executor)(nil)

// New gives an Executor for jobs below opts.Dir.
func New(opts Options) (*Executor, error) {
	if opts.Dir == "" {
		return nil, errors.New("the host executor needs a directory for its jobs; name one in its settings")
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the host executor can't make its directory: %w; choose another or make it", err)
	}
	if opts.Path == "" {
		opts.Path = os.Getenv("PATH")
	}
	if opts.Path == "" {
		opts.Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	return &Executor{dir: dir, path: opts.Path}, nil
}

// Name is "host".
func (e *Executor) Name() string { return "host" }

// Ping says whether jobs can run: there must be a shell, and a directory that
// can be written to.
func (e *Executor) Ping(context.Context) error {
	if _, err := os.Stat("/bin/sh"); err != nil {
		return fmt.Errorf("%w: the host executor needs /bin/sh: %v; install a shell", runner.ErrUnavailable, err)
	}
	probe, err := os.MkdirTemp(e.dir, ".ping-")
	if err != nil {
		return fmt.Errorf("%w: the host executor can't write: %v; mend the directory or choose another", runner.ErrUnavailable, err)
	}
	return os.Remove(probe)
}

// Close does nothing: an Executor holds nothing open.
func (e *Executor) Close() error { return nil }
