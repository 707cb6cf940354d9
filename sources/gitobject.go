package sources

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/objfile"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// treeRecord is one entry of a Git tree.
type treeRecord struct {
	name string
	mode filemode.FileMode
	hash plumbing.Hash
}

// treeNames is a decoded tree: its records by name, and the names refused.
type treeNames struct {
	records []treeRecord
	refused []string
}

func (t *treeNames) find(name string) (treeRecord, bool) {
	i, ok := slices.BinarySearchFunc(t.records, name, func(r treeRecord, name string) int { return strings.Compare(r.name, name) })
	if !ok {
		return treeRecord{}, false
	}
	return t.records[i], true
}

// treeCache keeps decoded trees by hash: after a commit nearly all trees are
// those of the commit before. Safe for concurrent use.
type treeCache struct {
	mu    sync.Mutex
	trees map[plumbing.Hash]*treeNames
	size  int // records held
}

const maxCachedRecords = 200_000

func (c *treeCache) get(h plumbing.Hash) *treeNames {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trees[h]
}

func (c *treeCache) put(h plumbing.Hash, t *treeNames) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trees == nil || c.size+len(t.records) > maxCachedRecords {
		c.trees, c.size = make(map[plumbing.Hash]*treeNames), 0
	}
	if c.trees[h] == nil {
		c.trees[h] = t
		c.size += len(t.records) + 1
	}
}

// tree reads a tree object.
func (s *objectStore) tree(h plumbing.Hash) (*treeNames, error) {
	if t := s.trees.get(h); t != nil {
		return t, nil
	}
	var raw object.Tree
	err := s.read(plumbing.TreeObject, h, func(o plumbing.EncodedObject) error {
		if o.Size() > maxTreeBytes {
			return fmt.Errorf("the tree %s is larger than %d MiB, which is refused; spread the files over more directories", h, maxTreeBytes>>20)
		}
		return raw.Decode(o)
	})
	if err != nil {
		return nil, err
	}
	t := sortTree(raw.Entries)
	s.trees.put(h, t)
	return t, nil
}

// sortTree orders a tree by plain name (Git orders directories as if they ended
// in a slash) and takes out what may not be there.
func sortTree(raw []object.TreeEntry) *treeNames {
	t := &treeNames{records: make([]treeRecord, 0, len(raw))}
	for _, e := range raw {
		if badName(e.Name) {
			t.refused = append(t.refused, e.Name)
			continue
		}
		t.records = append(t.records, treeRecord{e.Name, e.Mode, e.Hash})
	}
	slices.SortStableFunc(t.records, func(a, b treeRecord) int { return strings.Compare(a.name, b.name) })
	kept := t.records[:0]
	for i, r := range t.records { // of a name that is there twice, neither is trusted
		twice := (i > 0 && t.records[i-1].name == r.name) || (i+1 < len(t.records) && t.records[i+1].name == r.name)
		if twice {
			t.refused = append(t.refused, r.name)
			continue
		}
		kept = append(kept, r)
	}
	t.records = kept
	return t
}

// blobSize gives the size of a blob without reading it.
func (s *objectStore) blobSize(h plumbing.Hash) (int64, error) {
	s.mu.Lock()
	for i, store := range s.stores {
		size, err := looseSize(s.pinned[i], h)
		if errors.Is(err, fs.ErrNotExist) && !s.closed {
			size, err = store.EncodedObjectSize(h)
		}
		if err == nil {
			s.mu.Unlock()
			return size, nil
		}
	}
	s.mu.Unlock()
	var size int64
	err := s.read(plumbing.BlobObject, h, func(o plumbing.EncodedObject) error {
		size = o.Size()
		return nil
	})
	return size, err
}

// looseSize reads the header of a loose object. go-git can do so too, but leaves
// the file open until the garbage collector finds it.
func looseSize(from *pinnedFS, h plumbing.Hash) (int64, error) {
	hex := h.String()
	f, err := from.Open(path.Join("objects", hex[:2], hex[2:]))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r, err := objfile.NewReader(f)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	_, size, err := r.Header()
	return size, err
}

// blob opens a blob. One of up to 1 MiB is read at once; a larger one is
// streamed, with no lock held between reads.
func (s *objectStore) blob(h plumbing.Hash) (body io.ReadCloser, size int64, err error) {
	err = s.read(plumbing.BlobObject, h, func(o plumbing.EncodedObject) error {
		r, err := o.Reader()
		if err != nil {
			return err
		}
		size = o.Size()
		if size > largeObject {
			body = r
			return nil
		}
		defer r.Close()
		data := make([]byte, size)
		if _, err := io.ReadFull(r, data); err != nil {
			return fmt.Errorf("the blob %s is shorter than it says: %w", h, err)
		}
		body = io.NopCloser(bytes.NewReader(data))
		return nil
	})
	return body, size, err
}

// errAmbiguous means that an abbreviated hash names more than one commit.
var errAmbiguous = errors.New("the abbreviated commit is ambiguous")

// expand finds the one commit whose hash begins with prefix (lower-case hex).
func (s *objectStore) expand(prefix string) (plumbing.Hash, error) {
	lead, err := hex.DecodeString(prefix[:len(prefix)/2*2])
	if err != nil {
		return plumbing.ZeroHash, err
	}
	found := map[plumbing.Hash]bool{}
	s.mu.Lock()
	for _, store := range s.stores {
		hashes, err := store.HashesWithPrefix(lead)
		if err != nil {
			s.mu.Unlock()
			return plumbing.ZeroHash, err
		}
		for _, h := range hashes {
			if strings.HasPrefix(h.String(), prefix) {
				found[h] = true
			}
		}
	}
	s.mu.Unlock()
	var commits []string
	for h := range found {
		if _, err := s.commit(h); err == nil {
			commits = append(commits, h.String())
		}
	}
	switch len(commits) {
	case 0:
		return plumbing.ZeroHash, plumbing.ErrObjectNotFound
	case 1:
		return plumbing.NewHash(commits[0]), nil
	}
	slices.Sort(commits)
	return plumbing.ZeroHash, fmt.Errorf("%w: it may be %s", errAmbiguous, listNames(commits))
}
