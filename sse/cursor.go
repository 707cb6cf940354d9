package sse

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"sync/atomic"
)

// cursor walks the events of one file, or of the chain of segments. It opens a
// file for each chunk that it reads and holds none in between, so that any
// number of readers cost no descriptors.
type cursor struct {
	path  string
	off   int64
	next  uint64 // the lowest id wanted
	to    uint64 // the highest
	lines []byte // read and not yet decoded
	head  Frame  // the next event
	ok    bool   // head is one

	chain   *segments // nil for a run's log
	oldest  uint64    // set where wanted events were dropped: the oldest left
	limit   uint64    // the id that the next segment begins with, 0: newest
	first   uint64    // the id that the present segment begins with
	seek    bool      // path was not yet looked into
	filter  *Filter
	decoder lineDecoder
	corrupt *atomic.Uint64 // counts lines that are none
}

// maxSkip is how many events that the filter leaves out are passed over at one
// go. The next one is given all the same, so that the reader, who filters too,
// gets to look around.
const maxSkip = 1024

// segmentCursor walks the transitions with an id from `from` to `to`.
func segmentCursor(s *segments, from, to uint64, f *Filter, corrupt *atomic.Uint64) (*cursor, error) {
	c := &cursor{next: from, to: to, chain: s, filter: f, corrupt: corrupt}
	if !c.enter() {
		return c, nil
	}
	return c, c.advance()
}

// runCursor walks a run's output.
func runCursor(span runSpan, from, to uint64, f *Filter, corrupt *atomic.Uint64) (*cursor, error) {
	c := &cursor{path: span.path, next: from, to: to, seek: true, filter: f, corrupt: corrupt}
	return c, c.advance()
}

// enter finds the segment for the next id. Where that was dropped meanwhile,
// it is the oldest one.
func (c *cursor) enter() bool {
	path, first, limit, ok := c.chain.find(c.next)
	c.path, c.first, c.limit, c.off, c.seek = path, first, limit, 0, true
	if first > c.next {
		c.oldest = first
	}
	return ok
}

// advance reads on to the next event. At the end of what there is, ok is false.
func (c *cursor) advance() error {
	for skipped := 0; ; {
		for len(c.lines) > 0 {
			i := bytes.IndexByte(c.lines, '\n')
			line := c.lines[:i:i]
			c.lines = c.lines[i+1:]
			f, ok := c.decoder.decode(line)
			switch {
			case ok && f.ID < c.next: // before what is wanted, or damage
				continue
			case ok && f.ID <= c.to && skipped < maxSkip && !c.filter.Match(f):
				c.next = f.ID + 1
				skipped++
				continue
			case !ok || !f.sound():
				c.corrupt.Add(1)
				continue
			}
			c.ok = f.ID <= c.to
			c.head, c.next = f, f.ID+1
			return nil
		}
		more, err := c.read()
		if err != nil || !more {
			c.ok = false
			return err
		}
	}
}

// read gets the next chunk, from the next segment where this one is done.
func (c *cursor) read() (more bool, err error) {
	if c.path == "" || c.next > c.to {
		return false, nil
	}
	before := c.off
	err = c.chunk()
	gone := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !gone:
		return false, err
	case !gone && (len(c.lines) > 0 || c.off > before):
		return true, nil
	case c.chain == nil:
		return false, nil // the run's log ends here, or was removed
	}
	// The segment is done. What follows is in the next one; a dropped segment
	// is passed over in the same way.
	if !gone && c.limit == 0 {
		return false, nil
	}
	was := c.first
	c.next = max(c.next, c.limit)
	return c.enter() && c.first > was, nil
}

func (c *cursor) chunk() error {
	f, err := os.Open(c.path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if c.seek {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if c.off, err = seekID(f, info.Size(), c.next); err != nil {
			return err
		}
		c.seek = false
	}
	c.lines, c.off, err = readChunk(f, c.off)
	return err
}
