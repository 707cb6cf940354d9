package netconf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
)

// stream is one direction of bytes to read, and takes all that is written.
type stream struct {
	io.Reader
	bytes.Buffer
	closed int
}

func (s *stream) Read(p []byte) (int, error) { return s.Reader.Read(p) }
func (s *stream) Close() error               { s.closed++; return nil }

func reading(r io.Reader, o ConnOptions) *Conn { return NewConn(&stream{Reader: r}, o) }

// readAll reads messages until an error.
func readAll(c *Conn) (out []string, err error) {
	for {
		r, err := c.ReadMessage()
		if err != nil {
			return out, err
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return out, err
		}
		out = append(out, string(text))
	}
}

func TestReadMessage(t *testing.T) {
	t.Parallel()
	chunks := func(sizes ...int) string {
		text := ""
		for _, n := range sizes {
			text += fmt.Sprintf("\n#%d\n%s", n, strings.Repeat("x", n))
		}
		return text + "\n##\n"
	}
	cases := []struct {
		name    string
		chunked bool
		in      string
		want    []string
		err     string // part of it; none: the stream ends between two messages
	}{
		{"nothing", false, "", nil, ""},
		{"nothing, chunked", true, "", nil, ""},
		{"marked", false, "<a/>]]>]]><b/>]]>]]>", []string{"<a/>", "<b/>"}, ""},
		{"a line feed after the marker", false, "<a/>]]>]]>\r\n<b/>]]>]]>\n", []string{"<a/>", "<b/>"}, ""},
		{"most of a marker", false, "]]>]]]]>]]>]]>]]>", []string{"]]>]]", ""}, ""},
		{"an empty marked message", false, "]]>]]>", []string{""}, ""},
		{"no marker", false, "<a/>]]>]]", nil, "before its ]]>]]>"},
		{"one chunk", true, "\n#4\n<a/>\n##\n", []string{"<a/>"}, ""},
		{"the example of RFC 6242", true, "\n#4\n<rpc\n#18\n message-id=\"102\"\n\n#79\n" + strings.Repeat("y", 79) + "\n##\n", []string{"<rpc message-id=\"102\"\n" + strings.Repeat("y", 79)}, ""},
		{"many chunks", true, chunks(1, 1, 2000, 70000, 3), []string{strings.Repeat("x", 72005)}, ""},
		{"two messages", true, "\n#1\na\n##\n\n#1\nb\n##\n", []string{"a", "b"}, ""},
		{"blanks between messages", true, "\n\n#1\na\n##\n \r\n\n#1\nb\n##\n\n", []string{"a", "b"}, ""},
		{"markers as data", true, "\n#9\n\n##\n]]>]]\n#1\n>\n##\n", []string{"\n##\n]]>]]>"}, ""},
		{"the end of a reply as data", true, "\n#12\n</rpc-reply>\n##\n", []string{"</rpc-reply>"}, ""},
		{"the smallest number of digits", true, "\n#01\na\n##\n", nil, "begins with one of 1 to 9"},
		{"no size", true, "\n#\na", nil, "begins with one of 1 to 9"},
		{"an empty chunk", true, "\n#0\n\n##\n", nil, "begins with one of 1 to 9"},
		{"a message without chunks", true, "\n##\n", nil, "begins with one of 1 to 9"},
		{"a signed size", true, "\n#+1\na\n##\n", nil, "begins with one of 1 to 9"},
		{"a size in base 16", true, "\n#1a\n", nil, "is a number"},
		{"a blank in a size", true, "\n#1 \na\n##\n", nil, "is a number"},
		{"a size beyond 32 bits", true, "\n#4294967296\n", nil, "at most 4294967295 bytes"},
		{"a size beyond 64 bits", true, "\n#99999999999999999999999\n", nil, "at most 4294967295 bytes"},
		{"a size beyond what is taken", true, "\n#4294967295\na", nil, "more than 268435456 bytes"},
		{"no line feed before a chunk", true, "#1\na\n##\n", nil, "begins with a line feed and #"},
		{"no line feed after a chunk", true, "\n#1\nab", nil, "begins with a line feed and #, not with 'b'"},
		{"two line feeds after a chunk", true, "\n#1\na\n\n##\n", nil, "begins with a line feed and #"},
		{"a carriage return after a chunk", true, "\n#1\na\r\n##\n", nil, "begins with a line feed and #"},
		{"an end that goes on", true, "\n#1\na\n###", nil, "begins with one of 1 to 9, not with '#'"},
		{"garbage", true, "SSH-2.0-OpenSSH\r\n", nil, "not with 'S'"},
		{"cut in a chunk", true, "\n#5\nabc", nil, "in the middle of a chunk"},
		{"cut after a chunk", true, "\n#3\nabc", nil, "between two chunks"},
		{"cut in the end", true, "\n#3\nabc\n##", nil, "between two chunks"},
		{"cut in a size", true, "\n#3", nil, "the size of a chunk"},
		{"cut before a size", true, "\n#", nil, "between two chunks"},
	}
	readers := map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "by the byte": iotest.OneByteReader,
		"by halves": iotest.HalfReader, "with its error": iotest.DataErrReader,
	}
	for _, tt := range cases {
		for name, wrap := range readers {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				c := reading(wrap(strings.NewReader(tt.in)), ConnOptions{Chunked: tt.chunked})
				got, err := readAll(c)
				if fmt.Sprint(got) != fmt.Sprint(tt.want) || len(got) != len(tt.want) {
					t.Errorf("read %q, want %q", got, tt.want)
				}
				var framing *FramingError
				switch {
				case tt.err == "" && err != io.EOF:
					t.Errorf("the error is %v, want io.EOF", err)
				case tt.err != "" && (!errors.As(err, &framing) || !strings.Contains(err.Error(), tt.err)):
					t.Errorf("the error is %v, want a FramingError with %q", err, tt.err)
				case strings.HasPrefix(tt.name, "cut") && !errors.Is(err, io.ErrUnexpectedEOF):
					t.Errorf("%v is no io.ErrUnexpectedEOF", err)
				}
				if _, again := c.ReadMessage(); !errors.Is(again, err) && err != io.EOF {
					t.Errorf("the error did not stick: %v after %v", again, err)
				}
			})
		}
	}
}

