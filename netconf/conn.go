package netconf

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
)

// MaxMessage is how many bytes a message may have unless [ConnOptions] says
// something else. A [Conn] holds none of them: what bounds the memory that a
// message takes is the limit of whoever parses it.
const MaxMessage = 256 << 20

// maxChunk is the largest chunk of RFC 6242, section 4.2.
const maxChunk = 1<<32 - 1

// buffered is the size of the two buffers of a Conn.
const buffered = 16 << 10

var marker = []byte("]]>]]>")

// ConnOptions says how a [Conn] frames.
type ConnOptions struct {
	Chunked    bool  // from the first byte on, without a hello that agrees on it
	MaxMessage int64 // bytes; 0 is [MaxMessage]
}

// Conn frames messages on a stream of bytes, as RFC 6242 says: a message ends
// with ]]>]]> until [Conn.Upgrade], and then comes in chunks, of which it
// counts the bytes. One goroutine may read while any number write. A hello must
// be through before the other side's is taken for a reason to go over.
type Conn struct {
	rwc     io.ReadWriteCloser
	max     int64
	chunked atomic.Bool
	close   func() error

	r      *bufio.Reader
	offset int64    // of the next byte, for errors
	msg    *message // the message that is being read
	err    error    // why nothing can be read any more

	turn   chan struct{} // who has put something in may write
	w      *bufio.Writer
	broken bool // a message was cut off: what follows would be taken for its rest
}

// NewConn frames on rwc, which it owns from here on.
func NewConn(rwc io.ReadWriteCloser, o ConnOptions) *Conn {
	if o.MaxMessage <= 0 {
		o.MaxMessage = MaxMessage
	}
	c := &Conn{
		rwc:   rwc,
		max:   o.MaxMessage,
		close: sync.OnceValue(rwc.Close),
		r:     bufio.NewReaderSize(rwc, buffered),
		turn:  make(chan struct{}, 1),
		w:     bufio.NewWriterSize(rwc, buffered),
	}
	c.chunked.Store(o.Chunked)
	return c
}

// Upgrade makes all that follows chunked. It is called by the goroutine that
// reads, when both hellos are through and both offer base:1.1.
func (c *Conn) Upgrade() { c.chunked.Store(true) }

// Close closes the stream, which ends every read and write under way. It may
// be called from anywhere, and more than once.
func (c *Conn) Close() error { return c.close() }

// ErrTooLarge is the error of a message with more bytes than are taken.
var ErrTooLarge = errors.New("the message is larger than what is taken")

// ErrUnsendable is the error of a message that is not sent, as the peer could not
// tell where it ends. The session is none the worse for it.
var ErrUnsendable = errors.New("the message cannot be sent")

// FramingError tells what is wrong with the bytes that the peer sent. Nothing
// can be read after it.
type FramingError struct {
	Offset int64 // of the byte since the stream began
	Reason string
	Err    error // io.ErrUnexpectedEOF, [ErrTooLarge], what the stream said, or nil
}

func (e *FramingError) Error() string {
	return fmt.Sprintf("%s (byte %d of the session); check that the peer speaks NETCONF here (RFC 6242)", e.Reason, e.Offset)
}

func (e *FramingError) Unwrap() error { return e.Err }

// ReadMessage waits for the next message and gives a reader of it, which is
// good until the next call; what was left unread of the one before is skipped.
// The error is io.EOF when the stream ended between two messages. Reads wait
// for as long as the peer takes: [Conn.Close] ends them.
func (c *Conn) ReadMessage() (io.Reader, error) {
	if c.msg != nil {
		if _, err := io.Copy(io.Discard, c.msg); err != nil {
			return nil, err
		}
		c.msg = nil
	}
	if c.err != nil {
		return nil, c.err
	}
	m := &message{c: c, chunked: c.chunked.Load()}
	if err := m.begin(); err != nil {
		c.err = err
		return nil, err
	}
	c.msg = m
	return m, nil
}

// WriteMessage writes one message, as one chunk where messages are chunked. A
// context that ends before its turn has come costs nothing; one that ends later
// closes the stream, since half a message can't be taken back.
func (c *Conn) WriteMessage(ctx context.Context, msg []byte) error {
	chunked := c.chunked.Load()
	switch {
	case len(msg) == 0:
		return fmt.Errorf("%w: it is empty", ErrUnsendable)
	case int64(len(msg)) > min(c.max, maxChunk):
		return fmt.Errorf("%w: it has %d bytes, and %d is the limit; make fewer changes at a time", ErrUnsendable, len(msg), min(c.max, maxChunk))
	case !chunked && bytes.Contains(msg, marker):
		return fmt.Errorf("%w: it contains ]]>]]>, and the peer has no chunked framing (base:1.1)", ErrUnsendable)
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if c.broken {
		return errors.New("an earlier message was cut off, so that nothing more can be sent in this session")
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	err := c.write(msg, chunked)
	if !stop() && err != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.broken = true
		c.Close()
	}
	return err
}

// write lets the buffer make one write of a small message, header and all, and
// copies nothing of a large one. Errors stick to the buffer until Flush.
func (c *Conn) write(msg []byte, chunked bool) error {
	if !chunked {
		c.w.Write(msg)
		c.w.Write(marker)
		return c.w.Flush()
	}
	var head [16]byte
	h := append(head[:0], '\n', '#')
	h = strconv.AppendInt(h, int64(len(msg)), 10)
	c.w.Write(append(h, '\n'))
	c.w.Write(msg)
	c.w.WriteString("\n##\n")
	return c.w.Flush()
}
