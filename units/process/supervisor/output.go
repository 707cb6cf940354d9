package supervisor

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/abide-agent/abide/units/process/spec"
)

// output takes what the unit prints into its log. The processes print into a
// named pipe that they hold open for reading too, so that it never breaks under
// them: the next supervisor reads on where this one stopped.
type output struct {
	layout  Layout
	unit    string
	limit   int64
	pipe    *os.File
	pumped  chan struct{} // closed when the pump has ended
	flushed chan struct{}

	mu   sync.Mutex
	log  *os.File
	size int64
}

// pipeBytes is how much a pipe holds at most, by pipe(7) and its default.
const pipeBytes = 64 << 10

func openOutput(layout Layout, order Order) (*output, error) {
	o := &output{layout: layout, unit: order.Service.Name, limit: order.LogSize, pumped: make(chan struct{}), flushed: make(chan struct{})}
	path := layout.Pipe(o.unit)
	if order.Adopt == nil {
		// What an earlier life of the unit left behind prints into the old one.
		_ = os.Remove(path)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil && !errors.Is(err, syscall.EEXIST) {
		return nil, fmt.Errorf("the pipe %s can't be made: %w", path, err)
	}
	if who, err := lookUpUser(order.Service); err == nil && who.set {
		// The unit may open /dev/stdout, as many programs do.
		_ = os.Chown(path, who.UID, who.GID)
	}
	var err error
	if o.pipe, err = os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0); err != nil {
		return nil, err
	}
	if err := o.openLog(); err != nil {
		return nil, err
	}
	go o.pump()
	return o, nil
}

func (o *output) openLog() error {
	f, err := os.OpenFile(o.layout.Log(o.unit), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return err
	}
	o.log, o.size = f, info.Size()
	return nil
}

// pump carries the output over until close. A deadline that passes is how
// flush asks it for what is there.
func (o *output) pump() {
	defer close(o.pumped)
	buf := make([]byte, 8<<10)
	for {
		n, err := o.pipe.Read(buf)
		o.write(buf[:n])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			_ = o.pipe.SetReadDeadline(time.Time{})
			o.drain(buf)
			o.flushed <- struct{}{}
		case err != nil:
			return
		}
	}
}

// drain takes what is in the pipe, at most what it can hold: a unit that goes
// on printing must not keep anybody waiting.
func (o *output) drain(buf []byte) {
	raw, err := o.pipe.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(fd uintptr) bool {
		for total := 0; total < pipeBytes; {
			n, err := unix.Read(int(fd), buf)
			if n <= 0 || err != nil {
				break
			}
			o.write(buf[:n])
			total += n
		}
		return true
	})
}

// flush returns when all that was printed before is in the log.
func (o *output) flush() {
	_ = o.pipe.SetReadDeadline(time.Now())
	select {
	case <-o.flushed:
	case <-o.pumped:
	}
}

// write appends to the log. What a full disk doesn't take is lost: a unit is
// not stopped for its log.
func (o *output) write(text []byte) {
	if len(text) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.limit > 0 && o.size > 0 && o.size+int64(len(text)) > o.limit {
		old := o.log
		if os.Rename(o.layout.Log(o.unit), o.layout.OldLog(o.unit)) == nil && o.openLog() == nil {
			_ = old.Close()
		}
	}
	n, _ := o.log.Write(text)
	o.size += int64(n)
}

// note puts a remark of the supervisor's own into the log.
func (o *output) note(format string, args ...any) {
	o.write(fmt.Appendf(nil, "abide: "+format+"\n", args...))
}

// close takes over what is left in the pipe and ends.
func (o *output) close() {
	o.flush()
	_ = o.pipe.Close()
	<-o.pumped
	_ = o.log.Close()
}

// open gives the two output streams of a process.
func (o *output) open(s spec.Service) (stdout, stderr *os.File, err error) {
	old := syscall.Umask(s.UMask)
	defer syscall.Umask(old)
	if stdout, err = o.stream(s.Stdout); err != nil {
		return nil, nil, fmt.Errorf("its standard output can't be opened: %w", err)
	}
	if s.Stderr.To == "inherit" || s.Stderr == s.Stdout {
		var fd int
		fd, err = unix.FcntlInt(stdout.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		stderr = os.NewFile(uintptr(fd), stdout.Name())
	} else {
		stderr, err = o.stream(s.Stderr)
	}
	if err != nil {
		_ = stdout.Close()
		return nil, nil, fmt.Errorf("its standard error can't be opened: %w", err)
	}
	return stdout, stderr, nil
}

func (o *output) stream(out spec.Output) (*os.File, error) {
	switch out.To {
	case "null":
		return os.OpenFile(os.DevNull, os.O_RDWR, 0)
	case "file":
		return os.OpenFile(out.Path, os.O_WRONLY|os.O_CREATE, 0o666)
	case "append":
		return os.OpenFile(out.Path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	case "truncate":
		return os.OpenFile(out.Path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	}
	return o.logPipe()
}

// logPipe opens the pipe anew: blocking, as programs expect their output to be.
func (o *output) logPipe() (*os.File, error) {
	fd, err := unix.Open(o.layout.Pipe(o.unit), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "log"), nil
}
