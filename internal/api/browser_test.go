package api

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

var admin = peer{loopback: true, known: true, local: netip.MustParseAddrPort("127.0.0.1:8081")}

const pipelineYAML = "workflow: [hello]\nhello:\n  image: alpine:latest\n  script: [echo hi]\n"

// TestBrowserRules asks as the user who runs the agent, whom a page must not
// act for unasked.
func TestBrowserRules(t *testing.T) {
	t.Parallel()
	s := newServer(t, &fakeAgent{}, withTokens, func(o *Options) {
		o.AllowOrigins = []string{"https://ci.example.com", "http://dash.example.com:3000/"}
		o.AllowHosts = []string{"Box.Example.com"}
	})
	const yaml, own = "Content-Type: application/yaml", "Origin: http://127.0.0.1:8081"
	for _, c := range []struct {
		name, method, path string
		headers            []string
		want               int
	}{
		{"curl", "POST", "/v1/resume", nil, 202},
		{"curl with a form's type", "POST", "/v1/resume", []string{"Content-Type: application/x-www-form-urlencoded"}, 202},
		{"same origin", "POST", "/v1/resume", []string{own, yaml}, 202},
		{"same origin, address bar", "GET", "/v1/runs", []string{"Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"}, 200},
		{"same origin, fetch", "GET", "/events", []string{"Sec-Fetch-Site: same-origin"}, 200},
		{"same origin by name", "POST", "/v1/resume", []string{"Host: localhost:8081", "Origin: http://localhost:8081", yaml}, 202},
		{"same origin, other spelling", "POST", "/v1/resume", []string{"Host: LOCALHOST:8081", "Origin: http://localhost:8081", yaml}, 202},
		{"same origin, simple type", "POST", "/v1/resume", []string{own, "Content-Type: text/plain;charset=UTF-8"}, 415},
		{"same origin, form", "POST", "/v1/resume", []string{own, "Content-Type: multipart/form-data; boundary=x"}, 415},
		{"same origin, no type", "POST", "/v1/resume", []string{own}, 415},
		{"same origin, empty type", "POST", "/v1/resume", []string{own, "Content-Type: ;"}, 415},
		{"same origin, two types", "POST", "/v1/resume", []string{own, "Content-Type: text/plain, application/json"}, 415},
		{"same origin, DELETE", "DELETE", "/v1/runs/x", []string{own}, 202},
		{"another port", "POST", "/v1/resume", []string{"Origin: http://127.0.0.1:3000", yaml}, 403},
		{"another scheme", "POST", "/v1/resume", []string{"Origin: https://127.0.0.1:8081", yaml}, 403},
		{"localhost is not 127.0.0.1", "POST", "/v1/resume", []string{"Origin: http://localhost:8081", yaml}, 403},
		{"foreign origin", "POST", "/v1/resume", []string{"Origin: http://evil.example", yaml}, 403},
		{"foreign origin, read", "GET", "/v1/runs", []string{"Origin: http://evil.example"}, 403},
		{"foreign origin, health", "GET", "/health", []string{"Origin: http://evil.example"}, 403},
		{"foreign origin with a token", "GET", "/v1/runs", []string{"Origin: http://evil.example", "Authorization: Bearer " + readToken}, 403},
		{"null origin", "POST", "/v1/resume", []string{"Origin: null", yaml}, 403},
		{"empty origin", "POST", "/v1/resume", []string{"Origin: ", yaml}, 403},
		{"two origins", "POST", "/v1/resume", []string{own, "Origin: http://evil.example", yaml}, 403},
		{"origin with a path", "POST", "/v1/resume", []string{own + "/x", yaml}, 403},
		{"origin with a user", "POST", "/v1/resume", []string{"Origin: http://evil@127.0.0.1:8081", yaml}, 403},
		{"allowed origin", "POST", "/v1/resume", []string{"Origin: https://ci.example.com", "Sec-Fetch-Site: cross-site", yaml}, 202},
		{"allowed origin, default port", "POST", "/v1/resume", []string{"Origin: https://ci.example.com:443", yaml}, 202},
		{"allowed origin, simple type", "POST", "/v1/resume", []string{"Origin: https://ci.example.com", "Content-Type: text/plain"}, 415},
		{"allowed name, other scheme", "POST", "/v1/resume", []string{"Origin: http://ci.example.com", yaml}, 403},
		{"cross-site stream", "GET", "/events", []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"cross-site stream in a frame", "GET", "/events", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}, 403},
		{"same-site image", "GET", "/v1/runs", []string{"Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}, 403},
		{"followed link", "GET", "/v1/runs", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}, 200},
		{"link to a stream", "GET", "/events", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}, 403},
		{"submitted form", "POST", "/v1/resume", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}, 403},

		{"foreign name", "GET", "/v1/runs", []string{"Host: evil.example"}, 403},
		{"foreign name and port", "GET", "/v1/runs", []string{"Host: evil.example:8081"}, 403},
		{"foreign name, monitor", "GET", "/health", []string{"Host: evil.example:8081"}, 200},
		{"foreign name, a page's health", "GET", "/health", []string{"Host: evil.example:8081", "Sec-Fetch-Site: same-origin"}, 403},
		{"rebound page", "POST", "/v1/resume", []string{"Host: evil.example:8081", "Origin: http://evil.example:8081", yaml}, 403},
		{"rebound page posing as a proxy", "POST", "/v1/resume", []string{"Host: evil.example:8081", "X-Real-IP: 1.2.3.4", "Origin: http://evil.example:8081", yaml}, 403},
		{"name that begins like ours", "GET", "/v1/runs", []string{"Host: localhost.evil.example:8081"}, 403},
		{"name that ends like ours", "GET", "/v1/runs", []string{"Host: evillocalhost:8081"}, 403},
		{"address as a name", "GET", "/v1/runs", []string{"Host: 127.0.0.1.nip.example:8081"}, 403},
		{"foreign name with a token", "GET", "/v1/runs", []string{"Host: box.internal:8081", "Authorization: Bearer " + readToken}, 200},
		{"allowed name", "GET", "/v1/runs", []string{"Host: box.example.COM.:8081"}, 200},
		{"localhost", "GET", "/v1/runs", []string{"Host: localhost"}, 200},
		{"below localhost", "GET", "/v1/runs", []string{"Host: abide.localhost:8081"}, 200},
		{"IPv6", "GET", "/v1/runs", []string{"Host: [::1]:8081"}, 200},
		{"other address", "GET", "/v1/runs", []string{"Host: 192.0.2.7:8081"}, 200},
	} {
		rec := call(s, admin, c.method, c.path, "", c.headers...)
		if rec.Code != c.want {
			t.Errorf("%s: %d, want %d: %s", c.name, rec.Code, c.want, rec.Body)
		}
		if got := rec.Header().Get("Access-Control-Allow-Origin"); got == "*" || got != "" && !strings.Contains(got, "example.com") {
			t.Errorf("%s: Access-Control-Allow-Origin %q", c.name, got)
		}
		if rec.Code >= 400 {
			jsonOf(t, reply{rec.Code, rec.Header(), rec.Body.String()})
		}
	}
	if rec := call(s, peer{unix: true, known: true}, "GET", "/v1/runs", "", "Host: whatever"); rec.Code != 200 {
		t.Errorf("a name on a Unix socket, where there are no names: %d", rec.Code)
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	s := newServer(t, &fakeAgent{}, func(o *Options) { o.AllowOrigins = []string{"https://ci.example.com"} })
	const want = "Access-Control-Request-Method: POST"
	rec := call(s, peer{}, "OPTIONS", "/trigger", "", "Origin: https://ci.example.com", want, "Access-Control-Request-Private-Network: true")
	h := rec.Header()
	if rec.Code != 204 || h.Get("Access-Control-Allow-Origin") != "https://ci.example.com" ||
		!strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") ||
		!strings.Contains(h.Get("Access-Control-Allow-Headers"), "Content-Type") ||
		h.Get("Access-Control-Allow-Private-Network") != "true" || h.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("allowed: %d %v", rec.Code, h)
	}
	rec = call(s, admin, "OPTIONS", "/trigger", "", "Origin: http://evil.example", want)
	if rec.Code != 403 || rec.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("foreign: %d %v", rec.Code, rec.Header())
	}
	rec = call(s, admin, "OPTIONS", "/v1/runs/x", "")
	if rec.Code != 204 || rec.Header().Get("Allow") != "DELETE, GET, HEAD, OPTIONS" {
		t.Errorf("no browser: %d %v", rec.Code, rec.Header())
	}
	// The answer to an error must be readable for the page that may ask.
	rec = call(s, peer{}, "GET", "/v1/runs", "", "Origin: https://ci.example.com")
	if rec.Code != 401 || rec.Header().Get("Access-Control-Allow-Origin") == "" || rec.Header().Get("Vary") != "Origin" {
		t.Errorf("allowed page without a token: %d %v", rec.Code, rec.Header())
	}
}

