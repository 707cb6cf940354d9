package api

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// withUID runs f on a thread whose effective uid is another: the raw call
// changes this thread only, unlike syscall.Setuid. When the way back fails, the
// thread ends with the goroutine, because it stays locked.
func withUID(uid int, f func()) error {
	runtime.LockOSThread()
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); e != 0 {
		return fmt.Errorf("setresuid: %w", e)
	}
	f()
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 0, ^uintptr(0)); e != 0 {
		return fmt.Errorf("setresuid: %w", e)
	}
	runtime.UnlockOSThread()
	return nil
}
