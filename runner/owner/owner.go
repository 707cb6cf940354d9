// Package owner names a process so that a later one can tell whether it still
// lives, also after its pid was given to another and after a reboot. It knows
// /proc. It never knows what the process owns.
package owner

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Self names this process: host name, boot, pid namespace, pid and start time.
var Self = sync.OnceValue(func() string {
	return describe(os.Getpid())
})

func describe(pid int) string {
	start, _ := Start(pid)
	return strings.Join([]string{hostname(), boot(), namespace(), strconv.Itoa(pid), start}, "|")
}

func hostname() string {
	name, _ := os.Hostname()
	return name
}

func boot() string {
	text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(text))
}

func namespace() string {
	link, _ := os.Readlink("/proc/self/ns/pid")
	return link
}

// Gone says that the named process has certainly ended. A process of another
// machine, or of another pid namespace, can't be judged: it counts as living.
func Gone(name string) bool {
	part := strings.Split(name, "|")
	if len(part) != 5 || part[0] != hostname() {
		return false
	}
	if part[1] != boot() {
		return true
	}
	pid, err := strconv.Atoi(part[3])
	if err != nil || part[2] != namespace() {
		return false
	}
	start, err := Start(pid)
	return os.IsNotExist(err) || err == nil && start != part[4]
}

// Start gives when a process started, in clock ticks since the boot: field 22
// of /proc/PID/stat (proc_pid_stat(5)). With the pid it identifies a process
// of this boot.
func Start(pid int) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The second field is the command in parentheses, and may hold blanks and
	// parentheses itself.
	end := bytes.LastIndexByte(text, ')')
	fields := bytes.Fields(text[end+1:])
	if end < 0 || len(fields) < 20 {
		return "", fmt.Errorf("/proc/%d/stat has an unexpected form", pid)
	}
	return string(fields[19]), nil
}
