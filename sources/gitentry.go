package sources

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// maxLinkTarget bounds the blob of a link, as PATH_MAX bounds it on Linux.
const maxLinkTarget = 4096

// gitView is one commit's tree: the store it is read from, and the time that all
// its files carry, which is the commit's.
type gitView struct {
	store *objectStore
	when  time.Time
}

// gitEntry is one entry of a Git tree. A submodule is shown as an empty
// directory, which is what `git clone` makes of it: its content is in another
// repository, and none but the one that was asked for is read.
type gitEntry struct {
	view *gitView
	rec  treeRecord
}

func (e *gitEntry) name() string       { return e.rec.name }
func (e *gitEntry) modTime() time.Time { return e.view.when }

func (e *gitEntry) mode() fs.FileMode {
	switch e.rec.mode {
	case filemode.Dir, filemode.Submodule:
		return fs.ModeDir | 0o755
	case filemode.Symlink:
		return fs.ModeSymlink | 0o777
	case filemode.Executable:
		return 0o755
	}
	return 0o644
}

func (e *gitEntry) size() (int64, error) {
	if e.mode().IsDir() {
		return 0, nil
	}
	return e.view.store.blobSize(e.rec.hash)
}

// hash gives the mode beside the object's hash: two files with equal content
// differ if one can be executed.
func (e *gitEntry) hash() (string, error) {
	return fmt.Sprintf("%06o:%s", uint32(e.rec.mode), e.rec.hash), nil
}

func (e *gitEntry) target() (string, error) {
	r, size, err := e.view.store.blob(e.rec.hash)
	if err != nil {
		return "", err
	}
	defer r.Close()
	if size > maxLinkTarget {
		return "", fmt.Errorf("the link's target is longer than %d bytes", maxLinkTarget)
	}
	data, err := io.ReadAll(r)
	return string(data), err
}

func (e *gitEntry) child(name string) (entry, error) {
	if e.rec.mode == filemode.Submodule {
		return nil, say(fs.ErrNotExist, "it is in the submodule %q, which is another repository and is not followed; make that a source of its own, or put the file here", e.name())
	}
	names, err := e.names()
	if err != nil {
		return nil, err
	}
	if rec, ok := names.find(name); ok {
		return &gitEntry{e.view, rec}, nil
	}
	if slices.Contains(names.refused, name) {
		return nil, &RefusedError{Names: []string{name}}
	}
	return nil, nil
}

func (e *gitEntry) children() ([]entry, error) {
	names, err := e.names()
	if err != nil {
		return nil, err
	}
	list := make([]entry, len(names.records))
	backing := make([]gitEntry, len(names.records))
	for i, rec := range names.records {
		backing[i] = gitEntry{e.view, rec}
		list[i] = &backing[i]
	}
	if len(names.refused) > 0 {
		return list, &RefusedError{Names: names.refused}
	}
	return list, nil
}

func (e *gitEntry) names() (*treeNames, error) {
	if e.rec.mode == filemode.Submodule {
		return &treeNames{}, nil
	}
	return e.view.store.tree(e.rec.hash)
}

func (e *gitEntry) open(string) (fs.File, error) {
	r, size, err := e.view.store.blob(e.rec.hash)
	if err != nil {
		return nil, err
	}
	return &openFile{body: r, info: fileInfo{nm: e.name(), sz: size, md: e.mode(), when: e.modTime()}}, nil
}

// errNotInCommit means that the path of a source is not in the commit.
var errNotInCommit = errors.New("there is nothing of that name; correct the path of the source")

// scope finds the entry at a source's path in a commit's tree, and the directory
// it is in. Links on the way are not followed: a path is a place, not what it
// happens to lead to.
func (v *gitView) scope(root plumbing.Hash, path string) (at, parent *gitEntry, err error) {
	at = &gitEntry{v, treeRecord{".", filemode.Dir, root}}
	if path == "." {
		return at, nil, nil
	}
	parts := strings.Split(path, "/")
	for i, part := range parts {
		next, err := at.child(part)
		if err != nil {
			return nil, nil, err
		}
		if next == nil {
			return nil, nil, errNotInCommit
		}
		at, parent = next.(*gitEntry), at
		last := i == len(parts)-1
		switch {
		case at.rec.mode == filemode.Symlink:
			return nil, nil, say(errNotInCommit, "%q is a link; give the path it leads to", part)
		case at.rec.mode == filemode.Submodule:
			return nil, nil, say(errNotInCommit, "%q is a submodule; make its repository a source of its own", part)
		case !last && at.rec.mode != filemode.Dir:
			return nil, nil, say(errNotInCommit, "%q is a file; correct the path of the source", part)
		}
	}
	return at, parent, nil
}
