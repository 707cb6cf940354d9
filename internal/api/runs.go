package api

import (
	"net/http"
	"strconv"

	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/runner"
)

// Runs is the answer of `GET /v1/runs`: a page, newest first. Next is what
// `?after=` must be to get the page behind it, empty on the last.
type Runs struct {
	Runs []runner.Run `json:"runs"`
	Next string       `json:"next,omitempty"`
}

// Accepted is the answer to a request that changes something later.
type Accepted struct {
	Status  string `json:"status"` // accepted
	Message string `json:"message"`
}

// Sources is the answer of `GET /v1/sources`, Resources that of `GET /v1/resources`.
type Sources struct {
	Sources []reconcile.SourceStatus `json:"sources"`
}

// Resources is a listing, in the order of kind and name.
type Resources struct {
	Resources []reconcile.ResourceStatus `json:"resources"`
}

var runStates = map[runner.State]bool{
	runner.Pending: true, runner.Running: true, runner.Succeeded: true, runner.Failed: true,
	runner.Cancelled: true, runner.Skipped: true, runner.Interrupted: true,
}

// bare gives a run without the pipeline's text, which is of no use to a reader
// and may hold what the pipeline passes to its jobs in secret.
func bare(run runner.Run) runner.Run {
	run.Text = nil
	if run.Jobs == nil {
		run.Jobs = []runner.JobRun{}
	}
	return run
}

func (s *Server) runs(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	q := RunQuery{After: v.Get("after"), Pipeline: v.Get("pipeline"), State: v.Get("state"), Limit: DefaultPage}
	if limit := v.Get("limit"); limit != "" {
		n, err := strconv.Atoi(limit)
		if err != nil || n < 1 || n > MaxPage {
			s.writeError(w, r, invalid("limit is a number from 1 to %d, not %s", MaxPage, shown(limit)))
			return
		}
		q.Limit = n
	}
	if q.State != "" && !runStates[runner.State(q.State)] {
		s.writeError(w, r, invalid("%s is not a state of a run; use pending, running, succeeded, failed, cancelled, skipped or interrupted", shown(q.State)))
		return
	}
	for what, value := range map[string]string{"after": q.After, "pipeline": q.Pipeline} {
		if f := checkName(what, value); f != nil {
			s.writeError(w, r, f)
			return
		}
	}
	list, next, err := s.o.Agent.Runs(r.Context(), q)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	out := Runs{Runs: make([]runner.Run, len(list)), Next: next}
	for i := range list {
		out.Runs[i] = bare(list[i])
	}
	writeJSON(w, http.StatusOK, out)
}

func (s *Server) run(w http.ResponseWriter, r *http.Request) {
	id, ok := s.pathName(w, r, "id")
	if !ok {
		return
	}
	run, err := s.o.Agent.Run(r.Context(), id)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, bare(run))
}

func (s *Server) cancel(w http.ResponseWriter, r *http.Request) {
	id, ok := s.pathName(w, r, "id")
	if !ok {
		return
	}
	s.accept(w, r, s.o.Agent.Cancel(r.Context(), id, callerOf(r.Context()).name), "the run is being cancelled")
}

func (s *Server) sources(w http.ResponseWriter, r *http.Request) {
	list, err := s.o.Agent.Sources(r.Context())
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, Sources{append([]reconcile.SourceStatus{}, list...)})
}

func (s *Server) resources(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	q := ResourceQuery{Kind: v.Get("kind"), Source: v.Get("source"), State: v.Get("state"), Name: v.Get("name")}
	for what, value := range map[string]string{"kind": q.Kind, "source": q.Source, "state": q.State, "name": q.Name} {
		if f := checkName(what, value); f != nil {
			s.writeError(w, r, f)
			return
		}
	}
	list, err := s.o.Agent.Resources(r.Context(), q)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, Resources{append([]reconcile.ResourceStatus{}, list...)})
}

// retry takes `-` for the kind when the caller knows the name only.
func (s *Server) retry(w http.ResponseWriter, r *http.Request) {
	kind, ok := s.pathName(w, r, "kind")
	if !ok {
		return
	}
	name, ok := s.pathName(w, r, "name")
	if !ok {
		return
	}
	if kind != "-" {
		name = kind + "/" + name
	}
	s.accept(w, r, s.o.Agent.Retry(r.Context(), name, callerOf(r.Context()).name), "the resource is tried again")
}
