package supervisor

import (
	"os"
	"path/filepath"
)

// Layout says where the files of units lie: one directory for each kind, with
// one file for each unit, so that a name may be as long as a file's.
type Layout struct{ Root string }

// Order is what a unit's supervisor is told to do, for the agent to write.
func (l Layout) Order(unit string) string { return filepath.Join(l.Root, "orders", unit) }

// StatusDir holds the statuses, apart from the rest so that it can be watched.
func (l Layout) StatusDir() string { return filepath.Join(l.Root, "status") }

// Status is what a unit's supervisor saw last.
func (l Layout) Status(unit string) string { return filepath.Join(l.StatusDir(), unit) }

// Log is what the unit printed last, and OldLog what it printed before.
func (l Layout) Log(unit string) string { return filepath.Join(l.Root, "log", unit) }

// OldLog is the log before the present one.
func (l Layout) OldLog(unit string) string { return filepath.Join(l.Root, "log.old", unit) }

// Pipe is the named pipe that the unit prints into.
func (l Layout) Pipe(unit string) string { return filepath.Join(l.Root, "pipes", unit) }

// Lock is held by the unit's supervisor.
func (l Layout) Lock(unit string) string { return filepath.Join(l.Root, "locks", unit) }

// Make creates the directories. What units print and hold in their environment
// is for the agent's user alone; the pipes only have to be reached by them.
func (l Layout) Make() error {
	for _, dir := range []string{l.Order(""), l.StatusDir(), l.Log(""), l.OldLog(""), l.Pipe(""), l.Lock("")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// Forget removes what is kept of a unit whose supervisor has ended.
func (l Layout) Forget(unit string) error {
	var first error
	for _, path := range []string{l.Order(unit), l.Status(unit), l.Log(unit), l.OldLog(unit), l.Pipe(unit), l.Lock(unit)} {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) && first == nil {
			first = err
		}
	}
	return first
}
