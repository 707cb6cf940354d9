package supervisor

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is how often processes that give no signal of their end are looked at.
const tick = 50 * time.Millisecond

// takeDown ends what is left of the unit by its KillMode= (systemd.kill(5)):
// politely, then, after the timeout, for sure. phase is "stop" or "final" and
// stands in the state.
func (u *unit) takeDown(phase string) {
	u.reap()
	switch {
	case u.spec.KillMode == "none":
		return
	case u.gone():
		u.leftovers()
		return
	}
	u.set("deactivating", phase+"-sigterm")
	u.politely()
	if u.until(after(u.spec.TimeoutStop), tick, u.gone) {
		u.leftovers()
		return
	}
	if u.spec.SendKill {
		u.fail("timeout", "it did not end within %s of its stop signal and was killed; raise TimeoutStopSec=, or let it end sooner", u.spec.TimeoutStop)
		u.set("deactivating", phase+"-sigkill")
		u.forSure()
		return
	}
	u.fail("timeout", "it did not end within %s of its stop signal, and SendSIGKILL=no leaves it running", u.spec.TimeoutStop)
}

// politely sends the signal that asks a unit to end.
func (u *unit) politely() {
	pids := u.targets()
	u.signal(pids, u.spec.KillSignal)
	if u.spec.SendHUP {
		u.signal(pids, int(syscall.SIGHUP))
	}
	u.signal(pids, int(syscall.SIGCONT)) // a stopped process takes no other
}

// leftovers kills what KillMode=mixed leaves when the main process has ended.
func (u *unit) leftovers() {
	if u.spec.KillMode == "mixed" && !u.empty() {
		u.forSure()
	}
}

// forSure kills until nothing is left: a process may fork while it is killed.
func (u *unit) forSure() {
	gone := u.gone
	if u.spec.KillMode != "process" {
		gone = u.empty
	}
	deadline := after(u.spec.TimeoutStop)
	for !gone() {
		pids := u.tree()
		if u.spec.KillMode == "process" {
			pids = u.targets()
		}
		u.signal(pids, u.spec.FinalSignal)
		u.until(time.Now().Add(tick), 0, gone)
		if !deadline.IsZero() && time.Now().After(deadline) {
			u.fail("timeout", "some of its processes can't be killed; they may wait for a disk or a network that doesn't answer")
			return
		}
	}
}

// targets are the processes that the stop signal goes to.
func (u *unit) targets() []int {
	if u.spec.KillMode == "control-group" {
		return u.tree()
	}
	var pids []int
	for pid, p := range u.procs {
		if !p.exited {
			pids = append(pids, pid)
		}
	}
	return pids
}

// gone says that nothing is left that the stop waits for.
func (u *unit) gone() bool {
	if u.spec.KillMode == "control-group" {
		return u.empty()
	}
	for _, p := range u.procs {
		if !p.exited {
			return false
		}
	}
	return true
}

// empty says that none of the unit's processes is left.
func (u *unit) empty() bool {
	if !u.childless {
		return false
	}
	return !u.adopted || len(u.marked()) == 0
}

func (u *unit) signal(pids []int, sig int) {
	for _, pid := range pids {
		if p := u.procs[pid]; p != nil && p.exited {
			continue // its number may be another's by now
		}
		_ = syscall.Kill(pid, syscall.Signal(sig))
	}
}

// tree gives the unit's processes: all descendants, and, where an earlier
// supervisor started some, those that carry the mark.
func (u *unit) tree() []int {
	var pids []int
	if u.adopted {
		pids = u.marked()
	}
	queue := childrenOf(os.Getpid())
	for len(queue) > 0 {
		pid := queue[0]
		queue = queue[1:]
		if !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
		queue = append(queue, childrenOf(pid)...)
	}
	return pids
}

// childrenOf reads the children of all threads of a process (proc(5)).
func childrenOf(pid int) (out []int) {
	dir := "/proc/" + strconv.Itoa(pid) + "/task/"
	tasks, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, t := range tasks {
		text, err := os.ReadFile(dir + t.Name() + "/children")
		if err != nil {
			return childrenByParent(pid)
		}
		for word := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(word); err == nil {
				out = append(out, n)
			}
		}
	}
	return out
}

// childrenByParent is for a kernel that keeps no list of children.
func childrenByParent(parent int) (out []int) {
	for pid := range processes {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			continue
		}
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(fields) > 1 && string(fields[1]) == strconv.Itoa(parent) {
			out = append(out, pid)
		}
	}
	return out
}

// processes yields the pids of all processes.
func processes(yield func(int) bool) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && !yield(pid) {
			return
		}
	}
}

// marked gives the living processes that carry this start's mark.
func (u *unit) marked() (out []int) {
	mark := []byte("INVOCATION_ID=" + u.status.Invocation)
	for pid := range processes {
		env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
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
	return out
}
