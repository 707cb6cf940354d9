package api

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/abide-agent/abide/reconcile"
)

// Info is the answer of `GET /`, with the fields that pin documents.
type Info struct {
	Service   string            `json:"service"`
	Version   string            `json:"version"`
	Status    string            `json:"status"` // running
	Endpoints map[string]string `json:"endpoints"`
	Uptime    string            `json:"uptime"` // as in "2h 15m 30s"
	Clients   int               `json:"connected_clients"`
}

// Health is the answer of `GET /health`. It is a 200 also when the agent is
// degraded, because it does answer and goes on: a supervisor that restarts it
// for a source it can't reach would only do harm. Look at status. Reasons, and
// the counts of what is under way, are for callers with the role read.
type Health struct {
	Status       string     `json:"status"` // healthy or degraded
	Uptime       string     `json:"uptime"`
	Clients      int        `json:"connected_clients"`
	LastPipeline *time.Time `json:"last_pipeline"` // null before the first
	Runs         int        `json:"total_pipelines_executed"`
	Reasons      []string   `json:"reasons,omitempty"`
	Running      *int       `json:"running,omitempty"`
	Queued       *int       `json:"queued,omitempty"`
}

// Version is the answer of `GET /v1/version`.
type Version struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func (s *Server) root(w http.ResponseWriter, r *http.Request) {
	endpoints := map[string]string{"/": "API information"}
	for _, rt := range s.table {
		if rt.about != "" {
			endpoints[rt.path] = rt.about
		}
	}
	writeJSON(w, http.StatusOK, Info{
		Service: "abide", Version: s.o.Version, Status: "running", Endpoints: endpoints,
		Uptime: s.uptime(s.o.Agent.Health(r.Context())), Clients: s.clients(),
	})
}

func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	h := s.o.Agent.Health(r.Context())
	out := Health{Status: h.Status, Uptime: s.uptime(h), Clients: s.clients(), Runs: h.Runs}
	if !h.LastPipeline.IsZero() {
		last := h.LastPipeline.UTC().Truncate(time.Second)
		out.LastPipeline = &last
	}
	if callerOf(r.Context()).role.allows(RoleRead) {
		out.Reasons, out.Running, out.Queued = h.Reasons, &h.Running, &h.Queued
	}
	writeJSON(w, http.StatusOK, out)
}

func (s *Server) version(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, Version{s.o.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH})
}

func (s *Server) events(w http.ResponseWriter, r *http.Request) { s.o.Events.ServeHTTP(w, r) }

func (s *Server) clients() int {
	if s.o.Clients == nil {
		return 0
	}
	return s.o.Clients()
}

func (s *Server) uptime(h reconcile.Health) string {
	began := h.Started
	if began.IsZero() {
		began = s.started
	}
	return formatUptime(s.o.Now().Sub(began))
}

// formatUptime writes a duration as pin documents it: `2h 15m 30s`, without the
// units that are zero in front.
func formatUptime(d time.Duration) string {
	sec := int64(max(d, 0) / time.Second)
	var parts []string
	if sec >= 3600 {
		parts = append(parts, fmt.Sprintf("%dh", sec/3600))
	}
	if sec >= 60 {
		parts = append(parts, fmt.Sprintf("%dm", sec/60%60))
	}
	return strings.Join(append(parts, fmt.Sprintf("%ds", sec%60)), " ")
}
