package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/sse"
)

// script is a server that answers one request after the other.
type script struct {
	t     *testing.T
	steps []func(http.ResponseWriter, *http.Request)
	mu    sync.Mutex
	seen  []string // what each request asked for
}

func (s *script) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen = append(s.seen, fmt.Sprintf("%s last=%s", r.URL, r.Header.Get("Last-Event-ID")))
	n := len(s.seen)
	s.mu.Unlock()
	if n > len(s.steps) {
		s.t.Errorf("one request too many: %s", r.URL)
		w.WriteHeader(http.StatusGone)
		return
	}
	s.steps[n-1](w, r)
}

func event(id int, typ string) string {
	head := ""
	if id > 0 {
		head = fmt.Sprintf("id: %d\n", id)
	}
	return fmt.Sprintf("%sdata: {\"type\":%q,\"level\":\"info\",\"message\":\"m\",\"timestamp\":\"2026-01-15T10:30:00Z\"}\n\n", head, typ)
}

// sends answers with a stream that ends cleanly, cut one without its end.
func sends(body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, body)
	}
}

func cut(body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		sends(body)(w, r)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		io.WriteString(w, `{"error":"x","message":"status `+fmt.Sprint(code)+`"}`)
	}
}

func scripted(t *testing.T, steps ...func(http.ResponseWriter, *http.Request)) (*Client, *script) {
	t.Helper()
	s := &script{t: t, steps: steps}
	srv := httptest.NewServer(s)
	srv.Config.ErrorLog = nil
	t.Cleanup(srv.Close)
	c := connect(t, srv.URL)
	c.sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return c, s
}

// collect reads n events, or all, as "id type".
func collect(seq func(func(sse.Event, error) bool), n int) (got []string, err error) {
	for e, err := range seq {
		if err != nil {
			return got, err
		}
		got = append(got, fmt.Sprintf("%d %s", e.ID, e.Type))
		if len(got) == n {
			break
		}
	}
	return got, nil
}

// TestEventsResume: over every kind of break, each event is seen once.
func TestEventsResume(t *testing.T) {
	t.Parallel()
	c, s := scripted(t,
		sends(event(0, "connection")),
		cut(event(0, "connection")+event(7, "a")+event(8, "b")+"id: 9\ndata: {\"type\":\"half"),
		status(503),
		status(429),
		sends(event(8, "b")+event(9, "c")+": heartbeat\n\n"),
		func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) },
		sends(event(0, "stale")+event(2, "d")+"\r\n"+strings.ReplaceAll(event(3, "e"), "\n", "\r\n")),
	)
	got, err := collect(c.Events(t.Context(), EventQuery{Since: "6", Types: []string{"a", "b"}, Run: "r"}), 8)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"0 connection", "0 connection", "7 a", "8 b", "9 c", "0 stale", "2 d", "3 e"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	first := "/events?run=r&since=6&types=a%2Cb last="
	rest := "/events?run=r&types=a%2Cb last="
	if d := cmp.Diff([]string{first, first, rest + "8", rest + "8", rest + "8", rest + "9", rest + "9"}, s.asked()); d != "" {
		t.Error(d)
	}
}

func TestEventsEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		steps []func(http.ResponseWriter, *http.Request)
		want  string
	}{
		"refused at first":   {[]func(http.ResponseWriter, *http.Request){status(503)}, "status 503"},
		"refused later":      {[]func(http.ResponseWriter, *http.Request){sends(event(1, "a")), status(401)}, "status 401"},
		"no stream":          {[]func(http.ResponseWriter, *http.Request){func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hi") }}, "not a stream"},
		"an endless line":    {[]func(http.ResponseWriter, *http.Request){sends("data: " + strings.Repeat("x", maxFrame))}, "longer than"},
		"endless data lines": {[]func(http.ResponseWriter, *http.Request){sends(strings.Repeat("data: "+strings.Repeat("x", 1000)+"\n", 1100))}, "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := scripted(t, c.steps...)
			if _, err := collect(client.Events(t.Context(), EventQuery{}), -1); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Error(err)
			}
		})
	}
	c, _ := scripted(t, sends("data: no json\n\n"))
	seq := c.Events(t.Context(), EventQuery{})
	if _, err := collect(seq, -1); err == nil || !strings.Contains(err.Error(), "can't be read") {
		t.Error(err)
	}
}

