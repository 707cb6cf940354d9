package supervisor

import (
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/abide-agent/abide/units/process/spec"
)

// notifier receives what the unit says of itself (sd_notify(3)). Its socket is
// an abstract one, whose name, unlike a path, is never too long; who sends is
// known by the kernel's word.
type notifier struct {
	name string
	conn *net.UnixConn
	in   chan message
}

// message is one notification.
type message struct {
	pid   int
	lines []string
}

// openNotifier listens, for a unit whose NotifyAccess= or Type= asks for it.
func openNotifier(launch string) (*notifier, error) {
	n := &notifier{name: "@abide-unit-" + launch, in: make(chan message, 8)}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: n.name, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	n.conn = conn
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1) })
	if err == nil {
		err = failed
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	go n.receive()
	return n, nil
}

func (n *notifier) receive() {
	text, control := make([]byte, 4096), make([]byte, 256)
	for {
		size, controlSize, _, _, err := n.conn.ReadMsgUnix(text, control)
		if err != nil {
			return
		}
		messages, _ := syscall.ParseSocketControlMessage(control[:controlSize])
		for i := range messages {
			if cred, err := syscall.ParseUnixCredentials(&messages[i]); err == nil {
				n.in <- message{int(cred.Pid), strings.Split(string(text[:size]), "\n")}
			} else if fds, err := syscall.ParseUnixRights(&messages[i]); err == nil {
				for _, fd := range fds { // no store is kept for them
					_ = syscall.Close(fd)
				}
			}
		}
	}
}

func (n *notifier) messages() <-chan message {
	if n == nil {
		return nil
	}
	return n.in
}

func (n *notifier) environment(s spec.Service) []string {
	env := []string{"NOTIFY_SOCKET=" + n.name}
	if s.Watchdog > 0 {
		env = append(env, "WATCHDOG_USEC="+strconv.FormatInt(s.Watchdog.Microseconds(), 10))
	}
	return env
}

// notified takes a message, if its sender may send one.
func (u *unit) notified(m message) {
	if u.main == nil || !u.mayNotify(m.pid) {
		return
	}
	for _, line := range m.lines {
		switch line {
		case "READY=1":
			u.ready = true
			if u.status.Active == "reloading" {
				u.set("active", "running")
			}
		case "RELOADING=1":
			if u.status.Active == "active" {
				u.set("reloading", "reload")
			}
		case "WATCHDOG=1":
			u.petted = time.Now()
		}
	}
}

func (u *unit) mayNotify(pid int) bool {
	switch u.spec.NotifyAccess {
	case "main":
		return pid == u.main.pid
	case "exec":
		return u.procs[pid] != nil
	case "all":
		// A sender that has ended already is believed: nobody but the unit's
		// processes knows the name of the socket.
		return slices.Contains(u.tree(), pid) || unix.Kill(pid, 0) != nil && os.Getpid() != pid
	}
	return false
}
