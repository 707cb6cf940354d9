package api

import (
	"errors"
	"io"
	"net/http"
)

// Hooks takes what forges send. It must be safe for concurrent use.
type Hooks interface {
	// Deliver judges one delivery by its headers and its body, and says in a few
	// words what comes of it; it must not wait for that. Its errors are
	// ErrNoHook, ErrUnproven, or the body's own.
	Deliver(source string, header http.Header, body io.Reader) (string, error)
}

// Errors of Hooks. Their answers say nothing more.
var (
	ErrNoHook   = errors.New("there is no such webhook")
	ErrUnproven = errors.New("the delivery is not proven to come from its sender")
)

// MountHooks adds the route of webhooks. Whoever sends one has no other rights.
func (s *Server) MountHooks(h Hooks) {
	s.add(route{method: http.MethodPost, path: "/hooks/{source}", role: RoleHook, serve: func(s *Server, w http.ResponseWriter, r *http.Request) {
		s.hook(h, w, r)
	}})
}

// hook answers 202 to what is proven: what is done about it, is done later. A
// source without a webhook can't be told from one that there isn't.
func (s *Server) hook(h Hooks, w http.ResponseWriter, r *http.Request) {
	if r.ContentLength > MaxHook {
		s.tooLarge(w, r, hookTooLarge)
		return
	}
	message, err := h.Deliver(r.PathValue("source"), r.Header, http.MaxBytesReader(w, r.Body, MaxHook))
	switch {
	case err == nil:
		writeJSON(w, http.StatusAccepted, Accepted{Status: "accepted", Message: message})
	case errors.Is(err, ErrNoHook):
		s.notFound(w, r)
	case errors.Is(err, ErrUnproven):
		w.Header().Set("WWW-Authenticate", `Bearer realm="abide"`)
		s.refuse(w, r, newFault(http.StatusUnauthorized, CodeUnauthorized, "the delivery is refused"))
	default:
		s.badBody(w, r, err, hookTooLarge)
	}
}
