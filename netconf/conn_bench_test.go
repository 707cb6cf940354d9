package netconf

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// BenchmarkReadMessage reads messages of 4 MB in chunks of netconfd's size, in
// one chunk, and up to a marker.
func BenchmarkReadMessage(b *testing.B) {
	const size = 4 << 20
	text := strings.Repeat("<leaf>some value</leaf>\n", size/24)
	chunked := func(n int) string {
		var s strings.Builder
		for rest := text; rest != ""; {
			c := rest[:min(n, len(rest))]
			rest = rest[len(c):]
			fmt.Fprintf(&s, "\n#%d\n%s", len(c), c)
		}
		return s.String() + "\n##\n"
	}
	for name, in := range map[string]string{"2000-byte-chunks": chunked(2000), "one-chunk": chunked(size), "marked": text + "]]>]]>"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				c := reading(strings.NewReader(in), ConnOptions{Chunked: name != "marked"})
				r, err := c.ReadMessage()
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, r); err != nil || int(n) != len(text) {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkWriteMessage writes a message of 4 MB.
func BenchmarkWriteMessage(b *testing.B) {
	msg := []byte(strings.Repeat("x", 4<<20))
	c := NewConn(discard{}, ConnOptions{Chunked: true})
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		if err := c.WriteMessage(b.Context(), msg); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{ io.Reader }

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close() error                { return nil }
