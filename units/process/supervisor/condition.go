package supervisor

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/abide-agent/abide/units/process/spec"
)

// mayStart looks at the unit's conditions (systemd.unit(5)): all must hold, and
// of those that trigger, one. Where they don't the unit is left alone, which is
// no failure unless it asserts them.
func (u *unit) mayStart() bool {
	for _, assert := range []bool{false, true} {
		why := unmet(u.spec.Conditions, assert)
		if why == "" {
			continue
		}
		if assert {
			u.fail("assert", "%s does not hold, so it was not started", why)
		} else {
			u.status.Skipped = true
			u.out.note("%s does not hold, so it was left alone", why)
		}
		return false
	}
	return true
}

// unmet names the first condition that keeps the unit from starting, or "".
func unmet(list []spec.Condition, assert bool) string {
	triggers, triggered := "", false
	for _, c := range list {
		switch holds := holds(c) != c.Not; {
		case c.Assert != assert:
		case c.Trigger:
			triggers, triggered = c.String(), triggered || holds
		case !holds:
			return c.String()
		}
	}
	if triggered {
		return ""
	}
	return triggers
}

func holds(c spec.Condition) bool {
	info, err := os.Stat(c.Path)
	switch c.Kind {
	case "PathExists":
		return err == nil
	case "PathExistsGlob":
		found, _ := filepath.Glob(c.Path)
		return len(found) > 0
	case "PathIsDirectory":
		return err == nil && info.IsDir()
	case "PathIsSymbolicLink":
		info, err = os.Lstat(c.Path)
		return err == nil && info.Mode()&os.ModeSymlink != 0
	case "PathIsReadWrite":
		return unix.Access(c.Path, unix.W_OK) != unix.EROFS && err == nil
	case "DirectoryNotEmpty":
		entries, err := os.ReadDir(c.Path)
		return err == nil && len(entries) > 0
	case "FileNotEmpty":
		return err == nil && info.Mode().IsRegular() && info.Size() > 0
	case "FileIsExecutable":
		return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
	}
	return false
}

// skip runs ExecCondition= and says whether it leaves the unit alone: an exit
// code from 1 to 254 does, anything else that isn't 0 is a failure.
func (u *unit) skip(c spec.Command, p *proc) bool {
	code, signal := exitOf(p)
	if signal != 0 || code == 0 || code == 255 || p.failure != "" || p.ignore {
		return false
	}
	u.status.Skipped = true
	u.out.note("ExecCondition=%s exited with %d, so it was left alone", c.Path, code)
	return true
}
