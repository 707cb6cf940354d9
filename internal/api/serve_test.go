package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestListenTCPSaysWhatToDo(t *testing.T) {
	t.Parallel()
	l, err := ListenTCP(t.Context(), "127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	for _, c := range []struct {
		host string
		port int
		want []string
	}{
		{"127.0.0.1", port, []string{fmt.Sprintf("port %d on 127.0.0.1", port), "in use", "--port"}},
		{"192.0.2.1", port, []string{"192.0.2.1", "--host"}},
		{"no.such.host.invalid", port, []string{"no.such.host.invalid", "--host"}},
		{"127.0.0.1", 70000, []string{"70000", "--port"}},
		{"127.0.0.1", -1, []string{"--port"}},
	} {
		l, err := ListenTCP(t.Context(), c.host, c.port)
		if err == nil {
			l.Close()
			t.Errorf("%s:%d could be listened on", c.host, c.port)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q doesn't say %q", err, w)
			}
		}
	}
	if l, err := ListenTCP(t.Context(), "[::1]", 0); err == nil {
		l.Close()
	} else if strings.Contains(err.Error(), "resolved") {
		t.Errorf("brackets: %v", err)
	}
}

func TestListenUnix(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "abide.sock")
	l, err := ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if _, err := ListenUnix(path); err == nil || !strings.Contains(err.Error(), "already serves") {
		t.Errorf("a socket that is served: %v", err)
	}
	// A crash leaves the file: closing without unlinking does the same.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	l, err = ListenUnix(path)
	if err != nil {
		t.Fatalf("a socket that a crash left: %v", err)
	}
	l.Close()
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket outlives its listener")
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file: "not a socket", "": "not a path", "@abstract": "not a path", file + "/x": "can't be made",
		filepath.Join(dir, strings.Repeat("x", 120)): "longer than",
	} {
		if _, err := ListenUnix(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--socket") {
			t.Errorf("%.40q: %v", path, err)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the file in the way: %q %v", b, err)
	}
}

func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	s := newServer(t, &fakeAgent{})
	s.limits.conns = 2
	addr := serve(t, s)
	var held []net.Conn
	for range 2 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET /events?stay=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(c)
	c.Close()
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 503 ")) || !bytes.Contains(b, []byte(CodeBusy)) {
		t.Errorf("the third: %s", b)
	}
	held[0].Close()
	for { // its slot comes free when the server has noticed
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "GET /health HTTP/1.0\r\n\r\n")
		b, _ := io.ReadAll(c)
		c.Close()
		if bytes.HasPrefix(b, []byte("HTTP/1.0 200 ")) {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal("no slot came free")
		}
	}
}

func TestShutdownEndsStreamsAndWaitsForRequests(t *testing.T) {
	t.Parallel()
	a := &fakeAgent{}
	quit := make(chan struct{})
	s := newServer(t, a, func(o *Options) {
		o.Events = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-quit
			fmt.Fprint(w, "data: the last event\n\n")
		})
		o.CloseStreams = func() { close(quit) }
	})
	inside, release := make(chan struct{}), make(chan struct{})
	s.Mount("/slow", RoleNone, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(inside)
		<-release
		fmt.Fprint(w, "done")
	}))
	addr := serve(t, s)
	stream, err := http.Get("http://" + addr + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	slow := make(chan reply, 1)
	go func() { slow <- ask(t, "GET", "http://"+addr+"/slow", "") }()
	<-inside
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(context.Background()) }()
	if b, err := io.ReadAll(stream.Body); err != nil || string(b) != "data: the last event\n\n" {
		t.Errorf("the stream: %q %v", b, err)
	}
	close(release)
	if r := <-slow; r.body != "done" {
		t.Errorf("the request under way: %d %q", r.status, r.body)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("it still listens")
	}
}

func TestShutdownCutsOffWhatHangs(t *testing.T) {
	t.Parallel()
	s := newServer(t, &fakeAgent{}, func(o *Options) { o.CloseStreams = func() {} })
	s.limits.shutdown = 100 * time.Millisecond
	inside := make(chan struct{})
	s.Mount("/hang", RoleNone, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(inside)
		<-r.Context().Done()
	}))
	addr := serve(t, s)
	failed := make(chan error, 1)
	go func() {
		resp, err := http.Get("http://" + addr + "/hang")
		if err == nil {
			resp.Body.Close()
		}
		failed <- err
	}()
	<-inside
	began := time.Now()
	if err := s.Shutdown(context.Background()); err == nil {
		t.Error("nothing was cut off")
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	if err := <-failed; err == nil {
		t.Error("the request that hung got an answer")
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

// TestNothingSecretIsLogged looks for tokens and queries in the log.
func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newServer(t, &fakeAgent{}, withTokens, func(o *Options) { o.Log = zerolog.New(&log).Level(zerolog.TraceLevel) })
	call(s, peer{}, "GET", "/v1/runs?after=secret-query", readToken)
	call(s, peer{}, "GET", "/v1/runs", "secret-wrong-token")
	call(s, peer{}, "GET", "/v1/runs", "", "Authorization: Basic secret-basic")
	if !strings.Contains(log.String(), `"path":"/v1/runs"`) || !strings.Contains(log.String(), `"status":401`) {
		t.Errorf("requests are not logged: %s", log.String())
	}
	for _, secret := range []string{"secret", readToken, adminToken} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in the log: %s", secret, log.String())
		}
	}
	if strings.Contains(fmt.Sprintf("%+v", s.o.Tokens), readToken) {
		t.Error("a token can be printed")
	}
}
