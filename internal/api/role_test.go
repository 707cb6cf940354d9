package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/abide-agent/abide/runner"
)

const (
	readToken    = "read-token-0123456789"
	triggerToken = "trigger-token-0123456789"
	adminToken   = "admin-token-0123456789"
)

func withTokens(o *Options) {
	for value, role := range map[string]Role{readToken: RoleRead, triggerToken: RoleTrigger, adminToken: RoleAdmin} {
		t, err := NewToken(string(role)+"er", role, value)
		if err != nil {
			panic(err)
		}
		o.Tokens = append(o.Tokens, t)
	}
}

// The callers of the table test: from where, with what.
var callers = []struct {
	name  string
	peer  peer
	token string
	role  Role // what the caller amounts to
}{
	{"far, no token", peer{}, "", RoleNone},
	{"far, read token", peer{}, readToken, RoleRead},
	{"far, trigger token", peer{}, triggerToken, RoleTrigger},
	{"far, admin token", peer{}, adminToken, RoleAdmin},
	{"loopback, unknown uid", peer{loopback: true}, "", RoleNone},
	{"loopback, foreign uid", peer{loopback: true, uid: 64999, known: true}, "", RoleNone},
	{"loopback, foreign uid, read token", peer{loopback: true, uid: 64999, known: true}, readToken, RoleRead},
	{"loopback, own uid", peer{loopback: true, uid: os.Geteuid(), known: true}, "", RoleAdmin},
	{"loopback, own uid, read token", peer{loopback: true, uid: os.Geteuid(), known: true}, readToken, RoleRead},
	{"loopback, root", peer{loopback: true, known: true}, "", RoleAdmin},
	{"loopback, --admin-uid", peer{loopback: true, uid: 64001, known: true}, "", RoleAdmin},
	{"socket, foreign uid", peer{unix: true, uid: 64999, known: true}, "", RoleNone},
	{"socket, own uid", peer{unix: true, uid: os.Geteuid(), known: true}, "", RoleAdmin},
	{"own uid, wrong token", peer{loopback: true, uid: os.Geteuid(), known: true}, "no-such-token-0123456", ""},
}

// TestEveryRouteForEveryCaller walks route × caller. What a role includes is
// written out here, so that the table can't change unseen.
func TestEveryRouteForEveryCaller(t *testing.T) {
	t.Parallel()
	mayUse := map[Role]string{
		RoleNone: "none hook", RoleRead: "none hook read",
		RoleTrigger: "none hook read trigger", RoleAdmin: "none hook read trigger admin",
	}
	want := map[string]Role{
		"GET /": RoleNone, "GET /health": RoleNone, "GET /events": RoleRead, "POST /trigger": RoleTrigger,
		"GET /v1/version": RoleRead, "GET /v1/runs": RoleRead, "GET /v1/runs/r1": RoleRead,
		"DELETE /v1/runs/r1": RoleTrigger, "GET /v1/runs/r1/logs": RoleRead, "GET /v1/sources": RoleRead,
		"POST /v1/sources/s/suspend": RoleAdmin, "POST /v1/sources/s/resume": RoleAdmin,
		"POST /v1/sources/s/rollback": RoleAdmin, "GET /v1/diff": RoleRead,
		"POST /v1/suspend": RoleAdmin, "POST /v1/resume": RoleAdmin, "GET /v1/plan": RoleRead,
		"GET /v1/resources": RoleRead, "POST /v1/resources/pipeline/a/b/retry": RoleTrigger,
		"GET /v1/devices": RoleRead, "GET /v1/devices/s": RoleRead, "GET /v1/devices/s/config": RoleRead, "GET /v1/devices/s/diff": RoleRead,
		"POST /v1/devices/s/sync": RoleTrigger, "GET /v1/services": RoleRead, "GET /v1/services/s": RoleRead, "GET /v1/blame": RoleRead,
		"PUT /extra/x": RoleAdmin, "POST /hooks/github": RoleHook,
	}
	seen := map[string]bool{}
	s := newServer(t, &fakeAgent{runs: []runner.Run{{ID: "r1"}}}, withTokens,
		func(o *Options) { o.AdminUIDs = []int{64001} })
	s.MountDevices(fakeDevices{})
	s.Mount("/extra/", RoleAdmin, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.MountHooks(fakeHooks{})
	for _, rt := range s.table {
		method, path := rt.method, strings.NewReplacer("{$}", "", "{id}", "r1", "{kind}", "pipeline",
			"{name...}", "a/b", "{name}", "s", "{source}", "github", "/extra/", "/extra/x").Replace(rt.path)
		if method == "" {
			method = "PUT"
		}
		role, ok := want[method+" "+path]
		if !ok {
			t.Errorf("the route %s %s is in no test: say here who may use it", method, path)
			continue
		}
		seen[method+" "+path] = true
		for _, c := range callers {
			wantStatus := "2xx"
			switch {
			case c.role == "" && role != RoleHook: // a wrong token, whoever shows it
				wantStatus = "401"
			case c.role != "" && !strings.Contains(" "+mayUse[c.role]+" ", " "+string(role)+" "):
				wantStatus = "401"
				if c.token != "" {
					wantStatus = "403"
				}
			}
			rec := call(s, c.peer, method, path, c.token)
			got := fmt.Sprint(rec.Code)
			if rec.Code/100 == 2 {
				got = "2xx"
			}
			if method == "POST" && path == "/trigger" && rec.Code == 400 {
				got = "2xx" // let in, and then there was no body
			}
			if got != wantStatus {
				t.Errorf("%s %s for %s: %d, want %s: %s", method, path, c.name, rec.Code, wantStatus, rec.Body)
			}
			if rec.Code == 401 && rec.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s for %s: 401 without WWW-Authenticate", method, path, c.name)
			}
		}
	}
	for k := range want {
		if !seen[k] {
			t.Errorf("the route %s is gone", k)
		}
	}
}

