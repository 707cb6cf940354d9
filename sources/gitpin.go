package sources

import (
	"io"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/go-git/go-billy/v5"
)

// pinnedFS is a repository's directory as go-git reads it: every write is
// refused, so that a repository that belongs to someone else stays as it is, and
// the packs are opened once and kept open, so that a snapshot can still be read
// after `git gc` has put its objects into another pack and removed the old one.
type pinnedFS struct {
	billy.Filesystem
	mu   sync.Mutex
	pins map[string]pin
}

type pin struct {
	file billy.File
	size int64
}

// maxPins bounds the descriptors held for one repository; packs beyond it are
// opened each time.
const maxPins = 128

// pinPacks opens the packs that are there now.
func (p *pinnedFS) pinPacks() {
	dir := path.Join("objects", "pack")
	infos, err := p.Filesystem.ReadDir(dir)
	if err != nil {
		return // no pack, or one that its reader will stumble over with a better error
	}
	for _, info := range infos {
		if strings.HasSuffix(info.Name(), ".pack") && len(p.pins) < maxPins {
			name := path.Join(dir, info.Name())
			if f, err := p.Filesystem.Open(name); err == nil {
				p.pins[name] = pin{f, info.Size()}
			}
		}
	}
}

// Open opens a file for reading. Alternates are hidden from go-git, which would
// load all their indexes anew for every object; objectStore knows them instead.
func (p *pinnedFS) Open(name string) (billy.File, error) {
	if strings.HasSuffix(name, ".pack") {
		p.mu.Lock()
		defer p.mu.Unlock()
		if pinned, ok := p.pins[path.Clean(name)]; ok {
			return &pinnedFile{io.NewSectionReader(pinned.file, 0, pinned.size), name}, nil
		}
	}
	if path.Base(name) == "alternates" {
		return nil, os.ErrNotExist
	}
	return p.Filesystem.Open(name)
}

// close gives the descriptors back.
func (p *pinnedFS) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pinned := range p.pins {
		pinned.file.Close()
	}
	p.pins = nil
}

// The writing half of billy.Filesystem.

func (p *pinnedFS) Create(string) (billy.File, error)           { return nil, billy.ErrReadOnly }
func (p *pinnedFS) TempFile(string, string) (billy.File, error) { return nil, billy.ErrReadOnly }
func (p *pinnedFS) Rename(string, string) error                 { return billy.ErrReadOnly }
func (p *pinnedFS) Remove(string) error                         { return billy.ErrReadOnly }
func (p *pinnedFS) MkdirAll(string, os.FileMode) error          { return billy.ErrReadOnly }
func (p *pinnedFS) Symlink(string, string) error                { return billy.ErrReadOnly }

// OpenFile opens a file, for nothing but reading.
func (p *pinnedFS) OpenFile(name string, flag int, _ os.FileMode) (billy.File, error) {
	if flag&(os.O_WRONLY|os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND) != 0 {
		return nil, billy.ErrReadOnly
	}
	return p.Open(name)
}

// pinnedFile is one reader of a pinned pack, with a place of its own in it.
type pinnedFile struct {
	*io.SectionReader
	name string
}

func (f *pinnedFile) Name() string              { return f.name }
func (f *pinnedFile) Close() error              { return nil }
func (f *pinnedFile) Write([]byte) (int, error) { return 0, billy.ErrReadOnly }
func (f *pinnedFile) Truncate(int64) error      { return billy.ErrReadOnly }
func (f *pinnedFile) Lock() error               { return nil }
func (f *pinnedFile) Unlock() error             { return nil }
