package api

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Options are what a Server is made of. Agent, Events and Version are required.
type Options struct {
	Agent  Agent
	Events http.Handler // serves GET /events
	// Clients counts the event streams that are open, for `connected_clients`.
	Clients func() int
	// CloseStreams makes Events end all its streams. Shutdown calls it once;
	// without it, or when it takes too long, the requests' contexts end.
	CloseStreams func()

	Version string
	Tokens  []Token
	// AdminUIDs are local users with the role of an admin, beside root and the
	// user that the agent runs as.
	AdminUIDs []int
	// AllowOrigins are the origins, as `https://ci.example.com`, whose pages may
	// use the agent. AllowHosts are names in Host that belong to it, beside
	// addresses and localhost.
	AllowOrigins []string
	AllowHosts   []string
	// Insecure makes everybody an admin who reaches a listener. The rules for
	// browsers stay.
	Insecure bool

	Log zerolog.Logger
	Now func() time.Time // time.Now when nil
}

// Server serves the API on any number of listeners. Callers are known by their
// token or, on a Unix socket and on loopback, by the uid that the kernel
// reports for their end of the connection.
type Server struct {
	o       Options
	log     zerolog.Logger
	uids    map[int]bool
	origins map[string]bool
	hosts   map[string]bool
	limits  limits
	started time.Time

	mux   *http.ServeMux
	paths map[string]*pathEntry
	table []route

	http       *http.Server
	httpOnce   sync.Once
	closeOnce  sync.Once
	streams    context.Context // ends when the streams must
	endStreams context.CancelFunc
}

// New makes a Server with abide's own routes.
func New(o Options) (*Server, error) {
	if o.Agent == nil || o.Events == nil {
		return nil, errors.New("api: Options need an Agent and an Events handler")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{
		o: o, log: o.Log, uids: adminUIDs(o.AdminUIDs),
		origins: map[string]bool{}, hosts: map[string]bool{}, limits: defaultLimits(), started: o.Now(),
		mux: http.NewServeMux(), paths: map[string]*pathEntry{},
	}
	for _, v := range o.AllowOrigins {
		origin := parseOrigin(strings.TrimSuffix(v, "/"))
		if origin == "" {
			return nil, fmt.Errorf("--allow-origin %s is not an origin; write scheme, host and port as in https://ci.example.com", shown(v))
		}
		s.origins[origin] = true
	}
	for _, v := range o.AllowHosts {
		name := hostName(v)
		if name == "" || strings.ContainsAny(v, "/*@ ") {
			return nil, fmt.Errorf("--allow-host %s is not a host name; write it as in ci.example.com", shown(v))
		}
		s.hosts[name] = true
	}
	s.streams, s.endStreams = context.WithCancel(context.Background())
	for _, rt := range routes {
		s.add(rt)
	}
	s.mux.HandleFunc("/", s.notFound)
	return s, nil
}

// Mount adds a handler beside abide's own routes. The pattern is one of
// http.ServeMux, with or without a method; the role is asked for before the
// handler is called. It must be called before Serve, and panics on a pattern
// that is taken.
func (s *Server) Mount(pattern string, role Role, h http.Handler) { s.MountAs(nil, pattern, role, h) }

// MountAs is Mount for a handler whose clients know another shape of errors: what
// the server itself has to refuse there, it tells through fail.
func (s *Server) MountAs(fail FailFunc, pattern string, role Role, h http.Handler) {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		method, path = "", pattern
	}
	s.add(route{
		method: method, path: strings.TrimSpace(path), role: role, fail: fail,
		serve: func(_ *Server, w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) },
	})
}

// FailFunc answers with an error. The headers that belong to it are set already.
type FailFunc func(w http.ResponseWriter, status int, message string)

// Handler gives the whole API as a handler, for somebody else's server. It then
// knows callers by token only, since it can't see their connections.
func (s *Server) Handler() http.Handler { return s.wrap(s.mux) }

func (s *Server) server() *http.Server {
	s.httpOnce.Do(func() {
		l := s.limits
		s.http = &http.Server{
			Handler:     s.Handler(),
			ConnContext: withPeer,
			ErrorLog:    log.New(errorLog{s.log}, "", 0),

			MaxHeaderBytes:    MaxHeader,
			ReadHeaderTimeout: l.header,
			ReadTimeout:       l.read,
			WriteTimeout:      l.answer,
			IdleTimeout:       l.idle,
		}
	})
	return s.http
}

// Serve answers on a listener until Shutdown, which makes it give nil. It may be
// called once for each of several listeners, which it then owns.
func (s *Server) Serve(l net.Listener) error {
	err := s.server().Serve(newLimited(l, s.limits.conns))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving on %s ended: %w", l.Addr(), err)
}

// Shutdown stops listening, ends the event streams at once, and gives other
// requests until ctx ends, or somewhat less than a second, to finish. What is
// left then is cut off, which is an error.
func (s *Server) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.limits.shutdown)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.server().Shutdown(ctx) }()
	defer s.endStreams()
	if s.o.CloseStreams != nil {
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			s.closeOnce.Do(s.o.CloseStreams)
		}()
		grace := time.NewTimer(streamGrace)
		defer grace.Stop()
		select {
		case <-closed:
		case <-grace.C:
		case <-ctx.Done():
		}
	}
	s.endStreams()
	return s.cutOff(<-done)
}

// cutOff closes what Shutdown did not get to end.
func (s *Server) cutOff(err error) error {
	if err == nil {
		return nil
	}
	s.endStreams()
	s.server().Close()
	return fmt.Errorf("requests that were under way have been cut off: %w", err)
}

// errorLog takes what net/http has to say: mostly callers that misbehaved.
type errorLog struct{ log zerolog.Logger }

func (e errorLog) Write(p []byte) (int, error) {
	e.log.Debug().Msg(strings.TrimSpace(string(p)))
	return len(p), nil
}
