package supervisor

import (
	"golang.org/x/sys/unix"
)

// adopt goes on with what a supervisor left that died. How the main process
// ends can be seen, but not with which code. It gives whether the unit is up.
func (u *unit) adopt(last *Status) bool {
	u.adopted = true
	u.status.Invocation, u.status.Restarts, u.status.Since = last.Invocation, last.Restarts, last.Since
	u.status.Active, u.status.Sub = last.Active, last.Sub
	u.reap()
	up := last.Active == "active" || last.Active == "reloading"
	if !up && last.Active != "deactivating" {
		u.fail("resources", "its supervisor was killed while the unit was %s (%s), so it is taken down", last.Active, last.Sub)
	}
	if last.Main.PID == 0 {
		return up
	}
	p := &proc{pid: last.Main.PID, execed: true}
	u.main, u.procs[p.pid] = p, p
	u.status.Main = last.Main
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil || !last.Main.Alive() {
		p.exited, p.unknown = true, true
		return up
	}
	go u.awaitForeign(p.pid, fd)
	return up
}

// awaitForeign waits for the end of a process that is no child.
func (u *unit) awaitForeign(pid, fd int) {
	defer func() { _ = unix.Close(fd) }()
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if err != unix.EINTR {
			break
		}
	}
	u.foreign <- pid
}
