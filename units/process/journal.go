package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/abide-agent/abide/units"
)

// maxJournal bounds what is read of a log, in bytes.
const maxJournal = 4 << 20

// Journal implements [units.Engine]: the last lines of the unit's log, which
// hold its standard output and error in the order in which they were printed,
// and remarks of its supervisor, which begin with "abide: ".
func (e *Engine) Journal(ctx context.Context, name string, lines int) ([]string, error) {
	if err := units.ValidateName(name); err != nil {
		return nil, fmt.Errorf("%q has no log: %w", name, err)
	}
	if err := ctx.Err(); err != nil || lines <= 0 {
		return nil, err
	}
	text, err := tail(e.layout.Log(name), lines)
	if err != nil {
		return nil, fmt.Errorf("the log of %s can't be read: %w", name, err)
	}
	if bytes.Count(text, []byte("\n")) < lines {
		old, err := tail(e.layout.OldLog(name), lines)
		if err != nil {
			return nil, fmt.Errorf("the log of %s can't be read: %w", name, err)
		}
		text = append(old, text...)
	}
	all := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(text) == 0 {
		return nil, nil
	}
	all = all[max(0, len(all)-lines):]
	for i, line := range all {
		all[i] = strings.ToValidUTF8(strings.TrimSuffix(line, "\r"), "\uFFFD")
	}
	return all, nil
}

// tail reads a file from its end until it has that many lines, or a bit more.
func tail(path string, lines int) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	for chunk := int64(16 << 10); ; chunk *= 4 {
		from := max(0, size-min(chunk, maxJournal))
		text := make([]byte, size-from)
		n, err := f.ReadAt(text, from)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if text = text[:n]; from == 0 || chunk >= maxJournal || bytes.Count(text, []byte("\n")) > lines {
			return text, nil
		}
	}
}
