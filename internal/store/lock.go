package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// LockInfo says who holds the lock of a state directory. It is the content of
// the lock file, as JSON.
type LockInfo struct {
	PID     int       `json:"pid"`
	Socket  string    `json:"socket,omitempty"` // where the holder can be asked
	Started time.Time `json:"started"`
}

// Lock is the right to a state directory. The kernel takes it back when the
// process dies, however it dies.
type Lock struct{ f *os.File }

// LockedError says that another process holds the lock. Holder is empty when
// that one has not yet said who it is.
type LockedError struct {
	Dir    string
	Holder LockInfo
}

// Error says who holds the lock and what to do.
func (e *LockedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the state directory %s is in use by ", e.Dir)
	h := e.Holder
	if h.PID == 0 {
		b.WriteString("another process; stop that one, or choose another directory with --state")
		return b.String()
	}
	fmt.Fprintf(&b, "process %d", h.PID)
	if !h.Started.IsZero() {
		fmt.Fprintf(&b, " since %s", h.Started.Format(time.RFC3339))
	}
	b.WriteString("; stop that one, choose another directory with --state")
	if h.Socket != "" {
		fmt.Fprintf(&b, ", or ask it at %s", h.Socket)
	}
	return b.String()
}

// AcquireLock takes the lock of the state directory dir, which it makes when it
// is missing, and writes info into the file "lock" there. A PID of 0 becomes
// that of this process, and no start time becomes now. When another process
// has the lock the error is a [*LockedError]. The file itself stays for ever:
// its content means something only while the lock is held.
func AcquireLock(dir string, info LockInfo) (*Lock, error) {
	if info.PID == 0 {
		info.PID = os.Getpid()
	}
	if info.Started.IsZero() {
		info.Started = time.Now()
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the state directory cannot be made: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the state directory cannot be locked: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = &LockedError{Dir: dir, Holder: readHolder(f)}
	} else if err == nil {
		err = writeHolder(f, info)
	}
	if err != nil {
		_ = f.Close()
		if _, held := errors.AsType[*LockedError](err); held {
			return nil, err
		}
		return nil, fmt.Errorf("the state directory %s cannot be locked: %w", dir, err)
	}
	return &Lock{f: f}, nil
}

// Release gives the lock back. Doing it twice is no error.
func (l *Lock) Release() error {
	if l.f == nil {
		return nil
	}
	// Emptied first, so that nobody reads our name for the next holder's.
	err := errors.Join(l.f.Truncate(0), l.f.Close())
	l.f = nil
	return err
}

func writeHolder(f *os.File, info LockInfo) error {
	data, err := json.Marshal(info)
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(append(data, '\n'), 0)
	return err
}

// readHolder gives an empty info when the holder is just about to write it.
func readHolder(f *os.File) LockInfo {
	var info LockInfo
	data, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil || json.Unmarshal(data, &info) != nil {
		return LockInfo{}
	}
	return info
}
