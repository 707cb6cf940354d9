package filecopy

import (
	"archive/tar"
	"io"
	"io/fs"
	"time"
)

// buffer is how much of a file is read at once.
const buffer = 256 << 10

// Tar is a Sink that writes a tar archive.
type Tar struct {
	w        *tar.Writer
	prefix   string
	uid, gid int
	buf      []byte
}

// NewTar gives a Sink that writes to w. prefix, which ends in a slash unless it
// is empty, stands before all names; everything belongs to uid and gid. The
// caller buffers w.
func NewTar(w io.Writer, prefix string, uid, gid int) *Tar {
	return &Tar{w: tar.NewWriter(w), prefix: prefix, uid: uid, gid: gid, buf: make([]byte, buffer)}
}

// Root writes an entry for the directory that prefix names.
func (t *Tar) Root() error {
	return t.header(tar.Header{Typeflag: tar.TypeDir, Mode: 0o755, ModTime: time.Now()})
}

// Dir implements Sink.
func (t *Tar) Dir(name string, info fs.FileInfo) error {
	return t.header(tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: int64(info.Mode().Perm()), ModTime: info.ModTime()})
}

// Link implements Sink.
func (t *Tar) Link(name, target string, info fs.FileInfo) error {
	return t.header(tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777, ModTime: info.ModTime()})
}

// File implements Sink.
func (t *Tar) File(name string, info fs.FileInfo, r io.Reader) error {
	err := t.header(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size(), ModTime: info.ModTime()})
	if err == nil {
		_, err = io.CopyBuffer(struct{ io.Writer }{t.w}, r, t.buf)
	}
	return err
}

// Close writes the archive's end.
func (t *Tar) Close() error { return t.w.Close() }

func (t *Tar) header(h tar.Header) error {
	h.Name, h.Uid, h.Gid = t.prefix+h.Name, t.uid, t.gid
	if h.ModTime.IsZero() { // a tree that knows no times
		h.ModTime = time.Unix(0, 0)
	}
	return t.w.WriteHeader(&h)
}
