package sources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"weak"
)

// heldRoot keeps a directory open, as long as it is the one that has its path.
// Safe for concurrent use.
type heldRoot struct {
	path string

	mu     sync.Mutex
	closed bool
	root   *os.Root
	olds   []weak.Pointer[os.Root] // of directories that were replaced
}

// open gives the root: the one that is open, unless another directory has its
// path by now.
func (h *heldRoot) open() (*os.Root, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fs.ErrClosed
	}
	there, err := os.Stat(h.path)
	if err != nil {
		return nil, dirError(h.path, err)
	}
	if !there.IsDir() {
		return nil, fmt.Errorf("%s is not a directory; give a directory, or the file itself as a pipeline file", h.path)
	}
	if h.root != nil {
		if info, err := h.root.Stat("."); err == nil && os.SameFile(info, there) {
			return h.root, nil
		}
		live := h.olds[:0] // snapshots may still read from it; the garbage collector closes it after the last
		for _, p := range append(h.olds, weak.Make(h.root)) {
			if p.Value() != nil {
				live = append(live, p)
			}
		}
		h.olds, h.root = live, nil
	}
	root, err := os.OpenRoot(h.path)
	if err != nil {
		return nil, dirError(h.path, err)
	}
	h.root = root
	return root, nil
}

// close gives up the directory and those that it replaced.
func (h *heldRoot) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	h.closed = true
	for _, p := range h.olds {
		if r := p.Value(); r != nil {
			r.Close()
		}
	}
	if h.root == nil {
		return nil
	}
	return h.root.Close()
}

// dirError is the sentence about a directory that cannot be read.
func dirError(path string, err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return say(fs.ErrNotExist, "the directory %s does not exist; create it, or correct the path", path)
	case errors.Is(err, errTooMany):
		return fmt.Errorf("the directory %s: %w", path, err)
	}
	return unreadable("the directory "+path, err)
}
