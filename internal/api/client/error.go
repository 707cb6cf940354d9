package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/abide-agent/abide/internal/api"
	"github.com/abide-agent/abide/internal/problem"
)

// Error is an answer of the agent that is not a success.
type Error struct {
	Status   int    // of HTTP
	Code     string // one of api's codes; "" when the answer was not the agent's
	Message  string
	Problems problem.List // all faults of a pipeline that was refused
}

// Error gives the message, and below it every problem when there are several.
func (e *Error) Error() string {
	if len(e.Problems) == 0 {
		return e.Message
	}
	if len(e.Problems) == 1 {
		if hint := e.Problems[0].Hint; hint != "" {
			return e.Message + "; " + hint
		}
		return e.Message
	}
	return e.Message + "\n" + e.Problems.Error()
}

// IsStatus says whether err is an answer with that status.
func IsStatus(err error, status int) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == status
}

// Unreachable means that no answer came.
type Unreachable struct {
	Server string
	Err    error
}

func (e *Unreachable) Error() string {
	if errors.Is(e.Err, syscall.EACCES) {
		return fmt.Sprintf("this user may not use the daemon's socket %s; use the port and a token instead, or ask for access to the socket", e.Server)
	}
	return fmt.Sprintf("can't reach the daemon at %s (%v); start it with `abide apply --daemon`, or name another with --server", e.Server, e.Err)
}

// Unwrap gives the cause.
func (e *Unreachable) Unwrap() error { return e.Err }

// unreachable tells a caller that gave up from an agent that is away. The URL
// in net/http's error is left out: the server's name says enough.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return &Unreachable{Server: c.server, Err: err}
}

// fleetError gives the message of an error as fleet's API words it, or "".
func fleetError(b []byte) string {
	var body struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(b, &body) != nil {
		return "" // ours: there `error` is a word
	}
	return body.Error.Message
}

// maxError bounds how much of an error's answer is read.
const maxError = 4 << 20

func (c *Client) readError(resp *http.Response) error {
	e := &Error{Status: resp.StatusCode}
	b, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
	if fleet := fleetError(b); fleet != "" {
		e.Message = fleet
		return e
	}
	var body api.ErrorBody
	if json.Unmarshal(b, &body) != nil || body.Code == "" || body.Message == "" {
		e.Message = fmt.Sprintf("%s answered %s, not as an abide daemon does; check the address given with --server",
			c.server, strings.ToLower(resp.Status))
		return e
	}
	e.Code, e.Message = body.Code, body.Message
	if body.Details != nil {
		e.Problems = body.Details.Errors
	}
	return e
}
