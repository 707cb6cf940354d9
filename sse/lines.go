package sse

import (
	"bytes"
	"errors"
	"io"
)

const (
	// chunkSize is how much of a file is read at once. A line fits.
	chunkSize = 64 << 10
	// probeSize is how much a step of the binary search reads at first.
	probeSize = 4 << 10
)

// readChunk reads whole lines from off, at most about chunkSize bytes and at
// least one line where there is one. next is where to go on. Bytes after the
// last newline are left alone: somebody may still be writing them. A piece of
// chunkSize bytes without a newline is no line of ours and is skipped over.
func readChunk(f io.ReaderAt, off int64) (lines []byte, next int64, err error) {
	buf := make([]byte, chunkSize)
	n, err := f.ReadAt(buf, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, off, err
	}
	end := bytes.LastIndexByte(buf[:n], '\n') + 1
	if end == 0 && n == chunkSize {
		return nil, off + chunkSize, nil
	}
	return buf[:end:end], off + int64(end), nil
}

// seekID gives an offset in the file, the start of a line, from which on the
// line with the lowest id that is at least want is at most a chunk away. It
// reads a few pages of the file, however large that is.
func seekID(f io.ReaderAt, size int64, want uint64) (int64, error) {
	lo, hi := int64(0), size
	for hi-lo > chunkSize {
		mid := lo + (hi-lo)/2
		start, id, err := nextID(f, mid, hi)
		if err != nil {
			return 0, err
		}
		if id == 0 || id >= want {
			hi = mid
		} else {
			lo = start
		}
	}
	return lo, nil
}

// nextID finds the first sound line that starts after off and before limit. It
// gives id 0 where there is none.
func nextID(f io.ReaderAt, off, limit int64) (start int64, id uint64, err error) {
	buf := make([]byte, probeSize)
	for off < limit {
		n, err := f.ReadAt(buf, off)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, err
		}
		for at := 0; ; {
			i := bytes.IndexByte(buf[at:n], '\n')
			if i < 0 {
				break
			}
			at += i + 1
			if id, _, ok := decodeID(buf[at:n]); ok && off+int64(at) < limit {
				return off + int64(at), id, nil
			}
		}
		if n < len(buf) {
			return 0, 0, nil
		}
		// A line's head may lie across the border: look at its bytes again.
		off += int64(n - 32)
	}
	return 0, 0, nil
}

// firstID gives the id of the first sound line, or 0.
func firstID(f io.ReaderAt, size int64) (uint64, error) {
	head := make([]byte, 32)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if id, _, ok := decodeID(head[:n]); ok {
		return id, nil
	}
	_, id, err := nextID(f, 0, size)
	return id, err
}

// tail is what the end of a file of lines says about itself.
type tail struct {
	last uint64 // the id of the last sound line, or 0
	end  int64  // where the last newline ends: what follows is torn
}

// readTail looks at the end of a file. It goes back no further than it must to
// find a sound line.
func readTail(f io.ReaderAt, size int64) (tail, error) {
	var t tail
	var d lineDecoder
	window := int64(chunkSize)
	for {
		from := max(size-window, 0)
		buf := make([]byte, size-from)
		if _, err := f.ReadAt(buf, from); err != nil && !errors.Is(err, io.EOF) {
			return t, err
		}
		end := bytes.LastIndexByte(buf, '\n') + 1
		if end > 0 && t.end == 0 {
			t.end = from + int64(end)
		}
		for end > 0 {
			start := bytes.LastIndexByte(buf[:end-1], '\n') + 1
			if start > 0 || from == 0 {
				if frame, ok := d.decode(buf[start : end-1]); ok && frame.sound() {
					t.last = frame.ID
					return t, nil
				}
			}
			end = start
		}
		if from == 0 {
			return t, nil
		}
		window *= 2
	}
}
