// Package gitserver knows how to serve Git repositories over smart HTTP for
// tests, by way of `git http-backend`, with the faults that a real server may
// have. It never knows who asks.
package gitserver

import (
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
	handler        http.HandlerFunc
	backend        *cgi.Handler
}

// New serves the repositories below root until the test ends. Where there is no
// git, the test is marked as not run.
func New(t testing.TB, root string) *Server {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		notrun.Because(t, "there is no git binary to serve a repository with")
	}
	s := &Server{backend: &cgi.Handler{
		Path:   git,
		Args:   []string{"http-backend"},
		Stderr: io.Discard, // what it complains about, its client hears too
		Logger: log.New(io.Discard, "", 0),
		Env: []string{
			"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*", "HOME=" + root, "PATH=" + os.Getenv("PATH"),
		},
	}}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	s.URL = web.URL
	return s
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
	user, password, handler := s.user, s.password, s.handler
	s.mu.Unlock()
	if user != "" {
		if u, p, _ := r.BasicAuth(); u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
	}
	if handler != nil {
		handler(w, r)
		return
	}
	s.Serve(w, r)
}

// Serve answers as Git does.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request) { s.backend.ServeHTTP(w, r) }
