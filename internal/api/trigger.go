package api

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/abide-agent/abide/internal/problem"
)

// Triggered is the answer of `POST /trigger`, with the fields that pin documents.
type Triggered struct {
	Status    string    `json:"status"` // triggered
	Message   string    `json:"message"`
	RunID     string    `json:"pipeline_id"` // of the run, for /v1/runs/{id}
	Pipeline  string    `json:"pipeline,omitempty"`
	Timestamp time.Time `json:"timestamp"`
}

// trigger starts a run of the pipeline in the body. Whatever Content-Type it
// comes with is taken for YAML, as pin does.
func (s *Server) trigger(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	if f := checkName("name", name); f != nil {
		s.writeError(w, r, f)
		return
	}
	body, ok := s.readBody(w, r)
	if !ok {
		return
	}
	if len(bytes.TrimSpace(body)) == 0 {
		s.writeError(w, r, validation(problem.List{{
			Severity: problem.Error, Field: "workflow",
			Message: "the request has no body", Hint: "send the pipeline's YAML, as with curl --data-binary @pipeline.yaml",
		}}))
		return
	}
	run, err := s.o.Agent.Trigger(r.Context(), TriggerRequest{Body: body, Name: name, By: callerOf(r.Context()).name})
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	at := run.Created
	if at.IsZero() {
		at = s.o.Now()
	}
	w.Header().Set("Location", "/v1/runs/"+url.PathEscape(run.ID))
	writeJSON(w, http.StatusOK, Triggered{
		Status: "triggered", Message: "Pipeline execution started",
		RunID: run.ID, Pipeline: run.Pipeline, Timestamp: at.UTC().Truncate(time.Second),
	})
}

// readBody reads a whole body within MaxBody; when it gives false, the request
// has been answered.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		s.writeError(w, r, newFault(http.StatusUnsupportedMediaType, CodeMediaType,
			"the content encoding %s is not known; send the body as it is", shown(e)))
		return nil, false
	}
	if r.ContentLength > MaxBody {
		s.tooLarge(w, r, bodyTooLarge)
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		s.badBody(w, r, err, bodyTooLarge)
	}
	return body, err == nil
}

// badBody answers a request whose body can't be read to its end.
func (s *Server) badBody(w http.ResponseWriter, r *http.Request, err error, tooLarge *fault) {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		s.tooLarge(w, r, tooLarge)
		return
	}
	f := invalid("the body did not arrive whole: %v; send it again", err)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		f = newFault(http.StatusRequestTimeout, CodeTimeout, "the body did not arrive within %v; send it again", s.limits.read)
	}
	w.Header().Set("Connection", "close")
	s.writeError(w, r, f)
}

// The answers to bodies above their bound.
var (
	bodyTooLarge = newFault(http.StatusRequestEntityTooLarge, CodeTooLarge,
		"the body is larger than the %d bytes that are taken; a pipeline that long belongs into a repository", MaxBody)
	hookTooLarge = newFault(http.StatusRequestEntityTooLarge, CodeTooLarge, "the body is larger than the %d bytes that are taken", MaxHook)
)

// tooLarge refuses a body and then reads for a moment past it, keeping nothing:
// a caller that sends first and reads afterwards would else see its connection
// reset instead of the answer. One that waits for `100 Continue` sends nothing.
func (s *Server) tooLarge(w http.ResponseWriter, r *http.Request, f *fault) {
	w.Header().Set("Connection", "close")
	s.writeError(w, r, f)
	rc := http.NewResponseController(w)
	if rc.Flush() != nil || r.Header.Get("Expect") != "" {
		return
	}
	if rc.SetReadDeadline(time.Now().Add(s.limits.linger)) == nil {
		io.Copy(io.Discard, r.Body)
	}
}

// checkName bounds what a caller gives as a name, an id or a reason.
func checkName(what, v string) *fault {
	if len(v) > MaxName {
		return invalid("%s is longer than %d bytes; shorten it", what, MaxName)
	}
	if strings.ContainsFunc(v, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\uFFFD' }) {
		return invalid("%s has a character that can't be printed; leave it away", what)
	}
	return nil
}
