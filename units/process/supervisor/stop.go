package supervisor

import (
	"fmt"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/abide-agent/abide/units/process/spec"
)

const sigKILL = int(syscall.SIGKILL)

// stop takes the unit down: its ExecStop=, where it was up and nothing went
// wrong; signals, by KillMode=; ExecStopPost= in any case, and whatever that
// left.
func (u *unit) stop(started bool) {
	if started && u.status.Result == "success" && len(u.spec.Stop) > 0 {
		u.set("deactivating", "stop")
		u.commands(u.spec.Stop, "ExecStop=")
	}
	u.takeDown("stop")
	if u.main != nil && u.status.Main.PID != 0 && u.main.exited {
		u.mainEnded("ExecStart="+u.spec.Start[0].Path, u.spec.Type != spec.OneShot)
	}
	if len(u.spec.StopPost) > 0 {
		u.set("deactivating", "stop-post")
		u.commands(u.spec.StopPost, "ExecStopPost=")
		u.takeDown("final")
	}
	u.drop(u.main)
	u.main = nil
}

// commands runs the commands of a stop one after the other. A stop is not
// interrupted; a command that doesn't end is killed.
func (u *unit) commands(list []spec.Command, name string) {
	for _, c := range list {
		what := name + c.Path
		p, err := u.spawn(c, append(u.mainEnvironment(), u.resultEnvironment()...))
		if err != nil {
			u.fail("resources", "%s did not start: %v", what, err)
			return
		}
		if !u.until(after(u.spec.TimeoutStop), 0, func() bool { return p.execed && p.exited }) {
			u.fail("timeout", "%s did not end within %s; raise TimeoutStopSec=, or look at its log", what, u.spec.TimeoutStop)
			u.signal([]int{p.pid}, sigKILL)
			u.until(time.Now().Add(time.Second), 0, func() bool { return p.exited })
			u.drop(p)
			return
		}
		u.drop(p)
		if !u.judge(p, what, false) {
			return
		}
	}
}

// mainEnvironment is what the other commands learn of the main process.
func (u *unit) mainEnvironment() []string {
	if u.main == nil || u.main.exited {
		return nil
	}
	return []string{"MAINPID=" + strconv.Itoa(u.main.pid)}
}

// resultEnvironment is what the commands of a stop learn of how it came to it.
func (u *unit) resultEnvironment() []string {
	env := []string{"SERVICE_RESULT=" + u.status.Result}
	if u.main == nil || !u.main.exited || u.main.unknown {
		return env
	}
	code, signal := exitOf(u.main)
	switch {
	case signal == 0:
		return append(env, "EXIT_CODE=exited", "EXIT_STATUS="+strconv.Itoa(code))
	case u.main.status.CoreDump():
		return append(env, "EXIT_CODE=dumped", "EXIT_STATUS="+signalName(signal))
	}
	return append(env, "EXIT_CODE=killed", "EXIT_STATUS="+signalName(signal))
}

func signalName(n int) string {
	if name := unix.SignalName(syscall.Signal(n)); name != "" {
		return name[len("SIG"):]
	}
	return fmt.Sprint(n)
}