// The attacks of pin's time, each by name.

func TestAttackDriveByPost(t *testing.T) {
	t.Parallel()
	a := &fakeAgent{}
	addr := serve(t, newServer(t, a))
	r := ask(t, "POST", "http://"+addr+"/trigger", pipelineYAML, "Content-Type: text/plain", "Origin: http://evil.example")
	if r.status != 403 || r.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%d %v", r.status, r.header)
	}
	if calls := a.called(); len(calls) != 0 {
		t.Errorf("the agent was asked: %v", calls)
	}
}

func TestAttackRebinding(t *testing.T) {
	t.Parallel()
	a := &fakeAgent{}
	addr := serve(t, newServer(t, a))
	_, port, _ := net.SplitHostPort(addr)
	evil := "evil.example:" + port
	for _, headers := range [][]string{
		{"Host: " + evil},
		{"Host: " + evil, "Origin: http://" + evil, "Content-Type: application/yaml"},
		{"Host: " + evil, "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Authorization: Basic eDp5"},
		{"Host: evil.example"},
	} {
		if r := ask(t, "POST", "http://"+addr+"/trigger", pipelineYAML, headers...); r.status != 403 {
			t.Errorf("%v: %d %s", headers, r.status, r.body)
		}
		if r := ask(t, "GET", "http://"+addr+"/events", "", headers...); r.status != 403 {
			t.Errorf("events, %v: %d %s", headers, r.status, r.body)
		}
	}
	if calls := a.called(); len(calls) != 0 {
		t.Errorf("the agent was asked: %v", calls)
	}
}

