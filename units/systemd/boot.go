package systemd

import (
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// bootID names this run of this machine's systemd. The kernel's own id stays the
// same when a container is started again, so the start of PID 1 is part of it.
var bootID = sync.OnceValue(func() string {
	kernel, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(kernel)) + "/" + startOfInit()
})

// startOfInit gives field 22 of proc_pid_stat(5) for PID 1, in clock ticks.
func startOfInit() string {
	stat, _ := os.ReadFile("/proc/1/stat")
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	const starttime = 22 - 3
	if len(fields) <= starttime {
		return ""
	}
	return fields[starttime]
}

// monotonic gives microseconds of the clock that systemd's …Monotonic
// properties count.
func monotonic() uint64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0
	}
	return uint64(ts.Nano() / 1000)
}

// wall turns such a time into one of the wall clock; zero stays zero.
func wall(mono uint64) time.Time {
	if mono == 0 {
		return time.Time{}
	}
	return time.Now().Add(-time.Duration(monotonic()-mono) * time.Microsecond)
}

// microseconds turns systemd's wall clock times into ours; 0 is never.
func microseconds(t uint64) time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(t))
}