// TestUpgrade reads a hello and what came with it in the same read.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	c := reading(strings.NewReader("<hello/>]]>]]>\n\n#1\na\n##\n"), ConnOptions{})
	r, err := c.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(r); err != nil || string(text) != "<hello/>" {
		t.Fatal(string(text), err)
	}
	c.Upgrade()
	if got, err := readAll(c); err != io.EOF || len(got) != 1 || got[0] != "a" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestSkip reads no more than the first byte of each message.
func TestSkip(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"\n#3\nabc\n#2\nde\n##\n\n#3\nfgh\n##\n", "\n#1\na\n##\n\n#3\nfgh\n##\n"} {
		c := reading(strings.NewReader(in), ConnOptions{Chunked: true})
		got := ""
		for {
			r, err := c.ReadMessage()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			var b [1]byte
			io.ReadFull(r, b[:])
			got += string(b[:])
		}
		if got != "af" {
			t.Errorf("%q gave %q", in, got)
		}
	}
}

// endless never ends.
type endless struct {
	pattern string
	given   int64
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.pattern[e.given%int64(len(e.pattern))]
		e.given++
	}
	return len(p), nil
}

// TestTooLarge reads messages that never end: what is held is bounded, and so
// is what is taken off the stream.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]*endless{
		"chunks":       {pattern: "\n#1\na"},
		"large chunks": {pattern: "\n#100000\n" + strings.Repeat("a", 100_000)},
		"marked":       {pattern: "]]>]]"},
	} {
		const limit = 1 << 20
		c := reading(e, ConnOptions{Chunked: name != "marked", MaxMessage: limit})
		r, err := c.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, r)
		if !errors.Is(err, ErrTooLarge) || n > limit {
			t.Errorf("%s: %d bytes and %v", name, n, err)
		}
		if e.given > 6*limit {
			t.Errorf("%s: took %d bytes off the stream", name, e.given)
		}
	}
}

func TestWriteMessage(t *testing.T) {
	t.Parallel()
	s := &stream{}
	c := NewConn(s, ConnOptions{MaxMessage: 100_000})
	ctx := t.Context()
	large := strings.Repeat("x", 70_000)
	for _, msg := range []string{"", "a]]>]]>b", strings.Repeat("x", 100_001)} {
		if err := c.WriteMessage(ctx, []byte(msg)); err == nil {
			t.Errorf("wrote a message of %d bytes that cannot be sent", len(msg))
		}
	}
	if err := c.WriteMessage(ctx, []byte("<hello/>")); err != nil {
		t.Fatal(err)
	}
	c.Upgrade()
	for _, msg := range []string{"a]]>]]>b", large} {
		if err := c.WriteMessage(ctx, []byte(msg)); err != nil {
			t.Fatal(err)
		}
	}
	want := "<hello/>]]>]]>\n#8\na]]>]]>b\n##\n\n#70000\n" + large + "\n##\n"
	if got := s.String(); got != want {
		t.Errorf("wrote %.80q… (%d bytes), want %.80q… (%d)", got, len(got), want, len(want))
	}
}

// TestWriters lets many write at a time, each message in one piece.
func TestWriters(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	w, r := NewConn(a, ConnOptions{Chunked: true}), NewConn(b, ConnOptions{Chunked: true})
	const writers, each = 8, 50
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for range each {
				if err := w.WriteMessage(t.Context(), bytes.Repeat([]byte{'a' + byte(i)}, 1+i*3000)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { all.Wait(); w.Close() }()
	got, err := readAll(r)
	if err != io.EOF || len(got) != writers*each {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	for _, msg := range got {
		if i := int(msg[0] - 'a'); msg != strings.Repeat(msg[:1], 1+i*3000) {
			t.Fatalf("a message is mixed: %.60q", msg)
		}
	}
}

// TestWriteToStalledPeer ends a write by its context, and every later one.
func TestWriteToStalledPeer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer b.Close()
		c := NewConn(a, ConnOptions{Chunked: true})
		first, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.WriteMessage(first, []byte("<a/>")) }()
		synctest.Wait()

		waiting, stop := context.WithCancel(t.Context())
		go func() { done <- c.WriteMessage(waiting, []byte("<b/>")) }()
		synctest.Wait()
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the write that waits for its turn ended with %v", err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the write under way ended with %v", err)
		}
		if err := c.WriteMessage(t.Context(), []byte("<c/>")); err == nil || !strings.Contains(err.Error(), "cut off") {
			t.Errorf("a write after one that was cut off ended with %v", err)
		}
	})
}
