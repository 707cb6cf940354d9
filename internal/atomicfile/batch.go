package atomicfile

import (
	"os"
	"path/filepath"
	"sync"
)

// atOnce is how many files reach the disk side by side: file systems write the
// journal once for many fsyncs that come together.
const atOnce = 16

// CommitAll commits many files side by side and makes the names in each of their
// directories durable once, which is much faster than to commit one after the
// other. It gives one error, or nil, for each file. A file whose error is not
// nil is as it was, except when only the fsync of the directory failed.
func CommitAll(files []*File) []error {
	errs := make([]error, len(files))
	limit := make(chan struct{}, atOnce)
	var group sync.WaitGroup
	for i, f := range files {
		limit <- struct{}{}
		group.Go(func() {
			defer func() { <-limit }()
			errs[i] = f.put()
		})
	}
	group.Wait()
	dirs := map[string]error{}
	for i, f := range files {
		if errs[i] != nil {
			continue
		}
		dir := filepath.Dir(f.path)
		if _, done := dirs[dir]; !done {
			dirs[dir] = SyncDir(dir)
		}
		errs[i] = dirs[dir]
	}
	return errs
}

// put makes the content durable and puts it in the target's place, without the
// fsync of the directory.
func (f *File) put() error {
	if f.f == nil {
		return os.ErrClosed
	}
	if err := f.f.Sync(); err != nil {
		f.Abort()
		return err
	}
	if err := os.Rename(f.f.Name(), f.path); err != nil {
		f.Abort()
		return err
	}
	err := f.f.Close()
	f.f = nil
	return err
}
