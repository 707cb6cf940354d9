package sse

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wireFrame is a frame as a client sees it.
type wireFrame struct {
	id, event, comment string
	data               map[string]any
}

type client struct {
	resp *http.Response
	in   *bufio.Reader
}

func serve(t *testing.T, l *Log) *httptest.Server {
	t.Helper()
	srv, _ := serveEnds(t, l)
	return srv
}

// serveEnds also tells when a stream has ended.
func serveEnds(t *testing.T, l *Log) (*httptest.Server, <-chan struct{}) {
	t.Helper()
	ends := make(chan struct{}, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.ServeHTTP(w, r)
		ends <- struct{}{}
	}))
	t.Cleanup(func() {
		l.CloseStreams()
		srv.Close()
	})
	return srv, ends
}

// connect opens a stream. headers are pairs.
func connect(t *testing.T, srv *httptest.Server, query string, headers ...string) *client {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return &client{resp: resp, in: bufio.NewReader(resp.Body)}
}

// next reads one frame; at the end of the stream it gives none.
func (c *client) next(t *testing.T) (f wireFrame, ok bool) {
	t.Helper()
	for {
		line, err := c.in.ReadString('\n')
		if err == io.EOF && line == "" {
			return f, false
		}
		if err != nil {
			t.Fatal(err)
		}
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "":
			if line == "" {
				return f, true
			}
			f.comment = value
		case "id":
			f.id = value
		case "event":
			f.event = value
		case "data":
			if err := json.Unmarshal([]byte(value), &f.data); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("line %q", line)
		}
	}
}

func (c *client) ids(t *testing.T, n int) []string {
	t.Helper()
	var out []string
	for range n {
		f, ok := c.next(t)
		if !ok {
			break
		}
		out = append(out, f.id)
	}
	return out
}

func decimal(ids []uint64) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = strconv.FormatUint(id, 10)
	}
	return out
}

func TestStream(t *testing.T) {
	t.Parallel()
	l := open(t, Options{Version: "1.2.3"})
	publish(l, 5)
	srv := serve(t, l)
	c := connect(t, srv, "")
	for k, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"} {
		if got := c.resp.Header.Get(k); got != want {
			t.Errorf("%s: %s", k, got)
		}
	}
	first, _ := c.next(t)
	if first.id != "" || first.event != "" || first.data["type"] != TypeConnection || first.data["message"] != "Connected to abide 1.2.3" ||
		first.data["level"] != Info || first.data["timestamp"] == "" || len(first.data["clientId"].(string)) != 36 {
		t.Errorf("first comes %v", first)
	}
	if got := l.Clients(); got != 1 {
		t.Errorf("%d clients", got)
	}
	publish(l, 3)
	if diff := cmp.Diff([]string{"6", "7", "8"}, c.ids(t, 3)); diff != "" {
		t.Error(diff)
	}
	l.CloseStreams()
	if f, ok := c.next(t); ok {
		t.Errorf("after the end comes %v", f)
	}
	if got := l.Clients(); got != 0 {
		t.Errorf("%d clients are left", got)
	}
	resp := connect(t, srv, "").resp
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a new stream gets %d", resp.StatusCode)
	}
}