// TestSilenceIsNoticed: a connection that died without a word is given up.
func TestSilenceIsNoticed(t *testing.T) {
	t.Parallel()
	c, _ := scripted(t,
		func(w http.ResponseWriter, r *http.Request) {
			sends(event(1, "a"))(w, r)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		sends(event(2, "b")))
	c.quiet = 100 * time.Millisecond
	got, err := collect(c.Events(t.Context(), EventQuery{}), 2)
	if d := cmp.Diff([]string{"1 a", "2 b"}, got); d != "" || err != nil {
		t.Error(d, err)
	}
	silent, _ := scripted(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	silent.quiet = 50 * time.Millisecond
	if _, err := collect(silent.Events(t.Context(), EventQuery{}), 1); !errors.Is(err, errQuiet) {
		t.Error(err)
	}
}

func TestEventsStopWithContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, _ := scripted(t, func(w http.ResponseWriter, r *http.Request) {
		sends(event(1, "a"))(w, r)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	var last error
	for _, err := range c.Events(ctx, EventQuery{}) {
		last = err
		cancel()
	}
	if !errors.Is(last, context.Canceled) {
		t.Error(last)
	}
}

func run(state string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"id":"r","state":%q}`, state) }
}

// TestLogsFollow: an end of the stream counts once the run has ended, since a
// proxy that speaks HTTP/1.0 makes a break look like an end.
func TestLogsFollow(t *testing.T) {
	t.Parallel()
	c, s := scripted(t,
		cut(event(4, "log")),
		sends(event(4, "log")+event(5, "log")), run("running"),
		sends(event(9, "pipeline_complete")), run("succeeded"))
	got, err := collect(c.Logs(t.Context(), "r", true), -1)
	if d := cmp.Diff([]string{"4 log", "5 log", "9 pipeline_complete"}, got); d != "" || err != nil {
		t.Error(d, err)
	}
	logs := "/v1/runs/r/logs?follow=true&format=sse last="
	if d := cmp.Diff([]string{logs, logs + "4", "/v1/runs/r last=", logs + "5", "/v1/runs/r last="}, s.asked()); d != "" {
		t.Error(d)
	}
	c, s = scripted(t, sends(event(4, "log")))
	got, err = collect(c.Logs(t.Context(), "r", false), -1)
	if len(got) != 1 || err != nil || s.asked()[0] != "/v1/runs/r/logs?format=sse last=" {
		t.Error(got, err, s.asked())
	}
	c, _ = scripted(t, status(404))
	if _, err := collect(c.Logs(t.Context(), "r", true), -1); !IsStatus(err, 404) {
		t.Error(err)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	c, _ := scripted(t, run("running"), sends(event(1, "log")), run("failed"), run("failed"))
	r, err := c.Wait(t.Context(), "r")
	if err != nil || r.State != "failed" {
		t.Error(r, err)
	}
	c, _ = scripted(t, status(404))
	if _, err := c.Wait(t.Context(), "r"); !IsStatus(err, 404) {
		t.Error(err)
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for n := range 100 {
		if d := backoff(n); d < firstWait/2 || d > longWait {
			t.Errorf("%d: %v", n, d)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(event(1, "a"), 1)
	f.Add("data\n\n:x\nid\nretry: 9\ndata: a\ndata:b\r\n\r\n", 3)
	f.Fuzz(func(t *testing.T, s string, size int) {
		whole, parts := newFrames(strings.NewReader(s)), newFrames(&slow{s, max(1, min(size, 9))})
		for {
			a, errA := whole.next()
			data := string(a.data)
			b, errB := parts.next()
			if data != string(b.data) || a.id != b.id || (errA == nil) != (errB == nil) {
				t.Fatalf("%q %v, in parts %q %v", data, errA, b.data, errB)
			}
			if errA != nil {
				return
			}
		}
	})
}

// slow gives a few bytes at a time.
type slow struct {
	s string
	n int
}

func (r *slow) Read(p []byte) (int, error) {
	if r.s == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.n)], r.s)
	r.s = r.s[n:]
	return n, nil
}
