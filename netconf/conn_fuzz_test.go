package netconf

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// FuzzReadMessage reads anything: no panic, no more than the limit, the same
// messages however the bytes arrive, and what was read can be written and read
// again.
func FuzzReadMessage(f *testing.F) {
	for _, seed := range []string{"<a/>]]>]]>", "]]>]]]]>]]>", "\n#4\n<a/>\n##\n", "\n#1\na\n#2\nbc\n##\n\n#1\nd\n##\n", "\n#4294967296\n", "\n##\n"} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, in []byte, chunked bool) {
		o := ConnOptions{Chunked: chunked, MaxMessage: 1000}
		got, err := readAll(reading(bytes.NewReader(in), o))
		slow, slowErr := readAll(reading(iotest.OneByteReader(bytes.NewReader(in)), o))
		if len(got) != len(slow) || (err == io.EOF) != (slowErr == io.EOF) {
			t.Fatalf("%q, %v at once, but %q, %v by the byte", got, err, slow, slowErr)
		}
		var framing *FramingError
		if err != io.EOF && !errors.As(err, &framing) {
			t.Fatalf("the error is %v", err)
		}
		s := &stream{}
		w := NewConn(s, o)
		var want []string
		for i, msg := range got {
			if msg != slow[i] {
				t.Fatalf("%q at once, but %q by the byte", msg, slow[i])
			}
			if len(msg) > 1000 {
				t.Fatalf("a message of %d bytes", len(msg))
			}
			if msg == "" || !chunked && blank(msg[0]) {
				continue
			}
			if err := w.WriteMessage(t.Context(), []byte(msg)); err != nil {
				t.Fatalf("%q cannot be written: %v", msg, err)
			}
			want = append(want, msg)
		}
		again, err := readAll(reading(bytes.NewReader(s.Bytes()), o))
		if err != io.EOF || len(again) != len(want) {
			t.Fatalf("%q was written, %q read: %v", want, again, err)
		}
		for i := range want {
			if again[i] != want[i] {
				t.Fatalf("%q was written, %q read", want[i], again[i])
			}
		}
	})
}
