// Package gitserver knows how to serve Git repositories over smart HTTP for
// tests, by way of `git http-backend`, with the faults that a real server may
// have. It never knows who asks.
package gitserver

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/abide-agent/abide/internal/testkit/notrun"
)

// Server serves all repositories below a directory.
type Server struct {
	URL      string // ends without a slash
	Requests atomic.Int64

	mu             sync.Mutex
	user, password string
	token          string
	handler        http.HandlerFunc
	backend        *cgi.Handler
	web            *httptest.Server
	tls            atomic.Pointer[tls.Config]
}

// New serves the repositories below root until the test ends. Where there is no
// git, the test is marked as not run.
func New(t testing.TB, root string) *Server {
	t.Helper()
	s := prepare(t, root)
	s.web = httptest.NewServer(s)
	t.Cleanup(s.web.Close)
	s.URL = s.web.URL
	return s
}

// NewTLS is New over https.
func NewTLS(t testing.TB, root string, config *tls.Config) *Server {
	t.Helper()
	s := prepare(t, root)
	s.web = httptest.NewUnstartedServer(s)
	s.web.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
	s.tls.Store(config)
	s.web.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.tls.Load(), nil }}
	s.web.StartTLS()
	t.Cleanup(s.web.Close)
	s.URL = s.web.URL
	return s
}

// SetTLS makes the server speak TLS in another way from here on.
func (s *Server) SetTLS(config *tls.Config) {
	s.tls.Store(config)
	s.web.CloseClientConnections()
}

func prepare(t testing.TB, root string) *Server {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		notrun.Because(t, "there is no git binary to serve a repository with")
	}
	return &Server{backend: &cgi.Handler{
		Path:   git,
		Args:   []string{"http-backend"},
		Stderr: io.Discard, // what it complains about, its client hears too
		Logger: log.New(io.Discard, "", 0),
		Env: []string{
			"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*", "HOME=" + root, "PATH=" + os.Getenv("PATH"),
		},
	}}
}

// RequireToken makes the server refuse whoever does not bear this token; an
// empty one lets everyone in again.
func (s *Server) RequireToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

// RequireAuth makes the server refuse whoever does not give these credentials;
// an empty user lets everyone in again.
func (s *Server) RequireAuth(user, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.user, s.password = user, password
}

// Answer makes the server answer with h instead of Git; nil is Git again. h may
// call Serve.
func (s *Server) Answer(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = h
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Requests.Add(1)
	s.mu.Lock()
	user, password, token, handler := s.user, s.password, s.token, s.handler
	s.mu.Unlock()
	if user != "" {
		if u, p, _ := r.BasicAuth(); u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
	}
	if token != "" && r.Header.Get("Authorization") != "Bearer "+token {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "what do you bear?", http.StatusUnauthorized)
		return
	}
	if handler != nil {
		handler(w, r)
		return
	}
	s.Serve(w, r)
}

// Serve answers as Git does.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request) { s.backend.ServeHTTP(w, r) }
