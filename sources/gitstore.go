package sources

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

const (
	objectCacheBytes = 8 * cache.MiByte
	largeObject      = 1 << 20 // bytes above which an object is streamed
	maxTreeBytes     = 16 << 20
	maxCommitBytes   = 4 << 20
	maxAlternates    = 16
)

// objectStore reads the objects and refs of one repository as it was when the
// store was opened, and what loose objects came after. go-git's storage is not
// safe for concurrent use, so that a mutex stands around all of it but the
// streaming of large blobs.
type objectStore struct {
	paths repoPaths
	sig   string    // of the packs at the time of opening
	made  time.Time // when that was
	trees *treeCache

	mu     sync.Mutex
	stores []*filesystem.Storage // the repository, then its alternates
	pinned []*pinnedFS
	closed bool
	next   *objectStore // the same repository opened later, for objects that moved
}

// openStore opens a repository for reading.
func openStore(paths repoPaths, trees *treeCache) *objectStore {
	s := &objectStore{paths: paths, trees: trees, made: time.Now()}
	s.sig = s.signature()
	dirs := append([]string{paths.common}, alternates(filepath.Join(paths.common, "objects"))...)
	for i, dir := range dirs {
		var base billy.Filesystem = osfs.New(dir)
		if i == 0 && paths.git != paths.common {
			base = dotgit.NewRepositoryFilesystem(osfs.New(paths.git), base)
		}
		pins := &pinnedFS{Filesystem: base, pins: make(map[string]pin)}
		pins.pinPacks()
		s.pinned = append(s.pinned, pins)
		s.stores = append(s.stores, filesystem.NewStorageWithOptions(pins, cache.NewObjectLRU(objectCacheBytes),
			filesystem.Options{KeepDescriptors: true, LargeObjectThreshold: largeObject}))
	}
	return s
}

// alternates gives the repositories that this one borrows objects from
// (gitrepository-layout(5), objects/info/alternates), and those they borrow from.
func alternates(objects string) []string {
	var dirs []string
	seen := map[string]bool{objects: true}
	for queue := []string{objects}; len(queue) > 0 && len(dirs) < maxAlternates; queue = queue[1:] {
		text, err := readSmall(filepath.Join(queue[0], "info", "alternates"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(text) {
			dir := strings.TrimSpace(line)
			if dir == "" || strings.HasPrefix(dir, "#") {
				continue
			}
			if !filepath.IsAbs(dir) {
				dir = filepath.Join(queue[0], dir)
			}
			if dir = filepath.Clean(dir); filepath.Base(dir) == "objects" && !seen[dir] {
				seen[dir] = true
				dirs, queue = append(dirs, filepath.Dir(dir)), append(queue, dir)
			}
		}
	}
	return dirs
}

// signature changes when the repository is another one, and when packs come or
// go. Loose objects and refs are looked up each time and need none.
func (s *objectStore) signature() string {
	var b strings.Builder
	for _, dir := range []string{
		s.paths.git, s.paths.common, filepath.Join(s.paths.common, "objects", "pack"),
		filepath.Join(s.paths.common, "objects", "info", "alternates"),
	} {
		info, err := os.Stat(dir)
		if err != nil {
			b.WriteString("-;")
			continue
		}
		fmt.Fprint(&b, inode(info), ":")
		if dir != s.paths.git && dir != s.paths.common {
			fmt.Fprint(&b, info.ModTime().UnixNano())
		}
		b.WriteByte(';')
	}
	return b.String()
}

// stale tells whether a store opened now might see other packs. For two seconds
// after it was opened that cannot be excluded, since the times of a directory
// are coarse; in doubt it says so only when asked about a missing object.
func (s *objectStore) stale(missing bool) bool {
	return s.signature() != s.sig || (missing && time.Since(s.made) < 2*time.Second)
}

// read calls use with an object. use must not keep the object: all that touches
// go-git's storage happens under the lock.
func (s *objectStore) read(typ plumbing.ObjectType, h plumbing.Hash, use func(plumbing.EncodedObject) error) error {
	err := s.try(typ, h, use)
	if !isMissing(err) || !s.stale(true) {
		return missingObject(typ, h, err)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return fs.ErrClosed
	}
	if s.next == nil || s.next.stale(true) {
		s.next = openStore(s.paths, s.trees)
	}
	next := s.next
	s.mu.Unlock()
	return missingObject(typ, h, next.try(typ, h, use))
}

// try looks for an object in the repository and its alternates.
func (s *objectStore) try(typ plumbing.ObjectType, h plumbing.Hash, use func(plumbing.EncodedObject) error) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fs.ErrClosed
	}
	defer func() { // whatever a hostile object does to the decoder, it harms only its reader
		if p := recover(); p != nil {
			err = fmt.Errorf("the Git object %s is malformed: %v", h, p)
		}
	}()
	for _, store := range s.stores {
		var obj plumbing.EncodedObject
		if obj, err = store.EncodedObject(typ, h); err == nil {
			return use(obj)
		}
		if !isMissing(err) {
			return err
		}
	}
	return err
}

// isMissing recognises the ways in which go-git says that an object is not
// there, or is no longer where an index said it was.
func isMissing(err error) bool {
	return errors.Is(err, plumbing.ErrObjectNotFound) || errors.Is(err, dotgit.ErrPackfileNotFound) || errors.Is(err, fs.ErrNotExist)
}

func missingObject(typ plumbing.ObjectType, h plumbing.Hash, err error) error {
	if isMissing(err) {
		what := "object"
		if typ != plumbing.AnyObject {
			what = typ.String()
		}
		return say(plumbing.ErrObjectNotFound, "the Git repository holds no %s %s (any more); see git fsck", what, h)
	}
	return err
}

// commit reads a commit.
func (s *objectStore) commit(h plumbing.Hash) (*object.Commit, error) {
	var c *object.Commit
	err := s.read(plumbing.CommitObject, h, func(o plumbing.EncodedObject) (err error) {
		if o.Size() > maxCommitBytes {
			return fmt.Errorf("the commit %s is larger than %d MiB, which is refused", h, maxCommitBytes>>20)
		}
		c, err = object.DecodeCommit(nil, o)
		return err
	})
	return c, err
}

// close gives all descriptors back. What is read afterwards fails with
// fs.ErrClosed.
func (s *objectStore) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for i, store := range s.stores {
		store.Close()
		s.pinned[i].close()
	}
	if s.next != nil {
		s.next.close()
	}
}
