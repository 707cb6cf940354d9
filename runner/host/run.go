package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/filecopy"
	"github.com/abide-agent/abide/runner/output"
	"github.com/abide-agent/abide/runner/owner"
	"github.com/abide-agent/abide/runner/script"
	"github.com/abide-agent/abide/sse"
)

// drainTimeout bounds how long the rest of the output may take to arrive after
// the script and its group have ended: a process that left the group may hold
// the other end.
const drainTimeout = 2 * time.Second

// Run performs one attempt of a job as a process group; see [runner.Executor].
func (e *Executor) Run(ctx context.Context, spec runner.Spec, obs runner.Observer) (runner.Result, error) {
	if spec.Job.Dockerfile != "" {
		return runner.Result{}, fmt.Errorf("job %s names dockerfile %s, and the host executor builds no images; give an image, or run it on a Docker engine", spec.Job.Name, spec.Job.Dockerfile)
	}
	if err := ctx.Err(); err != nil {
		return runner.Result{}, err
	}
	if spec.Job.Image != "" {
		obs.Narrate(sse.Info, fmt.Sprintf("The job runs as a plain process of this machine: image %s is ignored", spec.Job.Image))
	}
	if len(spec.Job.Ports) > 0 {
		obs.Narrate(sse.Info, "Ports are not mapped: what the job listens on is the machine's own")
	}
	s, err := e.create(spec)
	if err != nil {
		return runner.Result{}, err
	}
	res := runner.Result{ID: s.id}
	if err := obs.Created(s.id, ""); err != nil {
		return res, err
	}
	cmd := script.Build(spec.Job, spec.Labels, s.dir)
	if res.TreeDigest, err = s.fill(ctx, spec, cmd); err != nil {
		return res, err
	}
	began, code, err := e.execute(ctx, s, spec, cmd, obs)
	res.ExitCode, res.Duration = code, time.Since(began)
	if ctx.Err() != nil {
		return res, ctx.Err()
	}
	return res, err
}

// fill makes the working directory and puts the tree and the script's files
// where they belong.
func (s *scratch) fill(ctx context.Context, spec runner.Spec, cmd script.Command) (string, error) {
	work, err := s.work()
	if err != nil {
		return "", err
	}
	defer work.Close()
	for _, f := range cmd.Files {
		if err := os.WriteFile(filepath.Join(s.dir, f.Name), []byte(f.Text), 0o600); err != nil {
			return "", fmt.Errorf("the script can't be written: %w", err)
		}
	}
	if !spec.Job.CopyFiles || spec.Tree == nil {
		return "", nil
	}
	tree, err := spec.Tree(ctx)
	if err != nil {
		return "", fmt.Errorf("copyFiles has nothing to copy: %w", err)
	}
	digest, err := filecopy.Copy(ctx, tree, runner.CopySet(tree, spec.Job.CopyIgnore), filecopy.NewDir(work))
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("copyFiles: %w", err)
	}
	return digest, err
}

// execute starts the shell, moves its output and waits for its end.
func (e *Executor) execute(ctx context.Context, s *scratch, spec runner.Spec, built script.Command, obs runner.Observer) (began time.Time, code int, err error) {
	cmd := exec.Command(built.Argv[0], built.Argv[1:]...)
	cmd.Dir = s.workPath()
	cmd.Env = append([]string{"PATH=" + e.path, "HOME=" + cmd.Dir}, spec.Job.Env...)
	cmd.Env = append(cmd.Env, markVar+"="+s.id)
	readers, closeWriters, err := pipes(cmd)
	if err != nil {
		return began, 0, err
	}
	defer func() {
		for _, r := range readers {
			r.Close()
		}
	}()
	obs.Narrate(sse.Info, "Starting the process")
	err = begin(cmd)
	closeWriters()
	began = time.Now()
	if err != nil {
		return began, 0, fmt.Errorf("the script of job %s could not be started: %w", spec.Job.Name, err)
	}
	s.PID = cmd.Process.Pid
	s.Start, _ = owner.Start(s.PID)
	saved := s.save()
	obs.Started(s.id, "")
	if !spec.Job.SoloExecution {
		obs.Narrate(sse.Info, "soloExecution disabled, shell command started!")
	}
	lines := output.New(obs, nil, built.Steps)
	var moving sync.WaitGroup
	for name, r := range readers {
		moving.Go(func() { move(lines, name, r) })
	}
	if saved != nil { // the next life of the agent could not find it
		_ = s.end()
	}
	stop := context.AfterFunc(ctx, func() { _ = s.end() })
	code, err = await(cmd)
	if !stop() {
		_ = s.end() // also what has left the group
	}
	for _, r := range readers {
		_ = r.SetReadDeadline(time.Now().Add(drainTimeout))
	}
	moving.Wait()
	lines.Close()
	if ctx.Err() == nil {
		tell(obs, code)
	}
	return began, code, errors.Join(err, saved)
}

func tell(obs runner.Observer, code int) {
	if code == 0 {
		obs.Narrate(sse.Info, "Command execution successful")
		return
	}
	obs.Narrate(sse.Error, fmt.Sprintf("Command execution failed with exit code %d", code))
}

// pipes connects a command's output. The standard input is empty.
func pipes(cmd *exec.Cmd) (readers map[runner.Stream]*os.File, closeWriters func(), err error) {
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		return nil, nil, errors.Join(err, outR.Close(), outW.Close())
	}
	cmd.Stdout, cmd.Stderr = outW, errW
	return map[runner.Stream]*os.File{runner.Stdout: outR, runner.Stderr: errR}, func() { outW.Close(); errW.Close() }, nil
}

// move hands on what a stream prints, until its end or its deadline.
func move(lines *output.Lines, name runner.Stream, r *os.File) {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		lines.Write(name, buf[:n])
		if err != nil {
			return
		}
	}
}
