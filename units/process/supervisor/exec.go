package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/abide-agent/abide/units/process/spec"
)

// execArg is the argument of a process that is about to become a program.
const execArg = "exec"

// Where such a process finds its plan, and says why the program can't run.
const (
	planFD   = 3
	answerFD = 4
)

// plan is what has to be done between fork and exec.
type plan struct {
	Path        string
	Args, Env   []string
	Dir         string
	DirOptional bool
	User        *credentials // nil: as the supervisor
	UMask       int
	Nice        *int
	OOMScore    *int
	Limits      []spec.Limit
	NoNewPrivs  bool
	KeepSIGPIPE bool
}

type credentials struct {
	UID, GID int
	Groups   []int
}

// step is one thing to do, with the exit code by which systemd tells that it
// failed (systemd.exec(5), "Process Exit Codes").
type step struct {
	code int
	what string
	do   func() error
}

// execProgram carries out the plan and becomes the program. It returns only
// when that failed.
func execProgram() int {
	// Priority and privileges belong to a thread: the one that calls exec.
	runtime.LockOSThread()
	for _, fd := range []int{planFD, answerFD} {
		syscall.CloseOnExec(fd)
	}
	answer := os.NewFile(answerFD, "answer")
	var p plan
	if err := json.NewDecoder(os.NewFile(planFD, "plan")).Decode(&p); err != nil {
		fmt.Fprintf(answer, "its plan can't be read: %v", err)
		return 203
	}
	for _, s := range p.steps() {
		if err := s.do(); err != nil {
			fmt.Fprintf(answer, "%s: %v", s.what, plain(err))
			return s.code
		}
	}
	return 203
}

// plain leaves out what a path error repeats.
func plain(err error) error {
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e
	}
	return err
}

func (p plan) steps() []step {
	return []step{
		{202, "its signals can't be set", p.signals},
		{206, "OOMScoreAdjust= can't be set", p.oomScore},
		{205, "its limits can't be set", p.limits},
		{201, "Nice= can't be set", p.nice},
		{216, "its groups can't be taken", p.groups},
		{217, "its user can't be taken", p.user},
		{227, "NoNewPrivileges= can't be set", p.noNewPrivs},
		{200, "its WorkingDirectory=" + p.Dir + " can't be entered", p.chdir},
		{203, p.Path + " can't be executed", p.exec},
	}
}

// signals undoes what this process inherited: a signal that is caught now is
// the default one after exec, and one ignored would stay so. Only those are
// caught that were ignored, so that no stop signal is lost on the way.
func (p plan) signals() error {
	c := make(chan os.Signal, 1)
	for n := syscall.Signal(1); n <= 64; n++ {
		if signal.Ignored(n) {
			signal.Notify(c, n)
		}
	}
	if !p.KeepSIGPIPE {
		signal.Ignore(syscall.SIGPIPE)
	}
	syscall.Umask(p.UMask)
	return nil
}

func (p plan) oomScore() error {
	if p.OOMScore == nil {
		return nil
	}
	return os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(*p.OOMScore)), 0)
}

func (p plan) limits() error {
	for _, l := range p.Limits {
		if err := unix.Setrlimit(l.Resource, &unix.Rlimit{Cur: l.Soft, Max: l.Hard}); err != nil {
			return err
		}
	}
	return nil
}

func (p plan) nice() error {
	if p.Nice == nil {
		return nil
	}
	return unix.Setpriority(unix.PRIO_PROCESS, 0, *p.Nice)
}

func (p plan) groups() error {
	if p.User == nil {
		return nil
	}
	if os.Geteuid() == 0 {
		if err := syscall.Setgroups(p.User.Groups); err != nil {
			return err
		}
	}
	if os.Getegid() == p.User.GID {
		return nil
	}
	return syscall.Setgid(p.User.GID)
}

func (p plan) user() error {
	if p.User == nil || os.Geteuid() == p.User.UID {
		return nil
	}
	return syscall.Setuid(p.User.UID)
}

func (p plan) noNewPrivs() error {
	if !p.NoNewPrivs {
		return nil
	}
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

func (p plan) chdir() error {
	if err := os.Chdir(p.Dir); err != nil && !p.DirOptional {
		return err
	}
	return nil
}

// exec becomes the program, which is looked up only now, by the user and on
// the file system that it runs with.
func (p plan) exec() error {
	path := p.Path
	if !strings.Contains(path, "/") {
		var err error
		if path, err = lookUp(path); err != nil {
			return err
		}
	}
	return syscall.Exec(path, p.Args, p.Env)
}

func lookUp(name string) (string, error) {
	for dir := range strings.SplitSeq(spec.SearchPath, ":") {
		path := filepath.Join(dir, name)
		if unix.Access(path, unix.X_OK) == nil {
			return path, nil
		}
	}
	return "", errors.New("it is in none of " + spec.SearchPath)
}
