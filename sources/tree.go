package sources

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// entry is one name of a snapshot's tree, from whichever source. Its metadata
// is that of the snapshot; only open may read what is there now.
type entry interface {
	name() string
	mode() fs.FileMode // type and permission bits
	modTime() time.Time
	size() (int64, error)
	hash() (string, error)
	target() (string, error)           // of a link
	child(name string) (entry, error)  // of a directory; nil when there is none
	children() ([]entry, error)        // sorted by name; perhaps with a *RefusedError
	open(path string) (fs.File, error) // of a regular file; path is its place in the tree
}

// maxReadFile bounds what ReadFile takes into memory; larger files are streamed
// through Open.
const maxReadFile = 64 << 20

// tree is the fs.FS of every snapshot: one set of rules for names and links,
// over the entries of a Git repository, a directory or memory.
type tree struct{ root entry }

var _ interface {
	fs.ReadDirFS
	fs.ReadFileFS
	fs.ReadLinkFS
	fs.StatFS
	Hasher
} = (*tree)(nil)

// Open opens a file or directory; a link is followed within the tree.
func (t *tree) Open(name string) (fs.File, error) {
	e, at, err := resolve(t.root, "open", name, true)
	if err != nil {
		return nil, err
	}
	switch {
	case e.mode().IsDir():
		return &openDir{e: e, at: name}, nil
	case !e.mode().IsRegular():
		return nil, pathError("open", name, fmt.Errorf("it is neither a file nor a directory (%s); only those are read", e.mode().Type()))
	}
	f, err := e.open(at)
	return f, pathError("open", name, err)
}

// ReadDir lists a directory by name. Beside a *RefusedError it still gives the
// entries that are in order, so that a walk can go on.
func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	e, _, err := resolve(t.root, "readdir", name, true)
	if err != nil {
		return nil, err
	}
	if !e.mode().IsDir() {
		return nil, pathError("readdir", name, errors.New("it is not a directory"))
	}
	kids, err := e.children()
	list := make([]fs.DirEntry, len(kids))
	for i, k := range kids {
		list[i] = dirEntry{k}
	}
	return list, pathError("readdir", name, err)
}

// Stat describes what name leads to.
func (t *tree) Stat(name string) (fs.FileInfo, error) { return t.info("stat", name, true) }

// Lstat describes name itself, also when it is a link.
func (t *tree) Lstat(name string) (fs.FileInfo, error) { return t.info("lstat", name, false) }

func (t *tree) info(op, name string, follow bool) (fs.FileInfo, error) {
	e, _, err := resolve(t.root, op, name, follow)
	if err != nil {
		return nil, err
	}
	info, err := infoOf(e)
	return info, pathError(op, name, err)
}

// ReadLink gives the target of a link as it is written, also when it leaves the
// tree.
func (t *tree) ReadLink(name string) (string, error) {
	e, _, err := resolve(t.root, "readlink", name, false)
	if err != nil {
		return "", err
	}
	if e.mode()&fs.ModeSymlink == 0 {
		return "", pathError("readlink", name, fs.ErrInvalid)
	}
	target, err := e.target()
	return target, pathError("readlink", name, err)
}

// ReadFile reads a file of up to 64 MiB.
func (t *tree) ReadFile(name string) ([]byte, error) {
	f, err := t.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, pathError("read", name, errors.New("it is a directory"))
	}
	data := make([]byte, 0, min(info.Size(), maxReadFile)+1)
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if len(data) > maxReadFile {
			return nil, pathError("read", name, fmt.Errorf("it is larger than %d MiB; keep such files out of what is read whole", maxReadFile>>20))
		}
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, pathError("read", name, err)
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
}

// Hash identifies a file, a directory or (unfollowed) link. See Hasher.
func (t *tree) Hash(name string) (string, error) {
	e, _, err := resolve(t.root, "hash", name, false)
	if err != nil {
		return "", err
	}
	h, err := e.hash()
	return h, pathError("hash", name, err)
}

// pathError names the file an error is about, unless it does so already.
func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: op, Path: name, Err: pe.Err}
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
