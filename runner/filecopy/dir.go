package filecopy

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// Dir is a Sink that fills a directory, which nothing it is given can leave.
type Dir struct {
	root *os.Root
	buf  []byte
}

// NewDir gives a Sink for an empty directory.
func NewDir(root *os.Root) *Dir { return &Dir{root: root, buf: make([]byte, buffer)} }

// Dir implements Sink. The owner may always write: more is copied into it.
func (d *Dir) Dir(name string, info fs.FileInfo) error {
	return d.root.Mkdir(name, info.Mode().Perm()|0o700)
}

// Link implements Sink.
func (d *Dir) Link(name, target string, _ fs.FileInfo) error {
	return errors.Join(d.parent(name), d.root.Symlink(target, name))
}

// File implements Sink.
func (d *Dir) File(name string, info fs.FileInfo, r io.Reader) error {
	if err := d.parent(name); err != nil {
		return err
	}
	f, err := d.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, r, d.buf)
	err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Close()) // the umask must not decide
	if t := info.ModTime(); err == nil && !t.IsZero() {
		err = d.root.Chtimes(name, time.Now(), t)
	}
	return err
}

// parent makes the directory of a name whose own entry was left out.
func (d *Dir) parent(name string) error {
	for i := len(name) - 1; i > 0; i-- {
		if name[i] == '/' {
			return d.root.MkdirAll(name[:i], 0o755)
		}
	}
	return nil
}
