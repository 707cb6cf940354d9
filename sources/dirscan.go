package sources

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	defaultMaxFiles = 200_000
	maxDirDepth     = 128
	// racy is how old a file's times must be before they vouch for its content:
	// a second write within the resolution of the clock leaves no trace in them.
	racy = 2 * time.Second
)

// errTooMany means that a directory is too large to be a source.
var errTooMany = errors.New("too much to watch")

// dirScan is one look at a directory. Its nodes are filled when needed.
type dirScan struct {
	root  *os.Root
	max   int64
	cache *digestCache
	lazy  bool         // look single names up without listing their directory
	count atomic.Int64 // of names seen
}

// begin looks at the root.
func (s *dirScan) begin() (*dirNode, error) {
	f, err := s.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, err
	}
	return &dirNode{scan: s, path: ".", nm: ".", stamp: newStamp(&st)}, nil
}

// list scans one directory, without following links.
func (s *dirScan) list(n *dirNode) ([]*dirNode, error) {
	if strings.Count(n.path, "/") >= maxDirDepth {
		return nil, fmt.Errorf("%w: %q lies more than %d directories deep", errTooMany, n.path, maxDirDepth)
	}
	f, err := s.root.OpenFile(n.path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var kids []*dirNode
	for {
		names, err := f.Readdirnames(1024)
		for _, name := range names {
			if hidden(name) {
				continue
			}
			if c := s.count.Add(1); c > s.max {
				return nil, fmt.Errorf("%w: it holds more than %d files; choose a directory further down, or raise the limit", errTooMany, s.max)
			}
			kid, err := s.look(f, n, name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, &fs.PathError{Op: "stat", Path: n.below(name), Err: err}
			}
			kids = append(kids, kid)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(kids, func(a, b *dirNode) int { return strings.Compare(a.nm, b.nm) })
	return kids, nil
}

// one looks a single name up; it gives nil if there is none.
func (s *dirScan) one(n *dirNode, name string) (entry, error) {
	f, err := s.root.OpenFile(n.path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	kid, err := s.look(f, n, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return kid, nil
}

// look takes the stamp of a name, relative to its open directory: whatever
// happens to the path meanwhile, it cannot lead out of the root.
func (s *dirScan) look(dir *os.File, n *dirNode, name string) (*dirNode, error) {
	fd := int(dir.Fd())
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) }); err != nil {
		return nil, err
	}
	full := n.below(name)
	kid := &dirNode{scan: s, path: full, nm: full[len(full)-len(name):], stamp: newStamp(&st)}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return kid, nil
	}
	buf := make([]byte, maxLinkTarget)
	var size int
	err := retry(func() (err error) { size, err = unix.Readlinkat(fd, name, buf); return err })
	if err != nil {
		return nil, err
	}
	kid.link = string(buf[:size])
	return kid, nil
}

func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// force fills all nodes, and counts the files and links among them.
func (n *dirNode) force(ctx context.Context) (files int, err error) {
	kids, err := n.list()
	if err != nil && (n.path == "." || !errors.Is(err, fs.ErrPermission)) && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	for _, k := range kids {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if !k.mode().IsDir() {
			files++
			if _, err := k.hash(); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return 0, err
			}
			continue
		}
		below, err := k.force(ctx)
		if err != nil {
			return 0, err
		}
		files += below
	}
	return files, nil
}

// digestCache remembers the digests of files by path and stamp. Safe for
// concurrent use.
type digestCache struct {
	now func() time.Time

	mu    sync.Mutex
	files map[string]digested
	round uint32
}

type digested struct {
	stamp stamp
	sum   [sha256.Size]byte
	round uint32 // in which it was last of use
}

func (c *digestCache) get(p string, st stamp) ([sha256.Size]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.files[p]
	if !ok || d.stamp != st {
		return d.sum, false
	}
	if d.round != c.round {
		d.round = c.round
		c.files[p] = d
	}
	return d.sum, true
}

func (c *digestCache) put(p string, st stamp, sum [sha256.Size]byte, when time.Time) {
	if young := when.Add(-racy).UnixNano(); st.mtime > young || st.ctime > young {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files == nil {
		c.files = make(map[string]digested)
	}
	c.files[p] = digested{st, sum, c.round}
}

// next forgets the files that a whole scan did not meet.
func (c *digestCache) next() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, d := range c.files {
		if d.round != c.round {
			delete(c.files, p)
		}
	}
	c.round++
}

// digest gives the digest of a file's content, from the cache if its stamp
// vouches for it.
func (s *dirScan) digest(n *dirNode) (sum [sha256.Size]byte, err error) {
	if sum, ok := s.cache.get(n.path, n.stamp); ok {
		return sum, nil
	}
	began := s.cache.now()
	f, err := s.root.OpenFile(n.path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, &fs.PathError{Op: "read", Path: n.path, Err: unwrapPath(err)}
	}
	h.Sum(sum[:0])
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err == nil && newStamp(&st) == n.stamp {
		s.cache.put(n.path, n.stamp, sum, began)
	}
	return sum, nil
}

// hidden tells which names are no part of a directory's content: what Git keeps,
// and what editors leave beside the file that is worked on (Vim's swap files,
// the backups and locks of Emacs and others). They come and go while a file is
// edited and would cause runs. They are not listed and not digested; a file that
// is meant to be used cannot have such a name.
func hidden(name string) bool {
	if name == ".git" || strings.HasSuffix(name, "~") || strings.HasPrefix(name, ".#") {
		return true
	}
	if len(name) > 2 && name[0] == '#' && name[len(name)-1] == '#' {
		return true
	}
	swap, _ := path.Match(".*.sw[a-z]", name)
	return swap
}
