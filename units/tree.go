package units

import (
	"crypto/sha256"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// treeDir is where a tree has its units.
const treeDir = "units"

// Tree shows the registry at one moment as a directory `units` of unit files. It
// implements fs.ReadDirFS, fs.ReadFileFS, fs.StatFS and fs.ReadLinkFS, and gives
// what no file can say: what is wanted of each unit.
type Tree struct {
	units    []*Stored // by name
	revision string
}

func newTree(order []*Stored) *Tree {
	t := &Tree{units: slices.Clone(order)}
	d := digest{sha256.New()}
	for _, s := range t.units {
		d.add(s.Name, s.Text, string(s.Desired))
	}
	t.revision = d.String()
	return t
}

// Revision identifies the content, files and desired states alike: "sha256:…".
// It is the same after a restart.
func (t *Tree) Revision() string { return t.revision }

// Len gives the number of units. A registry without any is as it should be: a
// caller deleted the last one.
func (t *Tree) Len() int { return len(t.units) }

// Desired gives what is wanted of a unit.
func (t *Tree) Desired(name string) (State, bool) {
	if s := t.find(name); s != nil {
		return s.Desired, true
	}
	return "", false
}

func (t *Tree) find(name string) *Stored {
	i, ok := slices.BinarySearchFunc(t.units, name, func(s *Stored, name string) int { return strings.Compare(s.Name, name) })
	if !ok {
		return nil
	}
	return t.units[i]
}

// Hash identifies the content below a path.
func (t *Tree) Hash(name string) (string, error) {
	e, err := t.entry("hash", name)
	if err != nil {
		return "", err
	}
	if e.dir {
		return t.revision, nil
	}
	return Content([]byte(e.text), nil), nil
}

// Open implements fs.FS.
func (t *Tree) Open(name string) (fs.File, error) {
	e, err := t.entry("open", name)
	if err != nil {
		return nil, err
	}
	f := &treeFile{entry: e, Reader: *strings.NewReader(e.text)}
	if e.dir {
		f.list = t.list(name)
	}
	return f, nil
}

// ReadDir implements fs.ReadDirFS.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := t.entry("readdir", name)
	if err != nil {
		return nil, err
	}
	if !e.dir {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	return t.list(name), nil
}

// ReadFile implements fs.ReadFileFS.
func (t *Tree) ReadFile(name string) ([]byte, error) {
	e, err := t.entry("read", name)
	if err != nil {
		return nil, err
	}
	if e.dir {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	return []byte(e.text), nil
}

// Stat implements fs.StatFS.
func (t *Tree) Stat(name string) (fs.FileInfo, error) { return t.entry("stat", name) }

// Lstat implements fs.ReadLinkFS: there are no links here.
func (t *Tree) Lstat(name string) (fs.FileInfo, error) { return t.entry("lstat", name) }

// ReadLink implements fs.ReadLinkFS.
func (t *Tree) ReadLink(name string) (string, error) {
	if _, err := t.entry("readlink", name); err != nil {
		return "", err
	}
	return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
}

func (t *Tree) list(dir string) []fs.DirEntry {
	if dir == "." {
		return []fs.DirEntry{fs.FileInfoToDirEntry(treeEntry{name: treeDir, dir: true})}
	}
	out := make([]fs.DirEntry, len(t.units))
	for i, s := range t.units {
		out[i] = fs.FileInfoToDirEntry(entryOf(s))
	}
	return out
}

func (t *Tree) entry(op, name string) (treeEntry, error) {
	if !fs.ValidPath(name) {
		return treeEntry{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if name == "." || name == treeDir {
		return treeEntry{name: path.Base(name), dir: true}, nil
	}
	if unit, ok := strings.CutPrefix(name, treeDir+"/"); ok {
		if s := t.find(unit); s != nil {
			return entryOf(s), nil
		}
	}
	return treeEntry{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// treeEntry is one file or directory.
type treeEntry struct {
	name, text string
	dir        bool
	changed    time.Time
}

func entryOf(s *Stored) treeEntry { return treeEntry{name: s.Name, text: s.Text, changed: s.Changed} }

func (e treeEntry) Name() string       { return e.name }
func (e treeEntry) Size() int64        { return int64(len(e.text)) }
func (e treeEntry) ModTime() time.Time { return e.changed }
func (e treeEntry) IsDir() bool        { return e.dir }
func (e treeEntry) Sys() any           { return nil }

func (e treeEntry) Mode() fs.FileMode {
	if e.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

// treeFile is an open file or directory.
type treeFile struct {
	strings.Reader
	entry treeEntry
	list  []fs.DirEntry
}

func (f *treeFile) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *treeFile) Close() error               { return nil }

func (f *treeFile) Read(p []byte) (int, error) {
	if f.entry.dir {
		return 0, &fs.PathError{Op: "read", Path: f.entry.name, Err: fs.ErrInvalid}
	}
	return f.Reader.Read(p)
}

// ReadDir implements fs.ReadDirFile.
func (f *treeFile) ReadDir(n int) ([]fs.DirEntry, error) {
	if !f.entry.dir {
		return nil, &fs.PathError{Op: "readdir", Path: f.entry.name, Err: fs.ErrInvalid}
	}
	if n <= 0 {
		list := f.list
		f.list = nil
		return list, nil
	}
	if len(f.list) == 0 {
		return nil, io.EOF
	}
	list := f.list[:min(n, len(f.list))]
	f.list = f.list[len(list):]
	return list, nil
}
