package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/abide-agent/abide/internal/atomicfile"
	"github.com/abide-agent/abide/units"
	"github.com/abide-agent/abide/units/process/spec"
)

// maxFile bounds a unit file that is read back, in bytes.
const maxFile = 1 << 20

// onDisk is what stands in the unit directory of one unit.
type onDisk struct {
	text    []byte
	dropIns []units.DropIn // those that abide placed
	foreign []string       // the others, which have no effect
	there   bool
	masked  bool
	err     error // it can't be read
}

func (d onDisk) digest() string { return units.Content(d.text, d.dropIns) }

// read reads a unit and those of its drop-ins that are abide's own. Others in
// NAME.d have no effect here.
func (e *Engine) read(name string, dropIns []string) (d onDisk) {
	path := filepath.Join(e.opts.Dir, name)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return d
	case err != nil:
		return onDisk{there: true, err: err}
	case info.Mode()&fs.ModeSymlink != 0:
		target, _ := os.Readlink(path)
		if target == os.DevNull {
			return onDisk{there: true, masked: true}
		}
	}
	d.there = true
	if d.text, d.err = readBounded(path); d.err != nil {
		return d
	}
	entries, _ := os.ReadDir(path + ".d")
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".conf") && !slices.Contains(dropIns, e.Name()) {
			d.foreign = append(d.foreign, e.Name())
		}
	}
	for _, n := range dropIns {
		text, err := readBounded(filepath.Join(path+".d", n))
		switch {
		case errors.Is(err, fs.ErrNotExist): // the digest tells
		case err != nil:
			d.err = err
		default:
			d.dropIns = append(d.dropIns, units.DropIn{Name: n, Text: text})
		}
	}
	return d
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is no regular file; move it away", path))
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes; move it away", path, maxFile)
	}
	return text, err
}

// place puts the files of a target in place and says what it did.
func (e *Engine) place(t units.Target) (did []string, err error) {
	k, ours := e.marks.get(t.Name)
	have := e.read(t.Name, k.DropIns)
	var names []string
	for _, d := range t.DropIns {
		names = append(names, d.Name)
	}
	slices.Sort(names)
	if have.there && !ours && (have.masked || !bytes.Equal(have.text, t.Text)) {
		return nil, fmt.Errorf("%s is there already, and abide did not place it; move it away, or take %s out of its source", filepath.Join(e.opts.Dir, t.Name), t.Name)
	}
	for _, d := range t.DropIns {
		path := filepath.Join(e.opts.Dir, t.Name+".d", d.Name)
		if text, err := readBounded(path); !slices.Contains(k.DropIns, d.Name) && (err == nil && !bytes.Equal(text, d.Text)) {
			return nil, fmt.Errorf("%s is there already, and abide did not place it; move it away, or take it out of the source of %s", path, t.Name)
		}
	}
	next := mark{Name: t.Name, Digest: t.Digest, DropIns: names, Source: t.Source, Want: t.Want, Install: hasInstall(t)}
	same := ours && have.there && !have.masked && have.err == nil && have.digest() == t.Digest && slices.Equal(k.DropIns, names)
	switch {
	case same && reflect.DeepEqual(k, next):
		return nil, nil
	case same:
		return nil, e.marks.put(next)
	}
	// Until all is in place the mark names what is there and what will be.
	between := next
	between.DropIns = slices.Compact(slices.Sorted(slices.Values(slices.Concat(k.DropIns, names))))
	if err := e.marks.put(between); err != nil {
		return nil, err
	}
	if err := e.write(t, have.masked); err != nil {
		return nil, fmt.Errorf("%s can't be placed: %w", t.Name, err)
	}
	if err := e.dropOthers(t.Name, between.DropIns, names); err != nil {
		return nil, fmt.Errorf("an old drop-in of %s can't be removed: %w", t.Name, err)
	}
	if !slices.Equal(between.DropIns, next.DropIns) {
		err = e.marks.put(next)
	}
	e.touched(t.Name)
	if did = []string{"placed"}; have.masked {
		did = append(did, "unmasked")
	}
	return did, err
}

func hasInstall(t units.Target) bool {
	return slices.ContainsFunc(units.Effective(t.Text, t.DropIns), func(o units.Option) bool { return o.Section == "Install" })
}

func (e *Engine) write(t units.Target, masked bool) error {
	path := filepath.Join(e.opts.Dir, t.Name)
	if masked {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		// A link that somebody put in the place of our file; the file itself
		// stays where it is.
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	if len(t.DropIns) > 0 {
		if err := os.MkdirAll(path+".d", 0o755); err != nil {
			return err
		}
		e.hub.watchDir(path + ".d")
	}
	for _, d := range t.DropIns {
		if err := atomicfile.WriteFile(filepath.Join(path+".d", d.Name), d.Text, 0o644); err != nil {
			return err
		}
	}
	return atomicfile.WriteFile(path, t.Text, 0o644)
}

func (e *Engine) dropOthers(name string, have, keep []string) error {
	dir := filepath.Join(e.opts.Dir, name+".d")
	for _, n := range have {
		if slices.Contains(keep, n) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if len(keep) == 0 && len(have) > 0 {
		_ = os.Remove(dir) // unless somebody else's files are in it
	}
	return nil
}

// erase takes away what was placed of a unit, and what was kept of its runs.
func (e *Engine) erase(name string) (bool, error) {
	k, ours := e.marks.get(name)
	if !ours {
		return false, nil
	}
	path := filepath.Join(e.opts.Dir, name)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("%s can't be removed: %w", name, err)
	}
	if err := e.dropOthers(name, k.DropIns, nil); err != nil {
		return false, fmt.Errorf("a drop-in of %s can't be removed: %w", name, err)
	}
	if err := e.layout.Forget(name); err != nil {
		return false, err
	}
	if err := e.marks.remove(name); err != nil {
		return false, err
	}
	e.known.forget(name)
	e.mu.Lock()
	delete(e.adopted, name)
	delete(e.probed, name)
	e.mu.Unlock()
	e.touched(name)
	return true, nil
}

// compile makes an order's service of files.
func compile(name string, text []byte, dropIns []units.DropIn) (spec.Compiled, error) {
	return spec.Compile(name, spec.Files(name, text, dropIns), spec.ThisHost())
}
