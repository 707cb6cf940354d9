package gitserver

import (
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy is a web proxy that tunnels (CONNECT) to where it is told, whatever host
// is asked for.
type Proxy struct {
	Addr    string       // host:port
	Tunnels atomic.Int64 // that were opened
	to      string
	auth    string
}

// NewProxy serves until the test ends. All tunnels lead to the address to; an
// empty user lets everyone in.
func NewProxy(t testing.TB, to, user, password string) *Proxy {
	t.Helper()
	p := &Proxy{to: to}
	if user != "" {
		p.auth = "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	web := httptest.NewServer(p)
	p.Addr = web.Listener.Addr().String()
	t.Cleanup(web.Close)
	return p
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case p.auth != "" && r.Header.Get("Proxy-Authorization") != p.auth:
		http.Error(w, "who are you?", http.StatusProxyAuthRequired)
		return
	case r.Method != http.MethodConnect:
		http.Error(w, "tunnels only", http.StatusMethodNotAllowed)
		return
	}
	there, err := net.Dial("tcp", p.to)
	if err != nil {
		http.Error(w, "nobody is there", http.StatusBadGateway)
		return
	}
	defer there.Close()
	here, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	p.Tunnels.Add(1)
	io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
	var both sync.WaitGroup
	both.Go(func() { io.Copy(there, buffered); there.Close() })
	both.Go(func() { io.Copy(here, there); here.Close() })
	both.Wait()
}
