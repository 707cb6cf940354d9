package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testimage"
	"github.com/abide-agent/abide/runner"
)

// refusal is the shape of an error in pin's API reference.
type refusal struct {
	Error   string `json:"error"`
	Message string `json:"message"`
	Details struct {
		Job    string            `json:"job"`
		Field  string            `json:"field"`
		Errors []json.RawMessage `json:"errors"`
	} `json:"details"`
}

// trigger posts a pipeline and gives the answer, its body decoded into out.
func (d *daemon) trigger(body string, out any) *http.Response {
	d.t.Helper()
	resp, err := http.Post(d.url("/trigger"), "application/yaml", strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(text, out)
	}
	if err != nil {
		d.t.Fatalf("%s: %v\n%s", resp.Status, err, text)
	}
	return resp
}

// TestTrigger: a pipeline that is posted runs, and the answer is the
// reference's.
func TestTrigger(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	d := newDaemon(t)
	d.start()
	var got map[string]any
	resp := d.trigger(one(image, "echo hi"), &got)
	if resp.StatusCode != http.StatusOK || got["status"] != "triggered" || got["message"] != "Pipeline execution started" {
		t.Errorf("%s %v", resp.Status, got)
	}
	if at, err := time.Parse(time.RFC3339, got["timestamp"].(string)); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("timestamp %v: %v", got["timestamp"], err)
	}
	run := d.waitRuns(1)[0]
	if run.ID != got["pipeline_id"] || run.State != runner.Succeeded || resp.Header.Get("Location") != "/v1/runs/"+run.ID {
		t.Errorf("the run is %s %s, Location %q, the answer %v", run.ID, run.State, resp.Header.Get("Location"), got)
	}

	// As curl sends a file without -H.
	resp, err := http.Post(d.url("/trigger"), "application/x-www-form-urlencoded", strings.NewReader(one(image, "echo hi")))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("curl's own content type: %s", resp.Status)
	}
	d.waitRuns(2)

	for _, method := range []string{"GET", "PUT", "DELETE", "PATCH"} {
		req, err := http.NewRequestWithContext(t.Context(), method, d.url("/trigger"), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "OPTIONS, POST" {
			t.Errorf("%s: %s, Allow %q", method, resp.Status, resp.Header.Get("Allow"))
		}
	}
	if status := d.ask("GET", "/trigger/", ""); status != http.StatusNotFound {
		t.Errorf("/trigger/: %d", status)
	}
}

