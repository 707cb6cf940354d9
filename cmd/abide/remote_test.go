package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/api"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/runner"
)

// daemon is a server that answers as the API does, with one run of each kind.
func daemon(t *testing.T) (c command, asked *[]string) {
	t.Helper()
	asked = &[]string{}
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	runs := map[string]runner.Run{}
	for id, state := range map[string]runner.State{"good": runner.Succeeded, "bad": runner.Failed, "busy": runner.Running} {
		r := runner.Run{ID: id, Pipeline: "hello", State: state, Cause: runner.CauseChange, Created: began, Started: began, Jobs: []runner.JobRun{}}
		if state.Final() {
			r.Ended = began.Add(90 * time.Second)
		}
		runs[id] = r
	}
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	refuse := func(w http.ResponseWriter, status int, code, message string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":%q,"message":%q}`, code, message)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/runs", func(w http.ResponseWriter, r *http.Request) {
		page := api.Runs{Runs: []runner.Run{runs["bad"], runs["good"]}}
		if p := r.URL.Query().Get("pipeline"); p != "" && p != "hello" {
			page.Runs = []runner.Run{}
		}
		answer(w, page)
	})
	mux.HandleFunc("GET /v1/runs/{id}", func(w http.ResponseWriter, r *http.Request) {
		run, ok := runs[r.PathValue("id")]
		if !ok {
			refuse(w, 404, "not_found", "there is no run "+r.PathValue("id"))
			return
		}
		answer(w, run)
	})
	stream := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: {\"type\":\"connection\",\"level\":\"info\",\"message\":\"hi\",\"timestamp\":\"2026-01-02T03:04:05Z\"}\n\n")
		fmt.Fprint(w, "id: 7\ndata: {\"type\":\"log\",\"level\":\"info\",\"message\":\"hello\",\"job\":\"build\",\"run\":\"good\",\"stream\":\"stdout\",\"timestamp\":\"2026-01-02T03:04:05Z\"}\n\n")
	}
	mux.HandleFunc("GET /v1/runs/{id}/logs", stream)
	mux.HandleFunc("GET /v1/plan", func(w http.ResponseWriter, _ *http.Request) { answer(w, reconcile.Plan{}) })
	mux.HandleFunc("GET /v1/sources", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, api.Sources{Sources: []reconcile.SourceStatus{{Name: "app", Type: "git", Location: "/srv/app"}}})
	})
	mux.HandleFunc("GET /v1/resources", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, api.Resources{Resources: []reconcile.ResourceStatus{{Record: reconcile.Record{Kind: "pipeline", Name: "hello"}, State: "ready"}}})
	})
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { answer(w, api.Health{Status: "healthy", Uptime: "3s"}) })
	mux.HandleFunc("POST /trigger", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("name") == "refused" {
			refuse(w, 400, "validation_failed", "Pipeline validation failed: no workflow")
			return
		}
		answer(w, api.Triggered{Status: "triggered", RunID: "bad"})
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { answer(w, api.Accepted{Status: "accepted"}) })
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return command{app: &fakeApp{}, env: map[string]string{"ABIDE_SERVER": s.URL}}, asked
}

func TestAskingADaemon(t *testing.T) {
	t.Parallel()
	c, asked := daemon(t)
	file := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(file, []byte("workflow: [a]"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args string
		code int
		want string
	}{
		{"runs", 0, "bad   hello     failed     change  "},
		{"runs --json", 0, `"runs": [`},
		{"runs --pipeline none", 0, "No runs."},
		{"logs good", 0, "[build] hello"},
		{"logs good -f", 0, "[build] hello"},
		{"logs bad", 1, "[build] hello"},
		{"logs busy", 0, "[build] hello"},
		{"logs hello", 1, "[build] hello"}, // the newest of the pipeline
		{"logs good --json", 0, `"id":7,`},
		{"logs none", 1, "there is no run none"},
		{"trigger " + file, 0, "bad"},
		{"trigger " + file + " --wait", 1, "[build] hello"},
		{"trigger - --name refused", 1, "Pipeline validation failed"},
		{"trigger /nope.yaml", 1, "no such file"},
		{"cancel busy", 0, "is being cancelled"},
		{"status", 0, "pipeline/hello"},
		{"status --json", 0, `"status": "healthy"`},
		{"plan", 0, "Nothing to do."},
		{"retry team/hello", 0, "is tried again"},
		{"suspend app --reason freeze", 0, "app is held"},
		{"resume", 0, "The agent goes on"},
	} {
		c.expect(t, tc.code, tc.want, strings.Fields(tc.args)...)
	}
	all := strings.Join(*asked, "\n")
	for _, want := range []string{"DELETE /v1/runs/busy", "POST /v1/resources/-/team/hello/retry", "POST /v1/sources/app/suspend", "POST /v1/resume"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q was never asked; asked was\n%s", want, all)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ env, flags, want string }{
		{"from-env", "", "from-env"},
		{"from-env", "--token from-flag", "from-flag"},
		{"from-env", "--token-file " + file, "from-file"},
	} {
		c, asked := daemon(t)
		c.env["ABIDE_TOKEN"] = tc.env
		c.expect(t, 0, "", strings.Fields("runs "+tc.flags)...)
		if want := "GET /v1/runs Bearer " + tc.want; len(*asked) != 1 || (*asked)[0] != want {
			t.Errorf("asked %q, want %q", *asked, want)
		}
	}
	command{}.expect(t, 1, "the token can't be read", "runs", "--token-file", "/nope")
}

// Without a daemon the durable state is changed directly, unless a daemon was
// asked for by name.
func TestEditingWithoutADaemon(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	app := &fakeApp{}
	command{app: app, env: map[string]string{"ABIDE_SERVER": closed.URL}}.expect(t, 1, "can't reach the daemon", "retry", "x")
	if len(app.edited) != 0 {
		t.Errorf("edited %v", app.edited)
	}
	c := command{app: app}
	c.expect(t, 0, "is tried again", "retry", "build", "--state", "/s")
	c.expect(t, 0, "is held", "suspend", "app", "--state", "/s", "--reason", "why")
	if len(app.edited) != 2 || app.edited[0].Edit != editRetry || app.edited[0].Settings.State != "/s" || app.edited[1].Reason != "why" {
		t.Errorf("edited %+v", app.edited)
	}
}

func TestSplitKind(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"build": "|build", "pipeline/build": "pipeline|build", "team/build": "|team/build", "unit": "|unit"} {
		if kind, name := splitKind(in); kind+"|"+name != want {
			t.Errorf("%s: %s|%s", in, kind, name)
		}
	}
}
