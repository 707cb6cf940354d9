package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/runner"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var began = time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)

// fakeAgent answers from its fields and writes down what it was asked to do.
type fakeAgent struct {
	mu    sync.Mutex
	calls []string

	trigger   func(TriggerRequest) (runner.Run, error)
	runs      []runner.Run
	next      string
	logs      iter.Seq2[LogLine, error]
	err       error // of all that change something
	sources   []reconcile.SourceStatus
	plan      reconcile.Plan
	resources []reconcile.ResourceStatus
	health    reconcile.Health
}

func (a *fakeAgent) note(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, fmt.Sprintf(format, args...))
}

func (a *fakeAgent) called() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.calls...)
}

func (a *fakeAgent) Trigger(_ context.Context, req TriggerRequest) (runner.Run, error) {
	a.note("trigger %d bytes, name %q, by %s", len(req.Body), req.Name, req.By)
	if a.trigger != nil {
		return a.trigger(req)
	}
	return runner.Run{ID: "run-1", Pipeline: "hello", Created: began}, a.err
}

func (a *fakeAgent) Runs(_ context.Context, q RunQuery) ([]runner.Run, string, error) {
	a.note("runs %+v", q)
	return a.runs, a.next, nil
}

func (a *fakeAgent) Run(_ context.Context, id string) (runner.Run, error) {
	for _, r := range a.runs {
		if r.ID == id {
			return r, nil
		}
	}
	return runner.Run{}, fmt.Errorf("run %s: %w; `abide runs` lists them", id, reconcile.ErrNotFound)
}

func (a *fakeAgent) Logs(_ context.Context, q LogQuery) iter.Seq2[LogLine, error] {
	a.note("logs %+v", q)
	if a.logs == nil {
		return func(func(LogLine, error) bool) {}
	}
	return a.logs
}

func (a *fakeAgent) Cancel(_ context.Context, id, by string) error {
	a.note("cancel %s by %s", id, by)
	return a.err
}

func (a *fakeAgent) Sources(context.Context) ([]reconcile.SourceStatus, error) {
	return a.sources, a.err
}

func (a *fakeAgent) Plan(context.Context) (reconcile.Plan, error) { return a.plan, a.err }

func (a *fakeAgent) Resources(_ context.Context, q ResourceQuery) ([]reconcile.ResourceStatus, error) {
	a.note("resources %+v", q)
	return a.resources, a.err
}

func (a *fakeAgent) Retry(_ context.Context, name, by string) error {
	a.note("retry %s by %s", name, by)
	return a.err
}

func (a *fakeAgent) Suspend(_ context.Context, source, reason, by string) error {
	a.note("suspend %q for %q by %s", source, reason, by)
	return a.err
}

func (a *fakeAgent) Resume(_ context.Context, source, by string) error {
	a.note("resume %q by %s", source, by)
	return a.err
}

func (a *fakeAgent) Rollback(_ context.Context, source, rev, reason, by string) (string, error) {
	a.note("rollback %s %s %s by %s", source, rev, reason, by)
	return "0123", a.err
}

func (a *fakeAgent) PlanAt(_ context.Context, source, rev string) (reconcile.Plan, error) {
	a.note("plan %s %s", source, rev)
	return a.plan, a.err
}

func (a *fakeAgent) Compare(_ context.Context, source, from, to string) (reconcile.Comparison, error) {
	a.note("compare %s %s %s", source, from, to)
	return reconcile.Comparison{Source: source, From: from, To: to}, a.err
}

func (a *fakeAgent) Health(context.Context) reconcile.Health { return a.health }

// fakeEvents is an event stream that says hello and stays open.
var fakeEvents = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, "id: 1\ndata: {\"type\":\"daemon_start\",\"level\":\"info\",\"message\":\"hi\",\"timestamp\":\"2026-01-15T10:30:00Z\"}\n\n")
	w.(http.Flusher).Flush()
	if r.URL.Query().Get("stay") != "" {
		<-r.Context().Done()
	}
})

func newServer(t testing.TB, a *fakeAgent, change ...func(*Options)) *Server {
	t.Helper()
	o := Options{Agent: a, Events: fakeEvents, Version: "1.2.3", Log: zerolog.Nop()}
	for _, f := range change {
		f(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.endStreams)
	return s
}

// serve runs the server on a loopback port, and gives its address.
func serve(t testing.TB, s *Server) string {
	t.Helper()
	l, err := ListenTCP(t.Context(), "127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, s, l)
}

func serveOn(t testing.TB, s *Server, l net.Listener) string {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Shutdown(context.Background()) // what a test leaves open is cut off
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask sends a request and closes the connection. Headers are "Name: value";
// "Host" is the request's.
func ask(t testing.TB, method, url, body string, headers ...string) reply {
	t.Helper()
	return askWith(t, http.DefaultTransport, method, url, body, headers...)
}

func askWith(t testing.TB, rt http.RoundTripper, method, url, body string, headers ...string) reply {
	t.Helper()
	var rd io.Reader
	if body != "" {
		rd = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, rd)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		if k == "Host" {
			r.Host = v
			continue
		}
		r.Header.Add(k, v)
	}
	resp, err := rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(b)}
}

// asUID calls f with the effective uid changed on this goroutine's thread only,
// so that sockets made by it belong to another user.
func asUID(t testing.TB, uid int, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		notRun(t, "only root can call as another user; run the tests as root")
	}
	done := make(chan error)
	go func() { done <- withUID(uid, f) }()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// notRun skips a test whose subject is missing here, and tells `make test`.
func notRun(t testing.TB, reason string) {
	t.Helper()
	partNotRun(t, reason)
	t.SkipNow()
}

// partNotRun tells that a part of a test is missing; the rest goes on.
func partNotRun(t testing.TB, reason string) {
	t.Helper()
	line := "NOT RUN: " + t.Name() + ": " + reason
	if path := os.Getenv("ABIDE_NOT_RUN"); path != "" {
		if f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err == nil {
			fmt.Fprintln(f, line)
			f.Close()
		}
	}
	t.Log(line)
}

// dialAs connects as another user.
func dialAs(t testing.TB, uid int, network, addr string) net.Conn {
	t.Helper()
	var c net.Conn
	var err error
	asUID(t, uid, func() { c, err = net.Dial(network, addr) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// over sends requests on one connection that is open already.
func over(t testing.TB, c net.Conn) http.RoundTripper {
	tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return c, nil }}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// jsonOf fails unless the reply is JSON, and gives it without its newline.
func jsonOf(t testing.TB, r reply) []byte {
	t.Helper()
	if got := r.header.Get("Content-Type"); got != "application/json" {
		t.Fatalf("content type %q, body %.200q", got, r.body)
	}
	return bytes.TrimSpace([]byte(r.body))
}