// TestTriggerRefuses: what can't run is refused with the reference's shape,
// nothing of it is recorded, and the agent goes on.
func TestTriggerRefuses(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	d := newDaemon(t)
	d.start()
	job := func(fields string) string { return "workflow: [build]\nbuild:\n" + fields }
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	for _, c := range []struct {
		name, body string
		message    string // a part of it
		job, field string
		problems   int
	}{
		{
			"the example of the reference", job("  script: [echo hi]\n"),
			"Pipeline validation failed: either 'image' or 'dockerfile' must be specified", "build", "image", 1,
		},
		{"no YAML", "workflow: [a\n  b: }", "", "", "", 1},
		{"a tab", "workflow:\n\t- a\n", "", "", "", 1},
		{"empty", "", "the request has no body", "", "workflow", 1},
		{"blank", " \n\n", "the request has no body", "", "workflow", 1},
		{"a comment alone", "# nothing\n", "", "", "", 1},
		{"no workflow", "build: {image: x}\n", "workflow", "", "workflow", 1},
		{"binary", "\x00\x01\x02\xff\xfe" + strings.Repeat("\x00\xff", 100), "", "", "", 1},
		{"a list", "[1, 2]", "", "", "", 1},
		{"a text", "hello", "", "", "", 1},
		{"an alias bomb", bomb + "workflow: *a9\n", "", "", "", 1},
		{"deep", "workflow: " + strings.Repeat("[", 10_000), "", "", "", 1},
		{"wrong types", job("  image: {a: b}\n  script: 5\n  parallel: maybe\n  retry: [1]\n  port: {}\n"), "", "build", "image", 5},
		{"a near miss", job("  image: " + image + "\n  scripts: [echo hi]\n"), "scripts", "build", "scripts", 1},
		{"a wrong condition", job("  image: " + image + "\n  condition: '\"'\n"), "", "build", "condition", 1},
		{"a dockerfile", job("  dockerfile: /etc/passwd\n"), "dockerfile", "build", "dockerfile", 1},
		{"copied files", job("  image: " + image + "\n  copyFiles: true\n"), "copyFiles", "build", "copyFiles", 1},
		{"another engine", "docker: {host: 'tcp://attacker.example:2375'}\n" + job("  image: "+image+"\n"), "docker.host", "", "docker.host", 1},
	} {
		var got refusal
		resp := d.trigger(c.body, &got)
		if resp.StatusCode != http.StatusBadRequest || got.Error != "validation_failed" || !strings.HasPrefix(got.Message, "Pipeline validation failed: ") || !strings.Contains(got.Message, c.message) {
			t.Errorf("%s: %s %+v", c.name, resp.Status, got)
		}
		if c.job != got.Details.Job || c.field != "" && c.field != got.Details.Field || len(got.Details.Errors) < c.problems {
			t.Errorf("%s: details %+v, %d problems", c.name, got.Details, len(got.Details.Errors))
		}
		if strings.ContainsFunc(got.Message, func(r rune) bool { return r < ' ' || r == 0xFFFD }) || len(got.Message) > 600 {
			t.Errorf("%s: the message is not fit for people: %q", c.name, got.Message)
		}
	}
	var exact refusal
	d.trigger(job("  script: [echo hi]\n"), &exact)
	if exact.Message != "Pipeline validation failed: either 'image' or 'dockerfile' must be specified" {
		t.Errorf("the reference's example is answered with %q", exact.Message)
	}

	begin := time.Now()
	resp, err := http.Post(d.url("/trigger"), "application/yaml", bytes.NewReader(make([]byte, 100<<20)))
	if err != nil {
		t.Errorf("100 MB: %v", err)
	} else {
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge || time.Since(begin) > 5*time.Second {
			t.Errorf("100 MB: %s after %v", resp.Status, time.Since(begin))
		}
	}
	for _, header := range [][2]string{{"Origin", "http://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}} {
		if status, text := d.answer("POST", "/trigger", one(image, "echo"), header[0], header[1], "Content-Type", "application/yaml"); status != http.StatusForbidden {
			t.Errorf("%v: %d %s", header, status, text)
		}
	}
	if runs := d.runs(); len(runs) != 0 {
		t.Errorf("what was refused is recorded: %+v", runs)
	}
	d.trigger(one(image, "echo still well"), &map[string]any{})
	if run := d.waitRuns(1)[0]; run.State != runner.Succeeded {
		t.Errorf("after all that a run is %s: %s", run.State, run.Reason)
	}
}

// TestTriggerForeignHost: a name that a stranger's DNS points here is no way in.
func TestTriggerForeignHost(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	d := newDaemon(t)
	d.start()
	for _, c := range []struct{ method, path string }{{"POST", "/trigger"}, {"GET", "/events"}, {"GET", "/v1/runs"}} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, d.url(c.path), strings.NewReader(one(image, "echo")))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = fmt.Sprintf("evil.example:%d", d.port)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s: %s", c.method, c.path, resp.Status)
		}
	}
}

// TestTriggerWithoutEngine: an engine that is away is a 503, and nothing is
// recorded.
func TestTriggerWithoutEngine(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.env = []string{"DOCKER_HOST=unix:///nonexistent.sock"}
	d.start()
	var got refusal
	if resp := d.trigger(one("alpine", "echo hi"), &got); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" ||
		got.Error != "unavailable" || !strings.Contains(got.Message, "unix:///nonexistent.sock; start the engine") {
		t.Errorf("%s %+v", resp.Status, got)
	}
	if runs := d.runs(); len(runs) != 0 {
		t.Errorf("recorded: %+v", runs)
	}
	if out, code := d.cli("trigger", "-", "--server", d.url("")); code != 1 {
		t.Errorf("trigger of nothing: %d %s", code, out)
	}
	// It is told before any look at the engine when the pipeline is wrong.
	if resp := d.trigger("workflow: []", &got); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a wrong pipeline: %s", resp.Status)
	}
}

// TestUnknownImage: the run fails and says why, in the record, on /events and on
// the command line.
func TestUnknownImage(t *testing.T) {
	t.Parallel()
	testimage.Require(t)
	d := newDaemon(t)
	d.start()
	// A registry that nobody runs: no name has to be looked up.
	name := "127.0.0.1:1/abide/no-such-image:1"
	var got map[string]any
	d.trigger(one(name, "echo hi"), &got)
	run := d.waitRuns(1)[0]
	if run.State != runner.Failed || !strings.Contains(run.Reason, name) {
		t.Errorf("the run is %s: %s", run.State, run.Reason)
	}
	line := d.stream("?since=0&types=job_failed").wait("no-such-image")
	if !strings.Contains(line, "could not be pulled") || !strings.Contains(line, `"level":"error"`) {
		t.Errorf("the event: %s", line)
	}
	out, code := cli(t, nil, one(name, "echo hi"), "apply", "-f", "-")
	if code != 1 || !strings.Contains(out, "no-such-image") {
		t.Errorf("apply: %d %s", code, out)
	}
}
