package sources

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

const (
	defaultMaxBytes = 2 << 30
	defaultMaxBlob  = 512 << 20
	defaultTimeout  = time.Minute
	maxFetch        = 30 * time.Minute // for one fetch, however steadily it drips
	maxPacks        = 64               // above which the repository is cloned anew into one pack
)

// mirror is the bare clone of a remote repository: packs, and one ref that
// remembers the last tip. update is not safe for concurrent use.
type mirror struct {
	opt    GitOptions
	loc    Location
	dir    string
	temp   bool
	meter  meter
	remote remote
	life   context.Context
	end    context.CancelFunc
	swept  bool
	most   int // packs, see maxPacks
}

// newMirror chooses how the remote repository is spoken to.
func newMirror(opt GitOptions, loc Location) (*mirror, error) {
	m := &mirror{opt: opt, loc: loc, dir: opt.Dir, most: maxPacks}
	if m.opt.MaxBytes <= 0 {
		m.opt.MaxBytes = defaultMaxBytes
	}
	if m.opt.MaxBlob <= 0 {
		m.opt.MaxBlob = defaultMaxBlob
	}
	if m.opt.Timeout <= 0 {
		m.opt.Timeout = defaultTimeout
	}
	var err error
	if m.temp = m.dir == ""; m.temp {
		m.dir, err = os.MkdirTemp("", "abide-git-")
	} else {
		m.dir, err = filepath.Abs(m.dir)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: there is no directory for its clone: %w", loc, err)
	}
	m.meter.stall = m.opt.Timeout
	if loc.url.Scheme == "ssh" {
		m.remote = newSSHRemote(opt, loc, &m.meter)
	} else {
		m.remote = newHTTPRemote(opt, loc, &m.meter)
	}
	m.life, m.end = context.WithCancel(context.Background())
	return m, nil
}

func (m *mirror) paths() repoPaths { return repoPaths{git: m.dir, common: m.dir} }

// prepare makes the bare repository, or takes up the one that is there if it is
// of the same address.
func (m *mirror) prepare() error {
	sound := m.intact()
	if !m.swept {
		m.sweep()
		m.swept = true
		sound = sound && m.whole()
	}
	if sound {
		return nil
	}
	if err := m.makeBare(m.dir); err != nil {
		return m.diskError(err)
	}
	return nil
}

func (m *mirror) diskError(err error) error {
	return fmt.Errorf("the clone in %s cannot be written: %w; free space or correct its permissions", m.dir, unwrapPath(err))
}

// intact tells whether the clone is a repository and of this address.
func (m *mirror) intact() bool {
	origin, err := readSmall(filepath.Join(m.dir, "abide-origin"))
	return err == nil && origin == m.loc.String()+"\n" && mayRead(m.paths()) == nil
}

// makeBare makes an empty bare repository, in the place of whatever was there.
func (m *mirror) makeBare(dir string) error {
	if err := os.RemoveAll(filepath.Join(dir, "objects")); err != nil {
		return err
	}
	for _, d := range []string{"", "objects", "objects/info", "objects/pack", "refs", "refs/heads", "refs/abide"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return err
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	os.Remove(filepath.Join(dir, "refs", "abide", "tip"))
	for _, f := range [][2]string{ // the origin last: it says that the rest is there
		{"HEAD", "ref: " + string(tipRef) + "\n"},
		{"config", "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"},
		{"abide-origin", m.loc.String() + "\n"},
	} {
		if err := os.WriteFile(filepath.Join(dir, f[0]), []byte(f[1]), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes what a process that was killed left behind.
func (m *mirror) sweep() {
	os.RemoveAll(m.dir + ".new")
	os.RemoveAll(m.dir + ".old")
	left, _ := filepath.Glob(filepath.Join(m.dir, "objects", "pack", "tmp_*"))
	for _, name := range left {
		os.Remove(name)
	}
}

// whole tells whether every pack and its index end in the checksum that the pack
// is named after (gitformat-pack(5)), which one that a power cut or a full disk
// has cut short does not.
func (m *mirror) whole() bool {
	packs, _ := filepath.Glob(filepath.Join(m.dir, "objects", "pack", "pack-*.pack"))
	for _, name := range packs {
		index := strings.TrimSuffix(name, ".pack") + ".idx"
		sum := strings.TrimPrefix(strings.TrimSuffix(filepath.Base(name), ".pack"), "pack-")
		if tail(name, 20) != sum || tail(index, 40) != sum {
			return false
		}
	}
	return true
}

// tail gives the 20 bytes that begin so many before the end of a file, in hex.
func tail(name string, before int64) string {
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	var sum [20]byte
	if info, err := f.Stat(); err != nil || info.Size() < before {
		return ""
	} else if _, err := f.ReadAt(sum[:], info.Size()-before); err != nil {
		return ""
	}
	return hex.EncodeToString(sum[:])
}

// packs gives the number of packs and the bytes they take.
func (m *mirror) packs() (count int, bytes int64) {
	entries, _ := os.ReadDir(filepath.Join(m.dir, "objects", "pack"))
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), ".pack") {
			count++
			bytes += info.Size()
		}
	}
	return count, bytes
}

// tipRef keeps the tip of the last fetch. It has a name of our own, so that no
// name that a server sends ever becomes a path.
const tipRef = plumbing.ReferenceName("refs/abide/tip")

func (m *mirror) saveTip(dir string, h plumbing.Hash) error {
	name := filepath.Join(dir, filepath.FromSlash(string(tipRef)))
	if old, err := readSmall(name); err == nil && strings.TrimSpace(old) == h.String() {
		return nil
	}
	if err := os.WriteFile(name+".lock", []byte(h.String()+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".lock", name)
}

// swap puts a fresh clone in the place of the present one.
func (m *mirror) swap(fresh string) error {
	old := m.dir + ".old"
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := os.Rename(m.dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(fresh, m.dir); err != nil {
		return err
	}
	return os.RemoveAll(old)
}

func (m *mirror) close() error {
	m.remote.close()
	if m.temp {
		return os.RemoveAll(m.dir)
	}
	return nil
}
