package systemd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/abide-agent/abide/units"
)

// disk is what stands in the unit directory of one unit.
type disk struct {
	digest   string // of the files that are ours, see [units.Content]
	missing  bool   // the unit's own file is not there
	masked   bool
	enabled  bool      // some link of [Install] points at it
	installs bool      // it has an [Install] that asks for links
	oneShot  bool      // Type=oneshot
	quick    bool      // systemd calls it started before its program runs
	foreign  []string  // drop-ins that are not ours
	changed  time.Time // when, at the latest, it came to stand there as it does
	// stamp is what the file system says of all of this; while it stays the
	// same nothing has to be read. Empty when a change might not show in it.
	stamp string
}

// maxFile bounds what is read of one file. Nobody writes a unit of this size,
// and what was placed is much smaller.
const maxFile = 4 << 20

// look reads the files of a unit, or takes them for unchanged where the file
// system says so; fresh reads them in any case.
func (e *Engine) look(k mark, old disk, fresh bool) disk {
	stamp := e.stamp(k)
	if !fresh && stamp != "" && stamp == old.stamp {
		return old
	}
	now := disk{stamp: stamp, enabled: old.enabled}
	path := filepath.Join(e.opts.Dir, k.Name)
	text, changed, err := readUnit(path)
	now.changed = changed
	switch {
	case errors.Is(err, fs.ErrNotExist):
		now.missing, now.changed = true, time.Now()
	case isMask(path):
		now.masked = true
	}
	now.masked = now.masked || e.maskedElsewhere(k.Name) != ""
	var dropIns []units.DropIn
	entries, err := os.ReadDir(path + ".d")
	if err != nil && len(k.DropIns) > 0 {
		now.changed = time.Now()
	} else if t, ok := changedAt(path + ".d"); ok && t.After(now.changed) {
		now.changed = t // one may have gone
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".conf") {
			continue
		}
		if !slices.Contains(k.DropIns, entry.Name()) {
			now.foreign = append(now.foreign, entry.Name())
			continue
		}
		in, changed, _ := readUnit(filepath.Join(path+".d", entry.Name()))
		dropIns = append(dropIns, units.DropIn{Name: entry.Name(), Text: in})
		if changed.After(now.changed) {
			now.changed = changed
		}
	}
	if !now.missing && !isMask(path) {
		now.digest = units.Content(text, dropIns)
	}
	now.read(k.Name, units.Effective(text, dropIns))
	return now
}

// read notes what the unit's options mean for the engine.
func (d *disk) read(name string, options []units.Option) {
	typ := "simple"
	for _, o := range options {
		switch {
		case o.Section == "Service" && o.Name == "Type":
			typ = o.Value
		case o.Section == "Install" && o.Value != "" && slices.Contains(installs, o.Name):
			d.installs = true
		}
	}
	if strings.HasSuffix(name, ".service") {
		d.oneShot = typ == "oneshot"
		d.quick = typ == "simple" || typ == "idle" || typ == "exec" || typ == ""
	}
}

// installs are the options of [Install] that make links of the unit itself.
var installs = []string{"WantedBy", "RequiredBy", "UpheldBy", "Alias", "Also"}

// readUnit reads a file that nobody may have made too big or turned into
// something else: a link, a pipe, a device.
func readUnit(path string) (text []byte, changed time.Time, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, changed, err
	}
	changed = ctime(info)
	switch {
	case !info.Mode().IsRegular():
		return []byte("\x00" + info.Mode().Type().String()), changed, nil // equals no text that was placed
	case info.Size() > maxFile:
		return []byte("\x00" + strconv.FormatInt(info.Size(), 10)), changed, nil
	}
	text, err = os.ReadFile(path)
	return text, changed, err
}

// ctime is when a file last changed in any way; nobody can set it.
func ctime(info fs.FileInfo) time.Time {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.ModTime()
	}
	return time.Unix(stat.Ctim.Unix())
}

func changedAt(path string) (time.Time, bool) {
	info, err := os.Lstat(path)
	if err != nil {
		return time.Time{}, false
	}
	return ctime(info), true
}

// stamp puts into words when which file changed last.
func (e *Engine) stamp(k mark) string {
	path := filepath.Join(e.opts.Dir, k.Name)
	var out []byte
	recent := time.Now().Add(-50 * time.Millisecond) // clocks of file systems tick slowly
	add := func(path string) bool {
		info, err := os.Lstat(path)
		if err != nil {
			out = append(out, "-;"...)
			return true
		}
		changed := ctime(info)
		if changed.After(recent) {
			return false
		}
		out = append(strconv.AppendInt(append(strconv.AppendInt(out, info.Size(), 36), ','), changed.UnixNano(), 36), ',')
		out = append(out, ';')
		return true
	}
	if !add(path) || !add(path+".d") {
		return ""
	}
	for _, in := range k.DropIns {
		if !add(filepath.Join(path+".d", in)) {
			return ""
		}
	}
	return string(append(out, e.maskedElsewhere(k.Name)...))
}

func isMask(path string) bool {
	to, err := os.Readlink(path)
	return err == nil && to == "/dev/null"
}

// unitDirs are the directories of systemd.unit(5) in which one masks a unit,
// the strongest first.
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system"}

// maskedElsewhere names the directory in which a link to /dev/null covers the
// unit, other than the unit directory itself.
func (e *Engine) maskedElsewhere(name string) string {
	for _, dir := range unitDirs {
		if dir == e.opts.Dir {
			return ""
		}
		if isMask(filepath.Join(dir, name)) {
			return dir
		}
	}
	return ""
}

// linkDir is where systemd makes the links of [Install].
func (e *Engine) linkDir() string {
	if e.opts.Runtime {
		return "/run/systemd/system"
	}
	return "/etc/systemd/system"
}

// links gives the names of all units that a link of [Install] points at.
func (e *Engine) links() map[string]bool {
	out := map[string]bool{}
	dir := e.linkDir()
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		switch {
		case entry.Type() == fs.ModeSymlink:
			if to, err := os.Readlink(path); err == nil && to != "/dev/null" {
				out[filepath.Base(to)] = true
			}
		case entry.IsDir() && isLinkDir(entry.Name()):
			within, _ := os.ReadDir(path)
			for _, l := range within {
				out[l.Name()] = true
			}
		}
	}
	return out
}

func isLinkDir(name string) bool {
	return strings.HasSuffix(name, ".wants") || strings.HasSuffix(name, ".requires") || strings.HasSuffix(name, ".upholds")
}

// notOurs refuses a file that somebody else put where one of ours is to go.
func notOurs(path, unit string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case isMask(path):
		return fmt.Errorf("%s is masked by somebody else: %s is a link to /dev/null; `systemctl unmask %s`, or name the unit otherwise", unit, path, unit)
	}
	return fmt.Errorf("%s is there already and abide did not place it (%d bytes); move it away, or name the unit otherwise", path, info.Size())
}
