package sources

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// dirNode is one name below a watched directory, as it was when it was scanned.
// A directory's children are scanned and its files digested when they are first
// asked for, so that a source that is a single file does not read all that lies
// beside it. Safe for concurrent use.
type dirNode struct {
	scan  *dirScan
	path  string // below the root; "." is the root
	nm    string
	stamp stamp
	link  string // the target of a link

	listed  sync.Once
	kids    []*dirNode
	listErr error

	digested  sync.Once
	digest    string
	digestErr error
}

// stamp is what the system keeps of a file. A file whose stamp is the same has
// the same content, unless the stamp is too young to tell.
type stamp struct {
	mode         uint32
	dev, ino     uint64
	size         int64
	mtime, ctime int64 // ns
}

func newStamp(st *unix.Stat_t) stamp {
	return stamp{mode: st.Mode, dev: uint64(st.Dev), ino: st.Ino, size: st.Size, mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano()}
}

func (n *dirNode) name() string       { return n.nm }
func (n *dirNode) modTime() time.Time { return time.Unix(0, n.stamp.mtime) }

func (n *dirNode) mode() fs.FileMode {
	m := fs.FileMode(n.stamp.mode & 0o777)
	switch n.stamp.mode & unix.S_IFMT {
	case unix.S_IFREG:
		return m
	case unix.S_IFDIR:
		return m | fs.ModeDir
	case unix.S_IFLNK:
		return m | fs.ModeSymlink
	case unix.S_IFIFO:
		return m | fs.ModeNamedPipe
	case unix.S_IFSOCK:
		return m | fs.ModeSocket
	case unix.S_IFCHR:
		return m | fs.ModeDevice | fs.ModeCharDevice
	}
	return m | fs.ModeDevice
}

func (n *dirNode) size() (int64, error) {
	if n.mode().IsRegular() {
		return n.stamp.size, nil
	}
	return 0, nil
}

func (n *dirNode) target() (string, error) { return n.link, nil }

func (n *dirNode) child(name string) (entry, error) {
	if n.scan.lazy {
		return n.scan.one(n, name)
	}
	kids, err := n.list()
	if err != nil {
		return nil, err
	}
	i, ok := slices.BinarySearchFunc(kids, name, func(k *dirNode, name string) int { return strings.Compare(k.nm, name) })
	if !ok {
		return nil, nil
	}
	return kids[i], nil
}

func (n *dirNode) children() ([]entry, error) {
	kids, err := n.list()
	list := make([]entry, len(kids))
	for i, k := range kids {
		list[i] = k
	}
	return list, err
}

func (n *dirNode) list() ([]*dirNode, error) {
	n.listed.Do(func() { n.kids, n.listErr = n.scan.list(n) })
	return n.kids, n.listErr
}

// open reads what is there now. The root keeps it below itself, also if a link
// was put in the place of a directory since the scan; and a pipe that was put in
// the place of a file does not block.
func (n *dirNode) open(at string) (fs.File, error) {
	f, err := n.scan.root.OpenFile(at, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no longer a regular file")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &openFile{body: f, info: info}, nil
}

// hash digests a file by its permissions and content, a link by its target, a
// directory by the names and hashes of all in it. What cannot be read counts as
// such: once it can, the hash is another.
func (n *dirNode) hash() (string, error) {
	n.digested.Do(func() { n.digest, n.digestErr = n.sum() })
	return n.digest, n.digestErr
}

func (n *dirNode) sum() (string, error) {
	h := sha256.New()
	mode := n.mode()
	h.Write(strconv.AppendUint(nil, uint64(n.stamp.mode), 8))
	h.Write([]byte{0})
	switch {
	case mode.IsRegular():
		content, err := n.scan.digest(n)
		if errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if err != nil { // the one who reads it will say why; it harms no other
			content = sha256.Sum256([]byte("unreadable"))
		}
		h.Write(content[:])
	case mode&fs.ModeSymlink != 0:
		io.WriteString(h, n.link)
	case mode.IsDir():
		kids, err := n.list()
		if err != nil && (n.path == "." || !errors.Is(err, fs.ErrPermission)) {
			return "", err
		}
		if err != nil {
			io.WriteString(h, "unreadable")
		}
		for _, k := range kids {
			sum, err := k.hash()
			if errors.Is(err, fs.ErrNotExist) {
				continue // it went while it was looked at; its going is the next hint
			}
			if err != nil {
				return "", err
			}
			io.WriteString(h, k.nm)
			h.Write([]byte{0})
			io.WriteString(h, sum)
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// below is the path of a name in the directory.
func (n *dirNode) below(name string) string { return path.Join(n.path, name) }
