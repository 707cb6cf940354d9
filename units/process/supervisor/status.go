package supervisor

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/abide-agent/abide/runner/owner"
	"github.com/abide-agent/abide/units/process/spec"
)

// Process names a process so that another with its pid is not mistaken for it.
type Process struct {
	PID   int    `json:"pid,omitempty"`
	Start string `json:"start,omitempty"` // see owner.Start
}

// Identify names a living process.
func Identify(pid int) Process {
	start, _ := owner.Start(pid)
	return Process{pid, start}
}

// Alive says whether the process lives. One that has ended and waits for its
// parent does not.
func (p Process) Alive() bool {
	if p.PID <= 0 || p.Start == "" {
		return false
	}
	start, err := owner.Start(p.PID)
	return err == nil && start == p.Start && !zombie(p.PID)
}

func zombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	i := strings.LastIndexByte(string(text), ')')
	return err == nil && i > 0 && strings.HasPrefix(string(text[i+1:]), " Z")
}

// Status is what a supervisor writes of its unit. Agents of other versions read
// it, so its fields keep their meaning.
type Status struct {
	Name   string `json:"name"`
	Launch string `json:"launch"` // of the order
	// Meaning is of the files that the order was made from: units.MeaningfulDigest.
	Meaning string `json:"meaning"`
	// Life is the life of the machine, or of the container: see [Life].
	Life       string  `json:"life"`
	Supervisor Process `json:"supervisor"`
	Main       Process `json:"main"`
	// Invocation marks the environment of the unit's processes, as
	// INVOCATION_ID, anew at each start.
	Invocation string `json:"invocation"`

	Active string    `json:"active"` // the words of systemd, also of Sub and Result
	Sub    string    `json:"sub"`
	Result string    `json:"result"`
	Since  time.Time `json:"since"` // of Active
	// Start is how the first start of this order came out: "" while it is under
	// way, "done", "failed", or "stopped" where a stop came first, or
	// "skipped".
	Start string `json:"start,omitempty"`
	// Stopped says that it ended because it was asked to, Skipped that a condition
	// of its own was false, so that it was left alone.
	Stopped bool `json:"stopped,omitempty"`
	Skipped bool `json:"skipped,omitempty"`
	// Exit and Signal are of the main process that ended last.
	Exit     int    `json:"exit,omitempty"`
	Signal   int    `json:"signal,omitempty"`
	Restarts int    `json:"restarts,omitempty"`
	Reloads  int    `json:"reloads,omitempty"`
	Error    string `json:"error,omitempty"`  // what went wrong, as a sentence
	Reload   string `json:"reload,omitempty"` // what went wrong at the last reload
	OneShot  bool   `json:"oneshot,omitempty"`
}

// Ended says that the supervisor has written its last word.
func (s Status) Ended() bool { return s.Active == "inactive" || s.Active == "failed" }

// Life names this life of the machine: its boot, the namespace of the pids and
// when the first process of that began, which tells two lives of one container
// apart. What ran in another life does not run any more.
var Life = sync.OnceValue(func() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ := os.Readlink("/proc/self/ns/pid")
	first, _ := owner.Start(1)
	return strings.TrimSpace(string(boot)) + "|" + space + "|" + first
})

// ReadStatus reads a status file.
func ReadStatus(path string) (s Status, err error) { return s, readJSON(path, &s) }

// Order is what the agent writes for a supervisor.
type Order struct {
	Service spec.Service
	Meaning string   // see Status
	Launch  string   // names this order, like nothing before
	Environ []string // what PassEnvironment= found, and the language
	LogSize int64    // of each of the two log files, in bytes
	// Adopt is the last status of a supervisor that died and left its unit
	// running, which this one goes on with.
	Adopt *Status `json:",omitempty"`
}

// WriteOrder puts an order in place.
func (l Layout) WriteOrder(o Order) error { return writeJSON(l.Order(o.Service.Name), o) }

// ReadOrder gives the last order of a unit.
func (l Layout) ReadOrder(unit string) (o Order, err error) { return o, readJSON(l.Order(unit), &o) }

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	return nil
}

// writeJSON replaces a file in one step. It doesn't wait for the disk, as
// package atomicfile does: after a power cut no process of this life is left
// that the file could speak of, and a restart should not wait for a slow disk.
func writeJSON(path string, from any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	temp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%d.tmp", os.Getpid()))
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(temp)+"*")
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, err = f.Write(text)
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