func call(s *Server, p peer, method, path, token string, headers ...string) *httptest.ResponseRecorder {
	if token != "" {
		headers = append(headers, "Authorization: Bearer "+token)
	}
	return callBody(s, p, method, path, nil, headers...)
}

// callBody asks without a network, as the peer it is given.
func callBody(s *Server, p peer, method, path string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:8081"+path, body)
	if !p.unix && !p.local.IsValid() {
		p.local = netip.MustParseAddrPort("127.0.0.1:8081")
	}
	r = r.WithContext(context.WithValue(r.Context(), peerKey{}, &p))
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		if k == "Host" {
			r.Host = v
			continue
		}
		r.Header.Add(k, v)
	}
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, r)
	return rec
}

func TestInsecureLetsEverybodyIn(t *testing.T) {
	t.Parallel()
	s := newServer(t, &fakeAgent{}, withTokens, func(o *Options) { o.Insecure = true })
	if rec := call(s, peer{}, "GET", "/v1/runs", ""); rec.Code != 200 {
		t.Errorf("no token: %d", rec.Code)
	}
	if rec := call(s, peer{}, "GET", "/v1/runs", "wrong-token-0123456789"); rec.Code != 401 {
		t.Errorf("a wrong token: %d", rec.Code)
	}
	if rec := call(s, peer{}, "POST", "/v1/resume", "", "Origin: http://evil.example", "Content-Type: application/json"); rec.Code != 403 {
		t.Errorf("a foreign page: %d", rec.Code)
	}
}

func TestHealthReasonsAreForReaders(t *testing.T) {
	t.Parallel()
	a := &fakeAgent{}
	a.health.Status, a.health.Reasons = "degraded", []string{"source app can't be read"}
	s := newServer(t, a)
	if rec := call(s, peer{}, "GET", "/health", ""); rec.Code != 200 || strings.Contains(rec.Body.String(), "source app") {
		t.Errorf("anybody: %d %s", rec.Code, rec.Body)
	}
	root := peer{loopback: true, known: true}
	if rec := call(s, root, "GET", "/health", ""); !strings.Contains(rec.Body.String(), "source app") {
		t.Errorf("root: %s", rec.Body)
	}
	if rec := call(s, root, "GET", "/health", "", "Host: rebound.example:8081"); rec.Code != 200 || strings.Contains(rec.Body.String(), "source app") {
		t.Errorf("root by a foreign name: %d %s", rec.Code, rec.Body)
	}
}

func TestRouteTableIsChecked(t *testing.T) {
	t.Parallel()
	for _, f := range []func(*Server){
		func(s *Server) { s.Mount("GET /health", RoleRead, fakeEvents) },
		func(s *Server) { s.Mount("/x", "", fakeEvents) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("a route that contradicts the table was taken")
				}
			}()
			f(newServer(t, &fakeAgent{}))
		}()
	}
	if Role("root").allows(RoleRead) || RoleAdmin.allows("root") {
		t.Error("an unknown role allows something")
	}
}
