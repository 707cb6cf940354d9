// Package atomicfile writes files that are either wholly there or not there at
// all, whatever happens in between: temporary file in the same directory,
// write, fsync, rename, fsync of the directory. It knows paths and bytes; it
// never knows what a file means nor who reads it.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// tempMark stands in the name of every temporary file. It is unlikely enough
// in a name of anybody else's that [RemoveTemps] can go by it.
const tempMark = ".abide-tmp-"

// maxBase is how much of the target's name goes into the temporary name, so
// that this stays below the 255 bytes that file systems allow.
const maxBase = 180

// WriteFile makes path hold data with exactly the permission bits of mode,
// whatever the umask. A reader sees the old content or the new, never a mix,
// and the new content has reached the disk when WriteFile returns nil. The
// directory must exist. On an error the old content is in place, except when
// only the fsync of the directory failed: then either may be there after a
// power cut. A target that is not a regular file, a symbolic link too, is
// refused.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	f, err := Create(path, mode)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Commit()
}

// File is a file being written that nobody sees before [File.Commit]. It is
// for one goroutine at a time.
type File struct {
	f    *os.File
	path string
}

// Create starts a new content for path, under the same rules as [WriteFile].
// The caller ends it with Commit, or with Abort; Abort after Commit does
// nothing, so that it can be deferred.
func Create(path string, mode fs.FileMode) (*File, error) {
	if err := replaceable(path); err != nil {
		return nil, err
	}
	dir, base := filepath.Split(path)
	base = base[:min(len(base), maxBase)]
	f, err := os.CreateTemp(filepath.Clean(dir+"."), "."+base+tempMark+"*")
	if err != nil {
		return nil, err
	}
	file := &File{f: f, path: path}
	// The lock tells RemoveTemps that somebody is alive and writing. Where the
	// file system has no locks the file is written all the same.
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err := f.Chmod(mode.Perm()); err != nil {
		file.Abort()
		return nil, err
	}
	return file, nil
}

// replaceable refuses a target that a rename would silently turn from
// something special into a plain file.
func replaceable(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file but %s; move it away or choose another path", path, kind(info.Mode()))
	}
	return nil
}

func kind(mode fs.FileMode) string {
	switch mode.Type() {
	case fs.ModeDir:
		return "a directory"
	case fs.ModeSymlink:
		return "a symbolic link"
	case fs.ModeNamedPipe:
		return "a named pipe"
	case fs.ModeSocket:
		return "a socket"
	default:
		return "a device"
	}
}

// Write appends p to the new content.
func (f *File) Write(p []byte) (int, error) { return f.f.Write(p) }

// Commit makes the new content durable and puts it in the target's place. On
// an error the temporary file is gone and the target is as it was.
func (f *File) Commit() error {
	if err := f.put(); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(f.path))
}

// Abort gives the new content up and removes its temporary file.
func (f *File) Abort() {
	if f.f == nil {
		return
	}
	// Removed before it is closed, hence unlocked: nobody else has it then.
	_ = os.Remove(f.f.Name())
	_ = f.f.Close()
	f.f = nil
}

// SyncDir makes the names in dir durable: what was created, renamed or removed
// there. A file system that cannot sync a directory is no error.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("the names in %s may not have reached the disk: %w", dir, err)
	}
	return nil
}

// RemoveTemps removes the temporary files that writers which died left in dir
// (not below it). Those of living writers, of any process, stay. A dir that
// does not exist holds none.
func RemoveTemps(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var errs []error
	for _, e := range entries {
		if e.Type().IsRegular() && isTemp(e.Name()) {
			errs = append(errs, removeStale(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(append(errs, err)...)
}

// isTemp says whether name is one that Create makes: a dot, the target's name,
// the mark, and the number that os.CreateTemp draws.
func isTemp(name string) bool {
	i := strings.LastIndex(name, tempMark)
	if i < 1 || name[0] != '.' {
		return false
	}
	_, err := strconv.ParseUint(name[i+len(tempMark):], 10, 64)
	return err == nil
}

func removeStale(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == syscall.EWOULDBLOCK {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