// TestNginxOfTheReference runs a proxy that does what the reference's nginx
// configuration says: Host $host (which has no port), X-Real-IP, HTTP/1.0, and
// the caller's Basic credentials passed on.
func TestNginxOfTheReference(t *testing.T) {
	t.Parallel()
	a := &fakeAgent{}
	addr := serve(t, newServer(t, a))
	target, _ := url.Parse("http://" + addr)
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	proxy := &httputil.ReverseProxy{Transport: tr, FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host, _ = splitHost(r.In.Host)
		r.Out.Proto, r.Out.ProtoMajor, r.Out.ProtoMinor = "HTTP/1.0", 1, 0
		r.Out.Header.Set("X-Real-IP", "203.0.113.9")
		r.Out.Header.Set("Cache-Control", "no-cache")
	}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	front := &http.Server{Handler: proxy}
	go front.Serve(l)
	t.Cleanup(func() { front.Close() })
	base := "http://" + l.Addr().String()
	const basic, host = "Authorization: Basic dXNlcjpwdw==", "Host: pin.example.com"
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		want                     int
	}{
		{"trigger", "POST", "/trigger", pipelineYAML, []string{host, basic, "Content-Type: application/yaml"}, 200},
		{"health", "GET", "/health", "", []string{host, basic}, 200},
		{"events", "GET", "/events", "", []string{host, basic}, 200},
		{"its own page", "POST", "/trigger", pipelineYAML, []string{host, basic, "Content-Type: application/yaml", "Origin: http://pin.example.com"}, 200},
		{"its own page over TLS", "POST", "/trigger", pipelineYAML, []string{host, basic, "Content-Type: application/yaml", "Origin: https://pin.example.com", "Sec-Fetch-Site: same-origin"}, 200},
		{"a foreign page", "POST", "/trigger", pipelineYAML, []string{host, basic, "Content-Type: application/yaml", "Origin: http://evil.example", "Sec-Fetch-Site: cross-site"}, 403},
		{"a foreign page's simple POST", "POST", "/trigger", pipelineYAML, []string{host, basic, "Content-Type: text/plain", "Origin: http://evil.example"}, 403},
	} {
		if r := ask(t, c.method, base+c.path, c.body, c.headers...); r.status != c.want {
			t.Errorf("%s: %d, want %d: %s", c.name, r.status, c.want, r.body)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{AllowOrigins: []string{"*"}},
		{AllowOrigins: []string{"ci.example.com"}},
		{AllowOrigins: []string{"null"}},
		{AllowOrigins: []string{"http://*.example.com"}},
		{AllowOrigins: []string{"https://x/y"}},
		{AllowHosts: []string{"*"}},
		{AllowHosts: []string{"http://x"}},
		{AllowHosts: []string{""}},
	} {
		o.Agent, o.Events = &fakeAgent{}, fakeEvents
		if _, err := New(o); err == nil {
			t.Errorf("taken: %v %v", o.AllowOrigins, o.AllowHosts)
		}
	}
	if _, err := New(Options{}); err == nil {
		t.Error("a server without an agent")
	}
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{"localhost:8081", "[::1]:80", "[::1", "a:b:c", "", ":", "EVIL.example.", "..", "[fe80::1%25eth0]:1", "[x]y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, port := splitHost(s)
		if name != strings.ToLower(name) || len(name)+len(port) > len(strings.ToLower(s)) {
			t.Errorf("%q: %q %q", s, name, port)
		}
		o := parseOrigin("http://" + s)
		if o != "" && parseOrigin(o) != o {
			t.Errorf("%q: %q is not stable", s, o)
		}
		if strings.ContainsAny(o, "@*, ") {
			t.Errorf("%q: %q", s, o)
		}
		r := &http.Request{Host: s, Header: http.Header{}}
		if sameOrigin(r, parseOrigin("http://evil.example")) && name != "evil.example" {
			t.Errorf("%q is the same origin as evil.example", s)
		}
	})
}

func FuzzAuthorization(f *testing.F) {
	f.Add("Bearer x", "Basic y")
	f.Add("bearer", "")
	f.Add("Bearer  a b", "BEARER c")
	f.Fuzz(func(t *testing.T, a, b string) {
		value, given := bearer([]string{a, b})
		if !given && value != "" {
			t.Errorf("%q", value)
		}
		tok, _ := NewToken("n", RoleRead, readToken)
		if _, ok := findToken([]Token{tok}, value); ok && !strings.Contains(a+b, readToken) {
			t.Error("a token from nowhere")
		}
		if _, ok := findToken([]Token{{}}, value); ok {
			t.Error("a token that was never set matches")
		}
		_ = fmt.Sprint(mediaType(a), mediaType(b))
	})
}
