package netconf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// message reads one message off a [Conn].
type message struct {
	c       *Conn
	chunked bool
	size    int64 // how many bytes of it are known to come, or have come
	left    int64 // of the chunk
	err     error // io.EOF when it has been read to its end
}

// Read gives what the message says, without its framing.
func (m *message) Read(p []byte) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := m.read(p)
	if err != nil {
		m.err = err
		if err != io.EOF {
			m.c.err = err
		}
	}
	return n, err
}

func (m *message) read(p []byte) (int, error) {
	if !m.chunked {
		return m.readMarked(p)
	}
	if m.left == 0 {
		if err := m.nextChunk(false); err != nil {
			return 0, err
		}
	}
	n, err := m.c.r.Read(p[:min(int64(len(p)), m.left)])
	m.c.offset += int64(n)
	m.left -= int64(n)
	if err != nil {
		return n, m.cut(err, "the session ended in the middle of a chunk")
	}
	return n, nil
}

// readMarked hands out what can't belong to a marker. A Peek never asks for
// more than the marker, so it never waits for what the peer has no need to send.
func (m *message) readMarked(p []byte) (int, error) {
	r := m.c.r
	if _, err := r.Peek(len(marker)); err != nil {
		return 0, m.cut(err, "the session ended in the middle of a message, before its ]]>]]>")
	}
	b, _ := r.Peek(r.Buffered())
	end := bytes.Index(b, marker)
	switch {
	case end == 0:
		m.skip(len(marker))
		return 0, io.EOF
	case end < 0:
		end = len(b) - len(marker) + 1
	}
	n := copy(p, b[:end])
	if m.size += int64(n); m.size > m.c.max {
		return 0, m.tooLarge()
	}
	m.skip(n)
	return n, nil
}

func (m *message) skip(n int) {
	m.c.r.Discard(n)
	m.c.offset += int64(n)
}

// begin waits for the message's first byte. Blanks between two messages are
// taken: many peers end a line after ]]>]]>.
func (m *message) begin() error {
	if m.chunked {
		return m.nextChunk(true)
	}
	for {
		b, err := m.c.r.ReadByte()
		if err == io.EOF {
			return io.EOF
		}
		if err != nil {
			return m.cut(err, "the session broke off")
		}
		if !blank(b) {
			m.c.r.UnreadByte()
			return nil
		}
		m.c.offset++
	}
}

func blank(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

// nextChunk reads the head of a chunk, or the end of the chunks (RFC 6242,
// section 4.2). Before the first chunk more blanks than the one line feed are
// taken, and the end of the stream is no error.
func (m *message) nextChunk(first bool) error {
	fed := false
	b, err := m.byte()
	for err == nil && (b == '\n' && !fed || first && blank(b)) {
		fed = fed || b == '\n'
		b, err = m.byte()
	}
	switch {
	case first && err == io.EOF:
		return io.EOF
	case first && err != nil:
		return m.cut(err, "the session broke off")
	case err == nil && (b != '#' || !fed):
		return m.wrong("a chunk begins with a line feed and #, not with %q", b)
	case err == nil:
		b, err = m.byte()
	}
	if err == nil && b == '#' && !first {
		if b, err = m.byte(); err == nil && b == '\n' {
			return io.EOF
		}
	}
	if err != nil {
		return m.cut(err, "the session ended in the middle of a message, between two chunks")
	}
	return m.chunkSize(b)
}

// chunkSize reads the size of a chunk, of which the first digit is there.
func (m *message) chunkSize(b byte) error {
	if b < '1' || b > '9' {
		return m.wrong("the size of a chunk begins with one of 1 to 9, not with %q", b)
	}
	var size int64
	for b != '\n' {
		if b < '0' || b > '9' {
			return m.wrong("the size of a chunk is a number, %q is no part of one", b)
		}
		if size = size*10 + int64(b-'0'); size > maxChunk {
			return m.wrong("a chunk has at most %d bytes", int64(maxChunk))
		}
		var err error
		if b, err = m.byte(); err != nil {
			return m.cut(err, "the session ended in the middle of the size of a chunk")
		}
	}
	m.left = size
	if m.size += size; m.size > m.c.max {
		return m.tooLarge()
	}
	return nil
}

func (m *message) byte() (byte, error) {
	b, err := m.c.r.ReadByte()
	if err == nil {
		m.c.offset++
	}
	return b, err
}

func (m *message) wrong(format string, args ...any) error {
	return &FramingError{Offset: m.c.offset, Reason: fmt.Sprintf(format, args...)}
}

func (m *message) tooLarge() error {
	return &FramingError{
		Offset: m.c.offset, Err: ErrTooLarge,
		Reason: fmt.Sprintf("the peer sends a message of more than %d bytes, which is more than is taken", m.c.max),
	}
}

// cut tells of a stream that ended where it must not.
func (m *message) cut(err error, reason string) error {
	if errors.Is(err, io.EOF) {
		return &FramingError{Offset: m.c.offset, Reason: reason, Err: io.ErrUnexpectedEOF}
	}
	return &FramingError{Offset: m.c.offset, Reason: reason + ": " + err.Error(), Err: err}
}
