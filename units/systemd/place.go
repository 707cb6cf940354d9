package systemd

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/abide-agent/abide/internal/atomicfile"
	"github.com/abide-agent/abide/internal/failpoint"
	"github.com/abide-agent/abide/units"
)

// file is one file to be written.
type file struct {
	path string
	text []byte
}

// inspect finds out what placing a target means, without touching anything. An
// error of the step says why it can't be placed.
func (e *Engine) inspect(s *step) {
	s.before, s.owned = e.memory.get(s.target.Name)
	path := filepath.Join(e.opts.Dir, s.target.Name)
	if s.err = e.mayPlace(s, path); s.err != nil {
		return
	}
	if s.asWanted(e) {
		return
	}
	old, _, err := readUnit(path)
	if err != nil || !bytes.Equal(old, s.target.Text) {
		s.writes = append(s.writes, file{path, s.target.Text})
	}
	var oldIns []units.DropIn
	for _, in := range s.target.DropIns {
		at := filepath.Join(path+".d", in.Name)
		text, _, err := readUnit(at)
		if err != nil || !bytes.Equal(text, in.Text) {
			s.writes = append(s.writes, file{at, in.Text})
		}
	}
	for _, name := range s.before.mark.DropIns {
		at := filepath.Join(path+".d", name)
		if text, _, err := readUnit(at); err == nil {
			oldIns = append(oldIns, units.DropIn{Name: name, Text: text})
			if !slices.ContainsFunc(s.target.DropIns, func(in units.DropIn) bool { return in.Name == name }) {
				s.takes = append(s.takes, at)
			}
		}
	}
	s.unmask = isMask(path) || e.maskedElsewhere(s.target.Name) != ""
	s.wrote = len(s.writes)+len(s.takes) > 0 || s.unmask
	s.relink = s.wrote && s.owned && !slices.Equal(installOf(units.Effective(old, oldIns)), installOf(units.Effective(s.target.Text, s.target.DropIns)))
	s.content = s.target.Restart && s.before.mark.Digest != s.target.Digest || !s.owned || s.runsEdited()
}

// asWanted says, without reading anything, whether the files are as wanted: they
// were when they were last read, and the file system says that they are the same.
func (s *step) asWanted(e *Engine) bool {
	d := s.before.disk
	return s.owned && d.digest == s.target.Digest && s.before.mark.Digest == d.digest && !d.masked &&
		d.stamp != "" && d.stamp == e.stamp(s.before.mark)
}

// runsEdited says whether a unit runs what somebody wrote over its file: it was
// started later than that, and systemd had read it.
func (s *step) runsEdited() bool {
	r := s.before.run
	return s.wrote && s.before.mark.Digest == s.target.Digest && r.entered != 0 && !r.outdated &&
		s.before.disk.digest != s.target.Digest && wall(r.entered).After(s.before.disk.changed)
}

func installOf(options []units.Option) []units.Option {
	return slices.DeleteFunc(options, func(o units.Option) bool { return o.Section != "Install" })
}

