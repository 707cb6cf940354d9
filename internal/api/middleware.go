package api

import (
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"strings"
)

// wrap puts around the routes what holds for all of them: a panic is that
// request's failure only, every request is logged, no browser guesses the type of
// an answer, and a path has one spelling.
func (s *Server) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &answer{ResponseWriter: w}
		began := s.o.Now()
		defer func() {
			s.log.Debug().Str("method", r.Method).Str("path", loggedPath(r)).Int("status", a.status).
				Int64("bytes", a.bytes).Dur("took", s.o.Now().Sub(began)).Msg("request")
		}()
		defer func() {
			if v := recover(); v != nil {
				s.panicked(a, r, v)
			}
		}()
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if !redirected(a, r) {
			next.ServeHTTP(a, r)
		}
	})
}

// redirected sends a reader of `//a/./b` to `/a/b`. http.ServeMux would, too, but
// since Go 1.26 with a status that clients written before RFC 7538 don't follow.
func redirected(w http.ResponseWriter, r *http.Request) bool {
	clean := path.Clean("/" + r.URL.Path)
	if strings.HasSuffix(r.URL.Path, "/") && clean != "/" {
		clean += "/"
	}
	if clean == r.URL.Path || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	to := url.URL{Path: clean, RawQuery: r.URL.RawQuery}
	http.Redirect(w, r, to.String(), http.StatusMovedPermanently)
	return true
}

// panicked turns a handler's panic into a 500, or into a cut connection when
// the answer had begun: a caller must not take half of it for the whole.
func (s *Server) panicked(a *answer, r *http.Request, v any) {
	if v == http.ErrAbortHandler {
		panic(v)
	}
	s.log.Error().Str("method", r.Method).Str("path", loggedPath(r)).Interface("panic", v).
		Bytes("stack", debug.Stack()).Msg("a request failed with a panic; please report this")
	if a.status != 0 {
		panic(http.ErrAbortHandler)
	}
	s.writeError(a, r, newFault(http.StatusInternalServerError, CodeInternal,
		"the agent failed on this request and goes on; its log has the details, please report them"))
}

// answer remembers what was answered, for the log.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
	fail   FailFunc // the route's, once there is a route
}

// WriteHeader notes the first status that is final.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// FlushError sends what was written so far.
func (a *answer) FlushError() error {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Flush is for handlers that ask for an http.Flusher instead of a
// ResponseController.
func (a *answer) Flush() { _ = a.FlushError() }

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
