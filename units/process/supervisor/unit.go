package supervisor

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/abide-agent/abide/units/process/spec"
)

// unit is the state of a supervisor. One goroutine owns it: everything that
// happens reaches it through the channels that [unit.until] reads.
type unit struct {
	order  Order
	spec   spec.Service
	layout Layout
	status Status
	out    *output

	procs     map[int]*proc
	main      *proc
	childless bool // no child is left, so none of the unit's processes is
	adopted   bool // some of the unit's processes may not be descendants

	stopping bool // asked to stop
	reload   bool // asked to reload
	notify   *notifier
	ready    bool // by READY=1

	children, term, hup chan os.Signal
	execs               chan execResult
	foreign             chan int  // pids of ended processes that are no children
	unsaved             bool      // the status could not be written
	petted              time.Time // when the watchdog was last
}

// supervise runs a unit by its order, which is on disk.
func supervise(layout Layout, name string) int {
	closeInherited()
	ready := os.NewFile(readyFD, "ready")
	syscall.CloseOnExec(readyFD)
	fail := func(err error) int {
		fmt.Fprintln(ready, err)
		return 1
	}
	lock, err := lockUnit(layout.Lock(name))
	if err != nil {
		return fail(err)
	}
	u := &unit{
		layout: layout, procs: map[int]*proc{},
		children: make(chan os.Signal, 1), term: make(chan os.Signal, 1), hup: make(chan os.Signal, 1),
		execs: make(chan execResult, 16), foreign: make(chan int, 1),
	}
	if u.order, err = layout.ReadOrder(name); err != nil {
		return fail(err)
	}
	u.spec = u.order.Service
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fail(fmt.Errorf("the supervisor of %s can't become a subreaper: %w", name, err))
	}
	signal.Notify(u.children, syscall.SIGCHLD)
	signal.Notify(u.term, syscall.SIGTERM)
	signal.Notify(u.hup, syscall.SIGHUP)
	signal.Ignore(syscall.SIGINT, syscall.SIGQUIT, syscall.SIGPIPE)
	// The files that a workload may write are made with modes of their own.
	syscall.Umask(0o077)

	if u.out, err = openOutput(layout, u.order); err != nil {
		return fail(err)
	}
	u.status = Status{
		Name: name, Launch: u.order.Launch, Meaning: u.order.Meaning, Life: Life(), Supervisor: Identify(os.Getpid()),
		OneShot: u.spec.Type == spec.OneShot, Result: "success",
	}
	u.set("activating", "start")
	if u.unsaved {
		return fail(fmt.Errorf("the status of %s can't be written below %s; make room, or make it writable", name, layout.Root))
	}
	_ = ready.Close()
	u.run()
	u.linger(lock)
	return 0
}

// closeInherited closes what the agent itself had been given by whoever started
// it, a pipe that somebody waits for the end of, say. All that this process has
// opened closes on exec; what does not came through one.
func closeInherited() {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= readyFD {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd)
		}
	}
}

// readyFD is where a supervisor tells the agent why it can't begin; closed
// without a word, it has begun.
const readyFD = 3

// lockUnit makes sure that a unit has one supervisor. The one before may need a
// moment between its last word and its end.
func lockUnit(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	for range 500 {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return f, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = f.Close()
	return nil, fmt.Errorf("another supervisor holds %s; wait until it has ended", path)
}

// linger reads on what processes print that the unit leaves behind by its
// KillMode=, for without a reader they would stand still once the pipe is full.
// Another supervisor may run the unit meanwhile.
func (u *unit) linger(lock *os.File) {
	_ = lock.Close()
	if !u.childless && !u.adopted {
		u.until(time.Time{}, 0, func() bool { return u.childless })
	}
	u.out.close()
}

// set writes down a new state.
func (u *unit) set(active, sub string) {
	if active != u.status.Active {
		u.status.Since = time.Now()
	}
	u.status.Active, u.status.Sub = active, sub
	u.save()
}

// save writes the status. Where it can't be written, which is nothing that the
// unit should suffer from, it is tried again every second.
func (u *unit) save() { u.unsaved = writeJSON(u.layout.Status(u.status.Name), u.status) != nil }

// until handles what happens until done is true, which it gives, or until the
// deadline, if that isn't zero. done is asked again after each event, and every
// tick, if that isn't zero.
func (u *unit) until(deadline time.Time, tick time.Duration, done func() bool) bool {
	if deadline.IsZero() {
		deadline = time.Now().Add(1 << 60)
	}
	for {
		u.reap()
		if done() {
			return true
		}
		left := time.Until(deadline)
		if left <= 0 {
			return false
		}
		if u.unsaved {
			left = min(left, time.Second)
		}
		if tick > 0 {
			left = min(left, tick)
		}
		u.next(time.After(left))
	}
}

// next takes one event.
func (u *unit) next(timer <-chan time.Time) {
	select {
	case <-u.children:
	case <-u.term:
		u.stopping = true
	case <-u.hup:
		u.reload = true
	case r := <-u.execs:
		if p := u.procs[r.pid]; p != nil {
			p.execed, p.failure = true, r.failure
		}
	case pid := <-u.foreign:
		if p := u.procs[pid]; p != nil {
			p.exited, p.unknown = true, true
		}
	case m := <-u.notify.messages():
		u.notified(m)
	case <-timer:
		if u.unsaved {
			u.save()
		}
	}
}
