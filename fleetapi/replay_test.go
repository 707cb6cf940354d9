package fleetapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// exchange is one request and what fleet 1.0 answered. Held ones were recorded
// without an answer; a status of 0 means that fleet closed the connection.
type exchange struct {
	Name, Method, Target string
	Header               map[string][]string
	Body                 string
	Held                 bool
	Status               int
	At                   int64 // second of the answer
	Type                 string
	Length               *int
	Answer               string
}

func recorded(t *testing.T, file string) []exchange {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var list []exchange
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// difference is what abide answers where it is decided not to follow fleet. All
// of them are told, with their reasons, in docs/fleet-compat.md.
type difference struct {
	status  int
	message string                    // of an error
	change  func(body map[string]any) // to the recorded body, or
	body    string                    // instead of it
}

// before is what happened between two exchanges without being recorded.
type before map[string]func(t *testing.T, w *world)

// replay plays a recording in order, and compares all that was answered.
func replay(t *testing.T, w *world, list []exchange, between before, differ map[string]difference) {
	t.Helper()
	server := httptest.NewServer(w.handler)
	defer server.Close()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var last int64
	for _, e := range list {
		if f := between[e.Name]; f != nil {
			f(t, w)
		}
		if e.At > last+1 && last > 0 { // fleet had seconds to get there
			w.settle()
		}
		if e.At > 0 {
			last = e.At
		}
		got, body := e.send(t, client, server.URL)
		t.Run(e.Name, func(t *testing.T) {
			want, decided := differ[e.Name]
			if !decided {
				want = difference{status: e.Status}
			}
			delete(differ, e.Name)
			e.compare(t, want, decided, got, body)
		})
	}
	for name := range differ {
		t.Errorf("%s was not played", name)
	}
}

func (e exchange) send(t *testing.T, client *http.Client, url string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), e.Method, url+"/", strings.NewReader(e.Body))
	if err != nil {
		t.Fatal(err)
	}
	path, query, _ := strings.Cut(e.Target, "?")
	req.URL.Opaque, req.URL.RawQuery = e.opaque(req.URL.Host, path), query
	if types := e.Header["Content-Type"]; types != nil {
		req.Header["Content-Type"] = types
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", e.Name, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", e.Name, err)
	}
	return resp, string(b)
}

// opaque keeps the path as it was recorded, also one that begins with two slashes.
func (e exchange) opaque(host, path string) string {
	if strings.HasPrefix(path, "//") {
		return "//" + host + path
	}
	return path
}

func (e exchange) compare(t *testing.T, want difference, decided bool, got *http.Response, body string) {
	t.Helper()
	if e.Held && !decided {
		t.Fatal("nothing says what is expected here")
	}
	if got.StatusCode != want.status {
		t.Fatalf("status %d, want %d: %s", got.StatusCode, want.status, body)
	}
	if server := got.Header.Get("Server"); server != "abide/1.2.3" {
		t.Errorf("Server %q", server)
	}
	if len(got.Header["Allow"]) > 0 {
		t.Error("fleet never sends Allow")
	}
	if want.status >= 400 && e.Method != http.MethodHead {
		checkShape(t, want.status, body)
	}
	switch {
	case want.message != "":
		if m := messageOf(t, body); m != want.message {
			t.Errorf("message %q\n   want %q", m, want.message)
		}
	case want.body != "":
		compareJSON(t, want.body, body, nil)
	case decided && want.change == nil:
	case e.Answer == "":
		if body != "" && !strings.HasSuffix(e.Target, "/discovery") {
			t.Errorf("body %q, want none", body)
		}
	default:
		compareJSON(t, e.Answer, body, want.change)
	}
	if decided {
		return
	}
	if got.Header.Get("Content-Type") != e.Type {
		t.Errorf("Content-Type %q, want %q", got.Header.Get("Content-Type"), e.Type)
	}
	if length := got.Header.Get("Content-Length"); e.Length != nil && (e.Status != 200 || e.Method == http.MethodHead) && length != strconv.Itoa(*e.Length) {
		t.Errorf("Content-Length %s, want %d", length, *e.Length)
	}
}

func checkShape(t *testing.T, status int, body string) {
	t.Helper()
	var e struct {
		Error struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error.Code != status || e.Error.Message == "" {
		t.Errorf("not an error as clients need it: %s", body)
	}
}

func messageOf(t *testing.T, body string) string {
	t.Helper()
	var e struct{ Error struct{ Message string } }
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Errorf("%v: %s", err, body)
	}
	return e.Error.Message
}

// compareJSON compares but for abide's own fields and the form of tokens.
func compareJSON(t *testing.T, want, got string, change func(map[string]any)) {
	t.Helper()
	var w, g map[string]any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%v: %s", err, want)
	}
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if change != nil {
		change(w)
	}
	plain(w)
	plain(g)
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func plain(m map[string]any) {
	for _, own := range []string{"drift", "health", "reason", "since", "source"} {
		delete(m, own)
	}
	if _, ok := m["nextPageToken"]; ok {
		m["nextPageToken"] = "a token"
	}
	if list, ok := m["units"].([]any); ok {
		for _, u := range list {
			plain(u.(map[string]any))
		}
	}
}