func TestResume(t *testing.T) {
	t.Parallel()
	logs := map[string]*Log{
		"ring": open(t, diskOptions(t.TempDir())), "disk": open(t, tiny(diskOptions(t.TempDir()))), "memory": open(t, tiny(Options{})),
	}
	for name, l := range logs {
		publish(l, 40)
		srv := serve(t, l)
		oldest := 1
		if name == "memory" {
			oldest = int(l.oldest())
		}
		tests := []struct {
			query, header string
			want          []uint64 // 0 is a stale frame
		}{
			{"", "35", upTo(36, 41)},
			{"?since=35", "", upTo(36, 41)},
			{"?since=0", "35", upTo(36, 41)},
			{"?since=35", "garbage", upTo(36, 41)},
			{"", "garbage", upTo(41, 41)},
			{"", "-1", upTo(41, 41)},
			{"", "", upTo(41, 41)},
			{"?since=40", "", upTo(41, 41)},
			{"?since=0", "", upTo(uint64(oldest), 41)},
			{"?since=99", "", []uint64{0, 41}},
			{"", "99", []uint64{0, 41}},
		}
		if name == "memory" {
			tests[8].want = append([]uint64{}, tests[8].want...)
			tests = append(tests, struct {
				query, header string
				want          []uint64
			}{"?since=5", "", append([]uint64{0}, upTo(uint64(oldest), 41)...)})
		} else {
			tests = append(tests, struct {
				query, header string
				want          []uint64
			}{"?since=5", "", upTo(6, 41)})
		}
		var clients []*client
		for _, tt := range tests {
			var headers []string
			if tt.header != "" {
				headers = []string{"Last-Event-ID", tt.header}
			}
			c := connect(t, srv, tt.query, headers...)
			if f, _ := c.next(t); f.data["type"] != TypeConnection {
				t.Fatalf("first comes %v", f)
			}
			clients = append(clients, c)
		}
		l.Publish(transition(41))
		for i, tt := range tests {
			want := decimal(tt.want)
			if want[0] == "0" {
				want[0] = ""
			}
			if diff := cmp.Diff(want, clients[i].ids(t, len(want))); diff != "" {
				t.Errorf("%s: %q and %q: %s", name, tt.query, tt.header, diff)
			}
		}
	}
}

func TestStreamSelection(t *testing.T) {
	t.Parallel()
	l := open(t, diskOptions(t.TempDir()))
	play(l, "r1", "r2")
	l.Publish(Event{Type: TypeJobFailed, Run: "r1", Job: "test"})
	l.Publish(Event{Type: TypePipelineError, Run: "r1"})
	srv := serve(t, l)
	for query, want := range map[string][]string{
		"?since=0&types=job_failed,pipeline_error":         {"10", "11"},
		"?since=0&types=job_failed&types=,pipeline_error,": {"10", "11"},
		"?since=0&run=r1":                                      {"2", "5", "8", "10", "11"},
		"?since=0&run=r1&types=log":                            {"2", "5", "8"},
		"?since=0&run=r1&job=test":                             {"10"},
		"?since=0&types=job_failed&named=true":                 {"10"},
		"?since=0&run=r2&named=1":                              {"3", "6", "9"},
		"?since=0&run=..%2F..%2Fetc&types=":                    nil,
		"?since=0&named=false&types=pipeline_error&unknown=x ": {"11"},
	} {
		c := connect(t, srv, strings.ReplaceAll(query, " ", ""))
		named := strings.Contains(query, "named=t") || strings.Contains(query, "named=1")
		for i, id := range append([]string{""}, want...) {
			f, _ := c.next(t)
			if f.id != id {
				t.Errorf("%s: frame %d has id %q, want %q", query, i, f.id, id)
			}
			if (f.event != "") != named || named && f.event != f.data["type"] {
				t.Errorf("%s: event %q of type %v", query, f.event, f.data["type"])
			}
		}
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	l := open(t, Options{})
	tests := []struct {
		method, query string
		status        int
		code, field   string
	}{
		{"GET", "?since=x", 400, "bad_request", "since"},
		{"GET", "?since=", 400, "bad_request", "since"},
		{"GET", "?since=-1", 400, "bad_request", "since"},
		{"GET", "?named=perhaps", 400, "bad_request", "named"},
		{"POST", "", 405, "method_not_allowed", ""},
	}
	for _, tt := range tests {
		w := httptest.NewRecorder()
		l.ServeHTTP(w, httptest.NewRequest(tt.method, "/events"+tt.query, nil))
		var body struct {
			Error, Message string
			Details        map[string]string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		if w.Code != tt.status || body.Error != tt.code || body.Message == "" || body.Details == nil || body.Details["field"] != tt.field {
			t.Errorf("%s %s: %d %s", tt.method, tt.query, w.Code, w.Body)
		}
		if tt.status == 405 && w.Header().Get("Allow") != "GET" {
			t.Error("no Allow")
		}
	}
}
