// Package filecopy streams what copyFiles copies into wherever an executor
// wants it, and takes the digest of what was really streamed. It knows trees
// and what may change under its hands while it reads. It never knows archives,
// containers or directories of the machine.
package filecopy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"iter"

	"github.com/abide-agent/abide/runner"
)

// Sink takes a tree, entry by entry, directories before what is in them.
type Sink interface {
	Dir(name string, info fs.FileInfo) error
	Link(name, target string, info fs.FileInfo) error
	// File takes a regular file. r gives exactly info.Size() bytes.
	File(name string, info fs.FileInfo, r io.Reader) error
}

// Copy streams a set of tree's entries (see [runner.CopySet]) into sink. It
// gives the digest of what it streamed, as "sha256:…": names, kinds,
// permissions, link targets and content, in order. Memory doesn't depend on the
// size of the tree. A file that grew while it was read is cut at the size it
// had; one that shrank ends the copy with an error.
func Copy(ctx context.Context, tree fs.FS, set iter.Seq2[runner.Entry, error], sink Sink) (string, error) {
	c := copier{tree: tree, sink: sink, hash: sha256.New()}
	for e, err := range set {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = c.entry(e)
		}
		if err != nil {
			return "", err
		}
	}
	return "sha256:" + hex.EncodeToString(c.hash.Sum(nil)), nil
}

type copier struct {
	tree fs.FS
	sink Sink
	hash hash.Hash
}

func (c *copier) entry(e runner.Entry) error {
	if e.Type().IsRegular() {
		return c.file(e.Path)
	}
	info, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it went between the listing and now, as if a moment earlier
	}
	if err != nil {
		return fmt.Errorf("%s can't be copied: %w", e.Path, err)
	}
	if e.IsDir() {
		fmt.Fprintf(c.hash, "d %q %o\n", e.Path, info.Mode().Perm())
		return c.sink.Dir(e.Path, info)
	}
	fmt.Fprintf(c.hash, "l %q %q\n", e.Path, e.Link)
	return c.sink.Link(e.Path, e.Link, info)
}

func (c *copier) file(name string) error {
	f, err := c.tree.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // as above
	}
	if err != nil {
		return fmt.Errorf("%s can't be copied: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat() // the listing may be older
	if err != nil {
		return fmt.Errorf("%s can't be copied: %w", name, err)
	}
	fmt.Fprintf(c.hash, "f %q %o %d\n", name, info.Mode().Perm(), info.Size())
	r := &exact{name: name, r: f, left: info.Size(), hash: c.hash}
	if err := c.sink.File(name, info, r); err != nil {
		return err
	}
	if r.left > 0 && r.err == nil {
		return fmt.Errorf("%d bytes of %s were not copied", r.left, name)
	}
	return r.err
}

// exact reads left bytes, no more, and takes their digest on the way.
type exact struct {
	name string
	r    io.Reader
	left int64
	hash hash.Hash
	err  error
}

func (e *exact) Read(p []byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	e.hash.Write(p[:n])
	e.left -= int64(n)
	switch {
	case err == io.EOF && e.left > 0:
		e.err = fmt.Errorf("%s shrank while it was copied, %d bytes are missing; run the job again when nothing writes to it", e.name, e.left)
	case err != nil && err != io.EOF:
		e.err = fmt.Errorf("%s can't be copied: %w", e.name, err)
	}
	return n, e.err
}
