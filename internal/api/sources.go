package api

import (
	"encoding/json"
	"net/http"

	"github.com/abide-agent/abide/reconcile"
)

// Reason is the optional body of the requests to suspend, to resume and to roll
// back.
type Reason struct {
	Reason   string `json:"reason,omitempty"`
	Revision string `json:"revision,omitempty"` // to roll back to; empty: the one before
}

// RolledBack is the answer to a rollback.
type RolledBack struct {
	Status   string `json:"status"` // accepted
	Message  string `json:"message"`
	Revision string `json:"revision"`
}

// plan answers with what would be done now or, with `?rev=`, if a source stood
// at another revision.
func (s *Server) plan(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	source, rev := v.Get("source"), v.Get("rev")
	if !s.checkNames(w, r, map[string]string{"source": source, "rev": rev}) {
		return
	}
	var plan reconcile.Plan
	var err error
	if rev == "" {
		plan, err = s.o.Agent.Plan(r.Context())
	} else {
		plan, err = s.o.Agent.PlanAt(r.Context(), source, rev)
	}
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	plan.Sources = append([]reconcile.SourceStatus{}, plan.Sources...)
	plan.Changes = append([]reconcile.Change{}, plan.Changes...)
	writeJSON(w, http.StatusOK, plan)
}

// compare answers with what two revisions of a source differ in.
func (s *Server) compare(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	source, from, to := v.Get("source"), v.Get("from"), v.Get("to")
	if !s.checkNames(w, r, map[string]string{"source": source, "from": from, "to": to}) {
		return
	}
	out, err := s.o.Agent.Compare(r.Context(), source, from, to)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	out.Changes = append([]reconcile.Change{}, out.Changes...)
	writeJSON(w, http.StatusOK, out)
}

// checkNames bounds parameters; when it gives false, the request has been answered.
func (s *Server) checkNames(w http.ResponseWriter, r *http.Request, values map[string]string) bool {
	for what, value := range values {
		if f := checkName(what, value); f != nil {
			s.writeError(w, r, f)
			return false
		}
	}
	return true
}

// rollback pins a source to a revision.
func (s *Server) rollback(w http.ResponseWriter, r *http.Request) {
	source, in, ok := s.holdRequest(w, r)
	if !ok {
		return
	}
	if !s.checkNames(w, r, map[string]string{"revision": in.Revision}) {
		return
	}
	revision, err := s.o.Agent.Rollback(r.Context(), source, in.Revision, in.Reason, callerOf(r.Context()).name)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	writeJSON(w, http.StatusAccepted, RolledBack{"accepted", "pinned until it is resumed", revision})
}

func (s *Server) suspend(w http.ResponseWriter, r *http.Request) {
	source, in, ok := s.holdRequest(w, r)
	if !ok {
		return
	}
	err := s.o.Agent.Suspend(r.Context(), source, in.Reason, callerOf(r.Context()).name)
	s.accept(w, r, err, "held until it is resumed")
}

func (s *Server) resume(w http.ResponseWriter, r *http.Request) {
	source, _, ok := s.holdRequest(w, r)
	if !ok {
		return
	}
	s.accept(w, r, s.o.Agent.Resume(r.Context(), source, callerOf(r.Context()).name), "resumed")
}

// holdRequest reads the source (empty: the whole agent) and the reason.
func (s *Server) holdRequest(w http.ResponseWriter, r *http.Request) (source string, in Reason, ok bool) {
	if r.PathValue("name") != "" {
		if source, ok = s.pathName(w, r, "name"); !ok {
			return "", in, false
		}
	}
	body, ok := s.readBody(w, r)
	if !ok {
		return "", in, false
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &in); err != nil {
			s.writeError(w, r, invalid(`the body is not JSON: %v; send {"reason": "…"} or nothing`, err))
			return "", in, false
		}
	}
	if f := checkName("reason", in.Reason); f != nil {
		s.writeError(w, r, f)
		return "", in, false
	}
	return source, in, true
}

// pathName gives a wildcard of the path; when it gives false, the request has
// been answered.
func (s *Server) pathName(w http.ResponseWriter, r *http.Request, what string) (string, bool) {
	v := r.PathValue(what)
	if f := checkName(what, v); f != nil {
		s.writeError(w, r, f)
		return "", false
	}
	return v, true
}

func (s *Server) accept(w http.ResponseWriter, r *http.Request, err error, message string) {
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	writeJSON(w, http.StatusAccepted, Accepted{Status: "accepted", Message: message})
}
