package host

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/abide-agent/abide/runner/owner"
)

// markVar marks the environment of a job's processes, so that those that left
// their group are found as well.
const markVar = "ABIDE_WORKLOAD"

// begin starts a job's shell as the leader of a session and group of its own.
func begin(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Start()
}

// await waits until a process has ended, ends what is left of its group, and
// gives its exit code: 128 and the signal's number where one ended it. The
// process is reaped last, because until then its group's number is its own.
func await(cmd *exec.Cmd) (int, error) {
	var info unix.Siginfo
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	err := cmd.Wait()
	exit, failed := errors.AsType[*exec.ExitError](err)
	if !failed {
		return 0, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}

// running says whether the job's shell lives.
func (s *scratch) running() bool {
	if s.PID == 0 {
		return false
	}
	start, err := owner.Start(s.PID)
	return err == nil && start == s.Start && !zombie(s.PID)
}

// zombie says whether a process has ended and waits for its parent.
func zombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	i := bytes.LastIndexByte(text, ')')
	return err == nil && i > 0 && bytes.HasPrefix(text[i+1:], []byte(" Z"))
}

// rounds bounds how often end looks for processes that were started while it
// was killing their parents.
const rounds = 20

// end kills all processes of the job, without grace.
func (s *scratch) end() error {
	for range rounds {
		if s.running() {
			_ = syscall.Kill(-s.PID, syscall.SIGKILL)
		}
		pids, err := marked(s.id)
		if err != nil {
			return err
		}
		if len(pids) == 0 {
			return nil
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return fmt.Errorf("job %s keeps starting processes faster than they can be killed; end it by hand", s.id)
}

// marked gives the living processes that carry a job's mark. Those of other
// users can't be looked at, and are not the job's.
func marked(id string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("the processes of job %s can't be looked for: %w", id, err)
	}
	mark := []byte(markVar + "=" + id)
	var out []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		env, err := os.ReadFile("/proc/" + e.Name() + "/environ")
		if err != nil {
			continue
		}
		for v := range bytes.SplitSeq(env, []byte{0}) {
			if bytes.Equal(v, mark) && !zombie(pid) {
				out = append(out, pid)
				break
			}
		}
	}
	return out, nil
}
