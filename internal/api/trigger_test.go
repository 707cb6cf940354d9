package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/runner"
)

func TestTriggerAnswersAsTheReference(t *testing.T) {
	t.Parallel()
	a := &fakeAgent{}
	url := "http://" + serve(t, newServer(t, a)) + "/trigger"
	for _, contentType := range []string{"application/yaml", "application/x-yaml", "text/plain", "application/x-www-form-urlencoded", "application/json", "nonsense", ""} {
		headers := []string{"Content-Type: " + contentType}
		if contentType == "" {
			headers = nil
		}
		r := ask(t, "POST", url+"?name=nightly", pipelineYAML, headers...)
		want := `{"status":"triggered","message":"Pipeline execution started","pipeline_id":"run-1","pipeline":"hello","timestamp":"2026-01-15T10:30:00Z"}`
		if r.status != 200 || string(jsonOf(t, r)) != want {
			t.Errorf("%s: %d %s", contentType, r.status, r.body)
		}
		if got := r.header.Get("Location"); got != "/v1/runs/run-1" {
			t.Errorf("Location %q", got)
		}
	}
	want := fmt.Sprintf(`trigger %d bytes, name "nightly", by uid %d`, len(pipelineYAML), os.Geteuid())
	for _, c := range a.called() {
		if c != want {
			t.Errorf("the agent was asked to %s, want %s", c, want)
		}
	}
}

// TestTriggerPassesTheBodyOn: what pin died of, a lone quote in a condition,
// and bytes that are no text at all, reach the agent as they are.
func TestTriggerPassesTheBodyOn(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"workflow: [a]\na: {image: x, condition: '\"'}\n", "\x00\xff\xfe", "a: &a [*a]", strings.Repeat("x", MaxBody)} {
		var got []byte
		a := &fakeAgent{trigger: func(r TriggerRequest) (runner.Run, error) {
			got = r.Body
			return runner.Run{ID: "r"}, nil
		}}
		r := askRoot(newServer(t, a), "POST", "/trigger", strings.NewReader(body))
		if r.status != 200 || string(got) != body {
			t.Errorf("%d, body %.40q", r.status, got)
		}
	}
}

func TestErrorsOfTheAgent(t *testing.T) {
	t.Parallel()
	one := problem.List{{Severity: problem.Error, Job: "build", Field: "image", Message: "either 'image' or 'dockerfile' must be specified"}}
	two := append(problem.List{{Severity: problem.Warning, Message: "unknown key"}}, one...)
	two = append(two, problem.Problem{Severity: problem.Error, File: "p.yaml", Line: 3, Column: 5, Message: "docker.host is not allowed here", Rule: "docker.host"})
	for _, c := range []struct {
		err    error
		status int
		body   string
	}{
		{one, 400, `{"error":"validation_failed","message":"Pipeline validation failed: either 'image' or 'dockerfile' must be specified","details":{"job":"build","field":"image","errors":[{"severity":"error","job":"build","field":"image","message":"either 'image' or 'dockerfile' must be specified"}]}}`},
		{fmt.Errorf("triggering: %w", two), 400, `{"error":"validation_failed","message":"Pipeline validation failed: either 'image' or 'dockerfile' must be specified (and 1 more problem)","details":{"job":"build","field":"image","errors":[{"severity":"error","job":"build","field":"image","message":"either 'image' or 'dockerfile' must be specified"},{"severity":"error","file":"p.yaml","line":3,"column":5,"message":"docker.host is not allowed here","rule":"docker.host"}]}}`},
		{problem.List{}, 400, `{"error":"validation_failed","message":"Pipeline validation failed: the pipeline is not valid","details":{"errors":[{"severity":"error","message":"the pipeline is not valid"}]}}`},
		{fmt.Errorf("the queue is full: %w", reconcile.ErrBusy), 429, `{"error":"busy","message":"the queue is full: too much is waiting"}`},
		{fmt.Errorf("Docker is away: %w", reconcile.ErrUnavailable), 503, `{"error":"unavailable","message":"Docker is away: not available now"}`},
		{fmt.Errorf("x: %w", reconcile.ErrConflict), 409, `{"error":"conflict","message":"x: conflicts with the present state"}`},
		{fmt.Errorf("x: %w", reconcile.ErrInvalid), 400, `{"error":"bad_request","message":"x: not a valid request"}`},
		{fmt.Errorf("x: %w", reconcile.ErrNotFound), 404, `{"error":"not_found","message":"x: not found"}`},
		{errors.New("disk on fire"), 500, `{"error":"internal_error","message":"disk on fire"}`},
	} {
		a := &fakeAgent{trigger: func(TriggerRequest) (runner.Run, error) { return runner.Run{}, c.err }}
		r := askRoot(newServer(t, a), "POST", "/trigger", strings.NewReader(pipelineYAML))
		if r.status != c.status {
			t.Errorf("%v: %d, want %d", c.err, r.status, c.status)
		}
		if d := cmp.Diff(c.body, string(jsonOf(t, r))); d != "" {
			t.Errorf("%v: %s", c.err, d)
		}
		if (r.status == 429 || r.status == 503) != (r.header.Get("Retry-After") != "") {
			t.Errorf("%d with Retry-After %q", r.status, r.header.Get("Retry-After"))
		}
	}
}

func TestTriggerRefusals(t *testing.T) {
	t.Parallel()
	a := &fakeAgent{}
	url := "http://" + serve(t, newServer(t, a)) + "/trigger"
	for _, c := range []struct {
		name, method, query, body string
		header                    string
		status                    int
		code                      string
	}{
		{"empty", "POST", "", "", "", 400, CodeValidation},
		{"blank", "POST", "", " \n\t", "", 400, CodeValidation},
		{"too large", "POST", "", strings.Repeat("x", MaxBody+1), "", 413, CodeTooLarge},
		{"compressed", "POST", "", "xx", "Content-Encoding: gzip", 415, CodeMediaType},
		{"long name", "POST", "?name=" + strings.Repeat("x", MaxName+1), pipelineYAML, "", 400, CodeInvalid},
		{"name with a newline", "POST", "?name=a%0Ab", pipelineYAML, "", 400, CodeInvalid},
		{"GET", "GET", "", "", "", 405, CodeMethod},
		{"PUT", "PUT", "", "x", "", 405, CodeMethod},
		{"odd method", "BREW", "", "", "", 405, CodeMethod},
	} {
		var headers []string
		if c.header != "" {
			headers = append(headers, c.header)
		}
		r := ask(t, c.method, url+c.query, c.body, headers...)
		var body ErrorBody
		if err := json.Unmarshal(jsonOf(t, r), &body); err != nil {
			t.Fatal(err)
		}
		if r.status != c.status || body.Code != c.code || body.Message == "" {
			t.Errorf("%s: %d %s", c.name, r.status, r.body)
		}
		if r.status == 405 && r.header.Get("Allow") != "OPTIONS, POST" {
			t.Errorf("%s: Allow %q", c.name, r.header.Get("Allow"))
		}
	}
	if calls := a.called(); len(calls) != 0 {
		t.Errorf("the agent was asked: %v", calls)
	}
}

// askRoot asks without a network, as root on loopback.
func askRoot(s *Server, method, path string, body io.Reader) reply {
	rec := callBody(s, admin, method, path, body)
	return reply{rec.Code, rec.Header(), rec.Body.String()}
}
