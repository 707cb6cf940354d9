package process

import (
	"errors"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/abide-agent/abide/units/process/supervisor"
)

// deaths tells when a supervisor ends, whoever its parent is, with one thread
// for all of them: their pidfds (pidfd_open(2)) become readable.
type deaths struct {
	epoll, wake int

	mu       sync.Mutex
	watched  map[supervisor.Process]bool
	pending  map[int]death // by pidfd
	children map[int]bool  // pids that this process has to reap
	closed   bool
}

type death struct {
	name    string
	process supervisor.Process
}

func newDeaths() (*deaths, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err == nil {
		err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(wake)})
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(epoll))
	}
	return &deaths{epoll: epoll, wake: wake, watched: map[supervisor.Process]bool{}, pending: map[int]death{}, children: map[int]bool{}}, nil
}

// child says that a process is this one's to reap.
func (d *deaths) child(pid int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.children[pid] = true
}

// add watches a supervisor, once. Without it, and where the kernel has no
// pidfds, the sweep finds its end.
func (d *deaths) add(name string, p supervisor.Process) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.watched[p] {
		return
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return
	}
	// Opened first, then compared: the pid can't be given away in between.
	if !p.Alive() || unix.EpollCtl(d.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}) != nil {
		_ = unix.Close(fd)
		return
	}
	d.watched[p], d.pending[fd] = true, death{name, p}
}

// run calls died for each supervisor that has ended, until close.
func (d *deaths) run(died func(name string)) {
	events := make([]unix.EpollEvent, 16)
	for {
		n, err := unix.EpollWait(d.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return
		}
		for _, ev := range events[:max(n, 0)] {
			if int(ev.Fd) == d.wake {
				d.release()
				return
			}
			if name := d.take(int(ev.Fd)); name != "" {
				died(name)
			}
		}
	}
}

// take ends the watching of one that has ended, and reaps it.
func (d *deaths) take(fd int) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	one, ok := d.pending[fd]
	if !ok {
		return ""
	}
	delete(d.pending, fd)
	delete(d.watched, one.process)
	_ = unix.Close(fd) // leaves the epoll set with it
	d.reap()
	return one.name
}

// reap takes the exit statuses of children that have ended.
func (d *deaths) reap() {
	for pid := range d.children {
		if got, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); got == pid || err == unix.ECHILD {
			delete(d.children, pid)
		}
	}
}

// reapNow is reap for one who has just seen a child end.
func (d *deaths) reapNow() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reap()
}

// close ends run.
func (d *deaths) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.closed = true
	_, _ = unix.Write(d.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

func (d *deaths) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for fd := range d.pending {
		_ = unix.Close(fd)
	}
	clear(d.pending)
	d.reap()
	_ = unix.Close(d.epoll)
	_ = unix.Close(d.wake)
}
