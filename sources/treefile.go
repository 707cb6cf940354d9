package sources

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync/atomic"
	"time"
)

// RefusedError is given beside the other entries of a directory that holds
// names which nothing may be called: "..", ".git" in any disguise, a name with
// a slash, a name that is there twice. Such entries are not to be had.
type RefusedError struct {
	Names []string // as they stand in the repository
}

// Error lists the first few of the names, quoted.
func (e *RefusedError) Error() string {
	shown := e.Names[:min(len(e.Names), 5)]
	quoted := make([]string, len(shown))
	for i, n := range shown {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	more := ""
	if n := len(e.Names) - len(shown); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return "the directory holds names that are refused: " + strings.Join(quoted, ", ") + more +
		"; rename them in the repository"
}

// fileInfo is the metadata of one entry.
type fileInfo struct {
	nm   string
	sz   int64
	md   fs.FileMode
	when time.Time
}

func (i fileInfo) Name() string       { return i.nm }
func (i fileInfo) Size() int64        { return i.sz }
func (i fileInfo) Mode() fs.FileMode  { return i.md }
func (i fileInfo) ModTime() time.Time { return i.when }
func (i fileInfo) IsDir() bool        { return i.md.IsDir() }
func (i fileInfo) Sys() any           { return nil }

func infoOf(e entry) (fs.FileInfo, error) {
	size, err := e.size()
	if err != nil {
		return nil, err
	}
	return fileInfo{nm: e.name(), sz: size, md: e.mode(), when: e.modTime()}, nil
}

// dirEntry shows an entry in a listing; its size is looked up only when asked for.
type dirEntry struct{ e entry }

func (d dirEntry) Name() string               { return d.e.name() }
func (d dirEntry) IsDir() bool                { return d.e.mode().IsDir() }
func (d dirEntry) Type() fs.FileMode          { return d.e.mode().Type() }
func (d dirEntry) Info() (fs.FileInfo, error) { return infoOf(d.e) }
func (d dirEntry) String() string             { return fs.FormatDirEntry(d) }

// openDir is an open directory.
type openDir struct {
	e      entry
	at     string
	list   []entry
	fault  error // given once, after the entries that are in order
	loaded bool
	off    int
}

func (d *openDir) Stat() (fs.FileInfo, error) { return infoOf(d.e) }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, pathError("read", d.at, errors.New("it is a directory"))
}

// ReadDir implements fs.ReadDirFile.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.loaded {
		d.list, d.fault = d.e.children()
		d.loaded = true
	}
	left := d.list[d.off:]
	if n > 0 {
		left = left[:min(n, len(left))]
	}
	d.off += len(left)
	out := make([]fs.DirEntry, len(left))
	for i, e := range left {
		out[i] = dirEntry{e}
	}
	if d.off == len(d.list) && d.fault != nil && (n <= 0 || len(out) == 0) {
		err := d.fault
		d.fault = nil
		return out, pathError("readdir", d.at, err)
	}
	if n > 0 && len(out) == 0 {
		return nil, io.EOF
	}
	return out, nil
}

// openFile is an open regular file over any reader. go-git gives the inflaters
// of large objects back to a pool when they are closed, so that a second Close,
// or a Read after it, would reach into another file's stream: neither gets
// through here.
type openFile struct {
	body   io.ReadCloser
	info   fs.FileInfo
	closed atomic.Bool
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }

func (f *openFile) Read(p []byte) (int, error) {
	if f.closed.Load() {
		return 0, pathError("read", f.info.Name(), fs.ErrClosed)
	}
	return f.body.Read(p)
}

func (f *openFile) Close() error {
	if f.closed.Swap(true) {
		return pathError("close", f.info.Name(), fs.ErrClosed)
	}
	return f.body.Close()
}
