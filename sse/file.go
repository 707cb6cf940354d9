package sse

import (
	"fmt"
	"os"
)

// lineFile is a file that lines are appended to. It writes at the offset that
// it knows to be the end of the last whole line, so that what a failed write
// left behind is written over by the next.
type lineFile struct {
	f    *os.File
	path string
	size int64
}

// openLines opens path for appending, creating it where it is missing, and
// cuts a torn last line off. It gives what the end of the file says.
func openLines(path string) (*lineFile, tail, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, tail{}, err
	}
	lf := &lineFile{f: f, path: path}
	t, err := lf.repair()
	if err != nil {
		_ = f.Close()
		return nil, tail{}, fmt.Errorf("%s: %w", path, err)
	}
	return lf, t, nil
}

func (lf *lineFile) repair() (tail, error) {
	info, err := lf.f.Stat()
	if err != nil {
		return tail{}, err
	}
	t, err := readTail(lf.f, info.Size())
	if err != nil {
		return tail{}, err
	}
	lf.size = t.end
	if t.end < info.Size() {
		return t, lf.f.Truncate(t.end)
	}
	return t, nil
}

// append writes line, which ends in a newline. When it fails nothing of the
// line counts.
func (lf *lineFile) append(line []byte) error {
	n, err := lf.f.WriteAt(line, lf.size)
	if err != nil {
		if n > 0 {
			// Best effort: a shorter line written later must not end in the
			// rest of this one. A reader skips what is no line in any case.
			_ = lf.f.Truncate(lf.size)
		}
		return err
	}
	lf.size += int64(len(line))
	return nil
}
