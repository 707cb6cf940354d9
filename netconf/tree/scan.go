package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// SyntaxError is what is wrong with a document, at its place. Line and Column
// count from 1, the column in bytes.
type SyntaxError struct {
	Line, Column int
	Message      string // a sentence without its full stop
	Hint         string // what to do next
}

// Error gives `line 3, column 7: message; hint`.
func (e *SyntaxError) Error() string {
	s := fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

const (
	firstBuffer = 32 << 10
	maxTag      = 64 << 10 // one tag with its attributes
)

// scanner reads bytes and knows where it is.
type scanner struct {
	r         io.Reader
	buf       []byte
	pos, end  int   // buf[pos:end] is read and not yet consumed
	base      int64 // where in the document buf[0] stands
	limit     int64 // of bytes
	err       error // what ended reading, io.EOF at the end of the document
	line      int
	lineStart int64 // where in the document the line began
}

func newScanner(r io.Reader, limit int64) *scanner {
	return &scanner{r: r, buf: make([]byte, firstBuffer), limit: limit, line: 1}
}

// fail gives a SyntaxError at what is read next.
func (s *scanner) fail(hint, format string, args ...any) error {
	return s.failAt(s.pos, hint, format, args...)
}

// failAt gives a SyntaxError at buf[at], which is not before pos.
func (s *scanner) failAt(at int, hint, format string, args ...any) error {
	line, start := s.line, s.lineStart
	if skipped := s.buf[s.pos:at]; bytes.IndexByte(skipped, '\n') >= 0 {
		line += bytes.Count(skipped, newline)
		start = s.base + int64(s.pos+bytes.LastIndexByte(skipped, '\n')) + 1
	}
	column := int(s.base+int64(at)-start) + 1
	return &SyntaxError{Line: line, Column: column, Message: fmt.Sprintf(format, args...), Hint: hint}
}

func (s *scanner) column() int { return int(s.base+int64(s.pos)-s.lineStart) + 1 }

var newline = []byte{'\n'}

// advance consumes n bytes.
func (s *scanner) advance(n int) {
	done := s.buf[s.pos : s.pos+n]
	if i := bytes.LastIndexByte(done, '\n'); i >= 0 {
		s.line += bytes.Count(done, newline)
		s.lineStart = s.base + int64(s.pos+i) + 1
	}
	s.pos += n
}

// need makes n bytes ready at pos, if the document has them.
func (s *scanner) need(n int) bool {
	for s.end-s.pos < n {
		if !s.fill() {
			return false
		}
	}
	return true
}

// fill reads more behind what is there; false at the end of the document, at an
// error (s.err), and when the buffer may not grow.
func (s *scanner) fill() bool {
	if s.err != nil {
		return false
	}
	if s.pos > 0 {
		copy(s.buf, s.buf[s.pos:s.end])
		s.base += int64(s.pos)
		s.end -= s.pos
		s.pos = 0
	}
	if s.end == len(s.buf) {
		if s.end >= maxTag {
			return false
		}
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		if s.base+int64(s.end) > s.limit {
			s.end -= n
			s.err = s.failAt(s.end, "ask for less, or raise the limit", "the document is longer than %d bytes", s.limit)
			return false
		}
		if err != nil {
			s.err = err
		}
		if n > 0 || err != nil {
			return n > 0
		}
	}
	s.err = io.ErrNoProgress
	return false
}

// ended gives the error for a document that ends, or can't be read on, within
// what.
func (s *scanner) ended(what string) error {
	switch {
	case s.err == nil:
		return s.fail("no device and no person writes that", "%s is longer than %d bytes", what, maxTag)
	case errors.Is(s.err, io.EOF):
		return s.failAt(s.end, "it was cut off; read it again", "the document ends within %s", what)
	}
	return s.err
}

// skipTo consumes all up to and with a mark.
func (s *scanner) skipTo(mark, what string) error {
	for {
		if i := bytes.Index(s.buf[s.pos:s.end], []byte(mark)); i >= 0 {
			s.advance(i + len(mark))
			return nil
		}
		if n := s.end - s.pos - len(mark) + 1; n > 0 {
			s.advance(n)
		}
		if !s.fill() {
			return s.ended(what)
		}
	}
}

// tag gives what stands between the `<` at pos and its `>`, without consuming
// it. It is valid until more is read.
func (s *scanner) tag() ([]byte, error) {
	quote := byte(0)
	for i := 1; ; {
		b := s.buf[s.pos:s.end]
		for ; i < len(b); i++ {
			switch c := b[i]; {
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '>':
				return b[1:i], nil
			case c == '"', c == '\'':
				quote = c
			}
		}
		if !s.fill() {
			return nil, s.ended("a tag")
		}
	}
}
