package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// netconfOnly measures the protocol's own parts, in this process.
func netconfOnly(ctx context.Context, r *rig) ([]row, error) {
	rows, err := framing(ctx, r)
	if err != nil {
		return rows, err
	}
	more, err := reading(ctx, r)
	return append(rows, more...), err
}

// readOnly is a connection of which only reading is used.
type readOnly struct{ io.Reader }

func (readOnly) Write(p []byte) (int, error) { return len(p), nil }
func (readOnly) Close() error                { return nil }

// framing reads a message of 4 MB as devices send it, and writes one.
func framing(ctx context.Context, r *rig) ([]row, error) {
	text := []byte(strings.Repeat("<leaf>some value</leaf>\n", (4<<20)/24))
	chunked := func(size int) []byte {
		var b bytes.Buffer
		for rest := text; len(rest) > 0; {
			c := rest[:min(size, len(rest))]
			rest = rest[len(c):]
			fmt.Fprintf(&b, "\n#%d\n%s", len(c), c)
		}
		b.WriteString("\n##\n")
		return b.Bytes()
	}
	read := func(in []byte, isChunked bool) timed {
		return stopwatch(func(context.Context) error {
			m, err := netconf.NewConn(readOnly{bytes.NewReader(in)}, netconf.ConnOptions{Chunked: isChunked}).ReadMessage()
			if err != nil {
				return err
			}
			if n, err := io.Copy(io.Discard, m); err != nil || int(n) != len(text) {
				return errors.Join(err, fmt.Errorf("%d bytes came out of %d", n, len(text)))
			}
			return nil
		})
	}
	write := stopwatch(func(ctx context.Context) error {
		return netconf.NewConn(readOnly{}, netconf.ConnOptions{Chunked: true}).WriteMessage(ctx, text)
	})
	s, err := interleave(ctx, r.rounds(31, 11), read(chunked(2000), true), read(append(bytes.Clone(text), "]]>]]>"...), false), write)
	if err != nil {
		return nil, err
	}
	rate := func(s samples) float64 { return float64(len(text)) / 1e6 / s.median().Seconds() }
	return []row{
		atLeast("framing: reading 4 MB in chunks of 2000 bytes, MB in a second", rate(s[0]), 300, ""),
		atLeast("the same up to the marker of base:1.0", rate(s[1]), 300, ""),
		atLeast("framing: writing 4 MB, MB in a second", rate(s[2]), 300, ""),
	}, nil
}

// reading has a session read a configuration of 4 MB from a peer that has its
// answer ready.
func reading(ctx context.Context, r *rig) (rows []row, err error) {
	users := accounts("user", 25000, 0)
	body := editOf(users)
	body.Name = tree.Name{Space: tree.BaseSpace, Local: "data"}
	answer := body.AppendXML(nil)
	s, end, err := r.sessionWith(ctx, answer)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, end()) }()
	get := func() (*tree.Node, error) { n, _, err := s.GetConfig(ctx, netconf.Running, nil); return n, err }
	if _, err := get(); err != nil { // the buffers are there
		return nil, err
	}
	var took samples
	var live, all float64
	for range r.rounds(7, 3) {
		var before, made, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		began := time.Now()
		n, err := get()
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		runtime.ReadMemStats(&made)
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(n)
		size := float64(len(answer))
		all = max(all, float64(made.TotalAlloc-before.TotalAlloc)/size)
		live = max(live, float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/size)
	}
	what := fmt.Sprintf("get-config of %.1f MB: memory of the tree, of its size", float64(len(answer))/1e6)
	return []row{
		below(what, live, 3, " ×", fmt.Sprintf("all that was ever allocated for it: %.2f ×; %.0f MB in a second", all, float64(len(answer))/1e6/took.median().Seconds())),
	}, nil
}

// sessionWith opens a session over a socket with a peer that gives every request
// the same data.
func (r *rig) sessionWith(ctx context.Context, data []byte) (s *netconf.Session, end func() error, err error) {
	l, err := net.Listen("unix", filepath.Join(r.dir, "peer"))
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	var peer sync.WaitGroup
	var peerErr error
	peer.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		c := netconf.NewConn(conn, netconf.ConnOptions{})
		defer c.Close()
		if _, err := netconf.Accept(ctx, c, 1, netconf.Base10, netconf.Base11); err != nil {
			peerErr = err
			return
		}
		message := make([]byte, 0, len(data)+200)
		for {
			q, err := netconf.ReadRequest(c, tree.Limits{})
			if err != nil {
				return // the session is over
			}
			id, _ := q.Root.Attr(tree.Name{Local: "message-id"})
			message = fmt.Appendf(message[:0], `<rpc-reply xmlns=%q message-id=%q>`, tree.BaseSpace, id)
			message = append(append(message, data...), "</rpc-reply>"...)
			if c.WriteMessage(ctx, message) != nil {
				return
			}
		}
	})
	conn, err := net.Dial("unix", l.Addr().String())
	if err == nil {
		s, err = netconf.Open(ctx, conn, netconf.Options{})
	}
	if err != nil {
		return nil, nil, err
	}
	return s, func() error {
		conn.Close()
		<-s.Done()
		peer.Wait()
		return peerErr
	}, nil
}
