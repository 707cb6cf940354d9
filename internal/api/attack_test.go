package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// zeros is a body that is never kept anywhere.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := int64(min(len(p), int(min(z.left, 1<<20))))
	clear(p[:n])
	z.left -= n
	return int(n), nil
}

// TestAttackHugeBody: 300 MB get their 413 at once and cost no memory, whether
// announced or not, for a client that sends everything first, too.
func TestAttackHugeBody(t *testing.T) {
	const size = 300 << 20
	addr := serve(t, newServer(t, &fakeAgent{}))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, announced := range []bool{true, false} {
		start := time.Now()
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if announced {
			fmt.Fprintf(c, "POST /trigger HTTP/1.1\r\nHost: x.localhost\r\nContent-Length: %d\r\n\r\n", size)
		} else {
			fmt.Fprintf(c, "POST /trigger HTTP/1.1\r\nHost: x.localhost\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", size)
		}
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			io.Copy(c, &zeros{size})
		}()
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		first := make([]byte, 4096)
		n, err := c.Read(first)
		took := time.Since(start)
		if err != nil || !bytes.HasPrefix(first[:n], []byte("HTTP/1.1 413 ")) {
			t.Errorf("announced=%t: %v %s", announced, err, first[:n])
		}
		if took > time.Second {
			t.Errorf("announced=%t: the answer took %v", announced, took)
		}
		c.Close()
		<-sent
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 16<<20 {
		t.Errorf("%d MiB were allocated for it", grown>>20)
	}
}

// TestHugeBodyIsAnsweredToWhoSendsFirst: a client that reads only after it has
// sent 8 MB still gets the answer, not a reset.
func TestHugeBodyIsAnsweredToWhoSendsFirst(t *testing.T) {
	t.Parallel()
	addr := serve(t, newServer(t, &fakeAgent{}))
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	const size = 8 << 20
	fmt.Fprintf(c, "POST /trigger HTTP/1.1\r\nHost: x.localhost\r\nContent-Length: %d\r\n\r\n", size)
	if _, err := io.Copy(c, &zeros{size}); err != nil {
		t.Fatalf("sending: %v", err)
	}
	b, err := io.ReadAll(c)
	if err != nil || !bytes.HasPrefix(b, []byte("HTTP/1.1 413 ")) {
		t.Errorf("%v %s", err, b)
	}
}

// TestAttackHalfSentPosts: 200 callers stop half-way, with and without the right
// to trigger; none of them is still held after the read timeout.
func TestAttackHalfSentPosts(t *testing.T) {
	t.Parallel()
	s := newServer(t, &fakeAgent{}, withTokens)
	s.limits.read, s.limits.header = 300*time.Millisecond, 200*time.Millisecond
	addr := serve(t, s)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			var want string
			switch i % 4 {
			case 0:
				fmt.Fprint(c, "POST /trigger HTTP/1.1\r\nHost: x.localhost\r\nContent-Length: 1000\r\n\r\nworkflow:")
				want = "HTTP/1.1 408 "
			case 1:
				fmt.Fprint(c, "POST /trigger HTTP/1.1\r\nHost: x.localhost\r\nAuthorization: Bearer wrong\r\nContent-Length: 1000\r\n\r\nworkflow:")
				want = "HTTP/1.1 401 "
			case 2:
				fmt.Fprint(c, "POST /nowhere HTTP/1.1\r\nHost: x.localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwor")
				want = "HTTP/1.1 404 "
			case 3:
				fmt.Fprint(c, "POST /trigger HTTP/1.1\r\nHost: x.local")
			}
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			b, err := io.ReadAll(c)
			if errors.Is(err, os.ErrDeadlineExceeded) || !strings.HasPrefix(string(b), want) {
				t.Errorf("case %d: %v %s", i%4, err, b)
			}
		})
	}
	wg.Wait()
}

// TestStreamsOutliveTheTimeouts: the bounds on requests are none on streams.
func TestStreamsOutliveTheTimeouts(t *testing.T) {
	t.Parallel()
	s := newServer(t, &fakeAgent{})
	s.limits.read, s.limits.header, s.limits.answer = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	more := make(chan struct{})
	s.o.Events = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range more {
			if r.Context().Err() != nil {
				return
			}
			fmt.Fprint(w, "x")
			w.(http.Flusher).Flush()
		}
	})
	addr := serve(t, s)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /events HTTP/1.0\r\n\r\n")
	more <- struct{}{}
	<-time.After(200 * time.Millisecond)
	more <- struct{}{}
	close(more)
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	b, err := io.ReadAll(c)
	if err != nil || !strings.HasSuffix(string(b), "\r\n\r\nxx") {
		t.Errorf("%v %s", err, b)
	}
}
