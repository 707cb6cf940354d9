package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/reconcile"
)

// The codes of the `error` field. The list is append-only: clients decide by it.
const (
	CodeValidation   = "validation_failed"
	CodeInvalid      = "bad_request"
	CodeUnauthorized = "unauthorized"
	CodeForbidden    = "forbidden"
	CodeNotFound     = "not_found"
	CodeMethod       = "method_not_allowed"
	CodeTimeout      = "request_timeout"
	CodeConflict     = "conflict"
	CodeTooLarge     = "body_too_large"
	CodeMediaType    = "unsupported_media_type"
	CodeBusy         = "busy"
	CodeInternal     = "internal_error"
	CodeUnavailable  = "unavailable"
)

// ErrorBody is the JSON of every error: pin's documented shape.
type ErrorBody struct {
	Code    string        `json:"error"`
	Message string        `json:"message"`
	Details *ErrorDetails `json:"details,omitempty"`
}

// ErrorDetails is the first fault, as pin documents it, with all of them in Errors.
type ErrorDetails struct {
	Job    string       `json:"job,omitempty"`
	Field  string       `json:"field,omitempty"`
	File   string       `json:"file,omitempty"`
	Line   int          `json:"line,omitempty"`
	Column int          `json:"column,omitempty"`
	Hint   string       `json:"hint,omitempty"`
	Errors problem.List `json:"errors"`
}

// fault is an answer that is not a success.
type fault struct {
	status  int
	code    string
	message string
	details *ErrorDetails
	retry   int // seconds, for Retry-After
}

func (f *fault) Error() string { return f.message }

func newFault(status int, code, format string, args ...any) *fault {
	return &fault{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *fault {
	return newFault(http.StatusBadRequest, CodeInvalid, format, args...)
}

// validation gives the answer to faults in a pipeline.
func validation(list problem.List) *fault {
	faults := list.Errors()
	if len(faults) == 0 {
		faults = list
	}
	if len(faults) == 0 { // a List without an entry still is a refusal
		faults = problem.List{{Severity: problem.Error, Message: "the pipeline is not valid"}}
	}
	first := faults[0]
	message := "Pipeline validation failed: " + first.Message
	switch more := len(faults) - 1; {
	case more == 1:
		message += " (and 1 more problem)"
	case more > 1:
		message += " (and " + strconv.Itoa(more) + " more problems)"
	}
	return &fault{
		status: http.StatusBadRequest, code: CodeValidation, message: message,
		details: &ErrorDetails{
			Job: first.Job, Field: first.Field, File: first.File,
			Line: first.Line, Column: first.Column, Hint: first.Hint, Errors: faults,
		},
	}
}

// faultOf says how an error is answered.
func faultOf(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	if list, ok := errors.AsType[problem.List](err); ok {
		return validation(list)
	}
	message := err.Error()
	switch {
	case errors.Is(err, reconcile.ErrNotFound):
		return newFault(http.StatusNotFound, CodeNotFound, "%s", message)
	case errors.Is(err, reconcile.ErrInvalid):
		return newFault(http.StatusBadRequest, CodeInvalid, "%s", message)
	case errors.Is(err, reconcile.ErrConflict):
		return newFault(http.StatusConflict, CodeConflict, "%s", message)
	case errors.Is(err, reconcile.ErrBusy):
		f := newFault(http.StatusTooManyRequests, CodeBusy, "%s", message)
		f.retry = 1
		return f
	case errors.Is(err, reconcile.ErrUnavailable), errors.Is(err, context.Canceled),
		errors.Is(err, context.DeadlineExceeded):
		f := newFault(http.StatusServiceUnavailable, CodeUnavailable, "%s", message)
		f.retry = 5
		return f
	}
	return newFault(http.StatusInternalServerError, CodeInternal, "%s", message)
}

// refuse answers somebody who gets no further than the guard. A body that he
// may still be sending is not waited for: the connection closes instead.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, f *fault) {
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
	}
	s.writeError(w, r, f)
}

// writeError answers with err, in the one shape but for routes with their own.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	f := faultOf(err)
	if f.status >= http.StatusInternalServerError && r.Context().Err() == nil {
		s.log.Warn().Str("method", r.Method).Str("path", loggedPath(r)).Int("status", f.status).Msg(f.message)
	}
	h := w.Header()
	if f.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(f.retry))
	}
	if a, ok := w.(*answer); ok && a.fail != nil {
		a.fail(w, f.status, f.message)
		return
	}
	writeJSON(w, f.status, ErrorBody{Code: f.code, Message: f.message, Details: f.details})
}

// writeJSON answers with one JSON document and a newline, which is kind to curl.
func writeJSON(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		status = http.StatusInternalServerError
		b, _ = json.Marshal(ErrorBody{
			Code:    CodeInternal,
			Message: "the answer can't be written as JSON: " + strings.ToValidUTF8(err.Error(), "?"),
		})
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(b)+1))
	w.WriteHeader(status)
	w.Write(append(b, '\n')) // an error here means that the caller is gone
}