// mayPlace refuses names that systemd can't have and files of somebody else.
func (e *Engine) mayPlace(s *step, path string) error {
	name := s.target.Name
	if err := units.ValidateName(name); err != nil {
		return fmt.Errorf("%q can't be placed: %w", name, err)
	}
	if len(name) > maxName || strings.ContainsRune(name, '/') {
		return fmt.Errorf("%q can't be placed: systemd takes names of at most %d bytes", name, maxName)
	}
	if !s.owned {
		if err := notOurs(path, name); err != nil {
			return err
		}
		if dir := e.maskedElsewhere(name); dir != "" {
			return notOurs(filepath.Join(dir, name), name)
		}
	}
	for _, in := range s.target.DropIns {
		if filepath.Base(in.Name) != in.Name || strings.HasPrefix(in.Name, ".") || !strings.HasSuffix(in.Name, ".conf") {
			return fmt.Errorf("%q is no name for a drop-in of %s; systemd reads NAME.conf", in.Name, name)
		}
		if !slices.Contains(s.before.mark.DropIns, in.Name) {
			if err := notOurs(filepath.Join(path+".d", in.Name), name); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxName is systemd's limit for the name of a unit (UNIT_NAME_MAX), in bytes.
const maxName = 255

// place writes the files of all steps: first the marks, so that whatever is
// there after a crash is known as abide's own, then the files. A failure is that
// of its step, except when the marks can't be written.
func (e *Engine) place(steps []*step) {
	var marks []mark
	for _, s := range steps {
		if e.inspect(s); s.err == nil && (s.wrote || s.marked() != s.before.mark.summary()) {
			s.mark = s.newMark()
			marks = append(marks, s.mark)
		}
	}
	err := e.marks.append(marks...)
	if err == nil {
		err = failpoint.Hit("units.marked")
	}
	for _, s := range steps {
		if err != nil {
			s.mark = mark{}
			s.err = cmp.Or(s.err, err)
		}
		if s.err == nil {
			e.memory.update(s.target.Name, func(u *unit) { u.busy = true })
		}
	}
	if err == nil {
		e.write(steps)
	}
	for _, s := range steps {
		e.placed(s)
	}
}

// summary is what of a mark must be what a target says.
func (k mark) summary() string {
	return strings.Join(append([]string{k.Name, k.Digest, k.Source, string(k.Want)}, k.DropIns...), "\x00")
}

// marked is the summary of the mark that the step will leave.
func (s *step) marked() string {
	k := mark{Name: s.target.Name, Digest: s.target.Digest, Source: s.target.Source, Want: s.want()}
	for _, in := range s.target.DropIns {
		k.DropIns = append(k.DropIns, in.Name)
	}
	return k.summary()
}

// newMark keeps of the old one what still holds.
func (s *step) newMark() mark {
	k := s.before.mark
	k.Name, k.Digest, k.Source, k.Want, k.DropIns = s.target.Name, s.target.Digest, s.target.Source, s.want(), nil
	for _, in := range s.target.DropIns {
		k.DropIns = append(k.DropIns, in.Name)
	}
	if s.content {
		k.Boot, k.Placed, k.Done, k.DoneAt = bootID(), monotonic(), "", time.Time{}
	}
	return k
}

// write puts all files in their places.
func (e *Engine) write(steps []*step) {
	var files []*atomicfile.File
	var owners []*step
	for _, s := range steps {
		for _, w := range s.writes {
			if s.err != nil {
				break
			}
			var f *atomicfile.File
			if f, s.err = prepare(w); s.err == nil {
				files, owners = append(files, f), append(owners, s)
			}
		}
	}
	for i, err := range atomicfile.CommitAll(files) {
		if err != nil && owners[i].err == nil {
			owners[i].err = err
		}
	}
	for _, s := range steps {
		if s.err != nil {
			continue
		}
		for _, path := range s.takes {
			s.err = errors.Join(s.err, remove(path))
		}
		if len(s.takes) > 0 {
			_ = os.Remove(filepath.Join(e.opts.Dir, s.target.Name+".d")) // when it is empty
		}
	}
	if len(files) > 0 {
		// systemd looks at the time of the directory to see whether there are new
		// names in it, and file systems stamp only every few milliseconds: two
		// units that come within one tick would look like one.
		now := time.Now()
		_ = os.Chtimes(e.opts.Dir, now, now)
	}
}

// prepare makes the temporary file for a file, and room for it: a mask, or
// whatever else somebody put in the place of a file of ours.
func prepare(w file) (*atomicfile.File, error) {
	if err := os.MkdirAll(filepath.Dir(w.path), 0o755); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(w.path); err == nil && !info.Mode().IsRegular() {
		if err := os.Remove(w.path); err != nil {
			return nil, fmt.Errorf("%s is in the place of a file of abide's: %w; move it away", w.path, err)
		}
	}
	f, err := atomicfile.Create(w.path, 0o644)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(w.text); err != nil {
		f.Abort()
		return nil, err
	}
	return f, nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// placed brings what is known up to what now stands there.
func (e *Engine) placed(s *step) {
	if s.mark.Name != "" { // also where only half of the files came to stand there
		e.memory.own(s.mark)
	}
	u, ours := e.memory.get(s.target.Name)
	if !ours {
		return
	}
	now := u.disk
	if s.wrote || s.err != nil || now.stamp == "" {
		now = e.look(u.mark, u.disk, true)
	}
	e.memory.update(s.target.Name, func(u *unit) {
		now.enabled = u.disk.enabled
		u.busy, u.disk = false, now
		if s.wrote && u.run.load != "loaded" {
			u.run.load = "" // what systemd said of other files
		}
		if s.content {
			u.run.ran = u.run.ran && u.run.active != "inactive"
		}
	})
	if len(u.mark.DropIns) > 0 {
		e.files.add(filepath.Join(e.opts.Dir, s.target.Name+".d"))
	}
	if s.err == nil && s.wrote {
		s.note("placed")
	}
	if s.err == nil && s.unmask {
		s.note("unmasked")
	}
}
