package api

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// fakeHooks believes everybody, but for the sources that tests name.
type fakeHooks struct{}

func (fakeHooks) Deliver(source string, h http.Header, body io.Reader) (string, error) {
	switch source {
	case "nowhere", "hookless":
		return "", ErrNoHook
	case "unproven":
		return "", ErrUnproven
	case "broken":
		return "", errors.New("a body that broke off")
	case "panic":
		panic("boom")
	}
	n, err := io.Copy(io.Discard, body)
	return fmt.Sprint(n, " bytes ", h.Get("X-Gitlab-Token")), err
}

func TestHooks(t *testing.T) {
	t.Parallel()
	s := newServer(t, &fakeAgent{}, withTokens)
	s.MountHooks(fakeHooks{})
	for _, tt := range []struct {
		method, path string
		status       int
		says         string
	}{
		{"POST", "/hooks/app", 202, `{"status":"accepted","message":"4 bytes secret"}`},
		{"POST", "/hooks/nowhere", 404, "/hooks/nowhere"},
		{"POST", "/hooks/unproven", 401, `{"error":"unauthorized","message":"the delivery is refused"}`},
		{"POST", "/hooks/broken", 400, "did not arrive whole"},
		{"POST", "/hooks/panic", 500, CodeInternal},
		{"GET", "/hooks/app", 405, "POST"},
		{"GET", "/hooks/nowhere", 405, "POST"},
		{"POST", "/hooks/", 404, CodeNotFound},
		{"POST", "/hooks/a/b", 404, CodeNotFound},
	} {
		// A caller from afar, by a name that nobody told the agent.
		r := callBody(s, peer{}, tt.method, tt.path, strings.NewReader("body"), "X-Gitlab-Token: secret", "Host: abide.example.org")
		if r.Code != tt.status || !strings.Contains(r.Body.String(), tt.says) {
			t.Errorf("%s %s: %d %s, want %d %s", tt.method, tt.path, r.Code, r.Body, tt.status, tt.says)
		}
	}
	same := func(path string) string {
		r := callBody(s, peer{}, "POST", path, strings.NewReader("body"))
		return fmt.Sprint(r.Code, r.Header(), strings.ReplaceAll(r.Body.String(), path, "PATH"))
	}
	unknown, hookless := same("/hooks/nowhere"), strings.Replace(same("/hooks/hookless"), "[101]", "[100]", 1) // the names' lengths
	if unknown != hookless {
		t.Errorf("a stranger can tell these apart:\n%s\n%s", unknown, hookless)
	}
}

// TestAttackHugeHook: a body of 100 MB is refused, announced or not, and costs
// no memory; one of the largest size that is taken is read in pieces.
func TestAttackHugeHook(t *testing.T) {
	s := newServer(t, &fakeAgent{})
	s.MountHooks(fakeHooks{})
	addr := serve(t, s)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, tt := range []struct {
		size      int64
		announced bool
		status    string
	}{{100 << 20, true, "413"}, {100 << 20, false, "413"}, {MaxHook, true, "202"}} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "POST /hooks/app HTTP/1.1\r\nHost: x.localhost\r\n")
		if tt.announced {
			fmt.Fprintf(c, "Content-Length: %d\r\n\r\n", tt.size)
		} else {
			fmt.Fprintf(c, "Transfer-Encoding: chunked\r\n\r\n%x\r\n", tt.size)
		}
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			io.Copy(c, &zeros{tt.size}) // breaks off when it is refused
		}()
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		first := make([]byte, 4096)
		n, err := c.Read(first)
		if err != nil || !strings.HasPrefix(string(first[:n]), "HTTP/1.1 "+tt.status) {
			t.Errorf("%+v: %v %s", tt, err, first[:n])
		}
		c.Close()
		<-sent
	}
	runtime.ReadMemStats(&after)
	if grew := after.TotalAlloc - before.TotalAlloc; grew > 8<<20 {
		t.Errorf("three bodies took %d bytes of memory", grew)
	}
}
