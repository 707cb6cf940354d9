package netconf

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/abide-agent/abide/netconf/tree"
)

// pair opens a session over a socket with a peer that answers by f.
func pair(b *testing.B, f func(q *Request) []byte) *Session {
	b.Helper()
	l, err := net.Listen("unix", filepath.Join(b.TempDir(), "s"))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	var peer sync.WaitGroup
	peer.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		c := NewConn(conn, ConnOptions{})
		defer c.Close()
		if _, err := Accept(b.Context(), c, 1, Base10, Base11); err != nil {
			return
		}
		for {
			q, err := ReadRequest(c, tree.Limits{})
			if err != nil || c.WriteMessage(b.Context(), f(q)) != nil {
				return
			}
		}
	})
	conn, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	s, err := Open(b.Context(), conn, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		conn.Close()
		<-s.Done()
		peer.Wait()
	})
	return s
}

// BenchmarkCall is the whole way of a small operation, there and back.
func BenchmarkCall(b *testing.B) {
	s := pair(b, func(q *Request) []byte { return q.AppendReply(nil) })
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Discard(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGetConfig reads a configuration of 4 MB.
func BenchmarkGetConfig(b *testing.B) {
	var text strings.Builder
	text.WriteString(`<data><users xmlns="urn:x">`)
	for i := 0; text.Len() < 4<<20; i++ {
		fmt.Fprintf(&text, "<user><username>u%d</username><config><username>u%d</username><ssh-key>AAAAC3NzaC1lZDI1NTE5%d</ssh-key><role>admin</role></config></user>", i, i, i)
	}
	text.WriteString("</users></data>")
	s := pair(b, func(q *Request) []byte {
		id, _ := q.Root.Attr(tree.Name{Local: "message-id"})
		return fmt.Appendf(nil, reply, id, text.String())
	})
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := s.GetConfig(b.Context(), Running, nil); err != nil {
			b.Fatal(err)
		}
	}
}
