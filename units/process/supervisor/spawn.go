package supervisor

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/abide-agent/abide/units/process/spec"
)

// proc is one process that a command of the unit was started as.
type proc struct {
	pid     int
	execed  bool   // the program runs, or failed to
	failure string // why it could not be started
	exited  bool
	status  syscall.WaitStatus
	unknown bool // it ended, and nobody knows how: it was no child
	ignore  bool // "-"
}

type execResult struct {
	pid     int
	failure string
}

// spawn starts a command in a session of its own. The process that it forks
// first is the agent's binary once more, which does what has to be done between
// fork and exec (limits, user, directory) and then becomes the program.
func (u *unit) spawn(c spec.Command, extra []string) (*proc, error) {
	plan, err := u.plan(c, extra)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return nil, err
	}
	stdin, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	stdout, stderr, err := u.out.open(u.spec)
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	defer stderr.Close()
	orders, err := memory(text)
	if err != nil {
		return nil, err
	}
	defer orders.Close()
	answer, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	pid, err := syscall.ForkExec("/proc/self/exe", []string{os.Args[0], Subcommand, execArg}, &syscall.ProcAttr{
		Env:   []string{"GOMAXPROCS=1", "GOGC=off"},
		Files: []uintptr{stdin.Fd(), stdout.Fd(), stderr.Fd(), orders.Fd(), theirs.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		_ = answer.Close()
		return nil, fmt.Errorf("no process can be made for %s: %w", c.Path, err)
	}
	p := &proc{pid: pid, ignore: c.Ignore}
	u.procs[pid], u.childless = p, false
	go u.awaitExec(pid, answer)
	return p, nil
}

// awaitExec waits until the program runs, which closes the pipe, or until the
// reason comes why it does not.
func (u *unit) awaitExec(pid int, answer *os.File) {
	text, _ := io.ReadAll(io.LimitReader(answer, 4096))
	_ = answer.Close()
	u.execs <- execResult{pid, string(text)}
}

// memory holds text in a file without a name, for a process to read.
func memory(text []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("abide-plan", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "plan")
	if _, err := f.Write(text); err != nil {
		_ = f.Close()
		return nil, err
	}
	_, err = f.Seek(0, io.SeekStart)
	return f, err
}

// reap takes the exit statuses of all children that have ended: commands, and
// what they left behind.
func (u *unit) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		switch {
		case err == syscall.EINTR:
		case err == syscall.ECHILD:
			u.childless = true
			return
		case err != nil || pid == 0:
			return
		default:
			if p := u.procs[pid]; p != nil {
				p.exited, p.status = true, status
			}
		}
	}
}

// drop forgets a process that was dealt with; its pid may be given away now.
func (u *unit) drop(p *proc) {
	if p != nil {
		delete(u.procs, p.pid)
	}
}
