package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/abide-agent/abide/internal/api"
	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/runner"
)

func TestMain(m *testing.M) {
	os.Unsetenv(tokenEnv)
	goleak.VerifyTestMain(m)
}

// agent answers what the tests of a method need; whatever else is called panics.
type agent struct {
	api.Agent
	mu    sync.Mutex
	calls []string
	err   error
}

func (a *agent) note(format string, args ...any) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, fmt.Sprintf(format, args...))
	return a.err
}

func (a *agent) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = err
}

func (a *agent) Trigger(_ context.Context, r api.TriggerRequest) (runner.Run, error) {
	return runner.Run{ID: "r1", Pipeline: r.Name}, a.note("trigger %s as %q", r.Body, r.Name)
}

func (a *agent) Runs(_ context.Context, q api.RunQuery) ([]runner.Run, string, error) {
	return []runner.Run{{ID: "r1"}}, "n", a.note("runs %+v", q)
}

func (a *agent) Run(_ context.Context, id string) (runner.Run, error) {
	return runner.Run{ID: id, State: runner.Succeeded}, a.note("run %s", id)
}
func (a *agent) Cancel(_ context.Context, id, _ string) error { return a.note("cancel %s", id) }
func (a *agent) Sources(context.Context) ([]reconcile.SourceStatus, error) {
	return []reconcile.SourceStatus{{Name: "app"}}, a.note("sources")
}

func (a *agent) Plan(context.Context) (reconcile.Plan, error) {
	return reconcile.Plan{Changes: []reconcile.Change{{Name: "build", Operation: reconcile.OpRun}}}, a.note("plan")
}

func (a *agent) Resources(_ context.Context, q api.ResourceQuery) ([]reconcile.ResourceStatus, error) {
	return []reconcile.ResourceStatus{{State: "ready"}}, a.note("resources %+v", q)
}
func (a *agent) Retry(_ context.Context, name, _ string) error { return a.note("retry %s", name) }
func (a *agent) Suspend(_ context.Context, source, reason, _ string) error {
	return a.note("suspend %q: %s", source, reason)
}

func (a *agent) Resume(_ context.Context, source, _ string) error {
	return a.note("resume %q", source)
}

func (a *agent) Health(context.Context) reconcile.Health { return reconcile.Health{Status: "healthy"} }

// start serves the API for an agent on loopback and on a Unix socket.
func start(t *testing.T, a api.Agent, tokens ...api.Token) (tcp, socket string) {
	t.Helper()
	s, err := api.New(api.Options{Agent: a, Events: http.NotFoundHandler(), Version: "1.2.3", Tokens: tokens})
	if err != nil {
		t.Fatal(err)
	}
	tl, err := api.ListenTCP(t.Context(), "127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(t.TempDir(), "abide.sock")
	ul, err := api.ListenUnix(socket)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 2)
	go func() { done <- s.Serve(tl) }()
	go func() { done <- s.Serve(ul) }()
	t.Cleanup(func() {
		_ = s.Shutdown(context.Background())
		if err := errors.Join(<-done, <-done); err != nil {
			t.Error(err)
		}
	})
	return tl.Addr().String(), socket
}

func connect(t *testing.T, server string, opts ...Option) *Client {
	t.Helper()
	c, err := New(server, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestEveryCall(t *testing.T) {
	t.Parallel()
	a := &agent{}
	tcp, socket := start(t, a)
	for _, server := range []string{
		"http://" + tcp, tcp, "http://" + tcp + "/", "unix://" + socket, socket,
		"http+unix://" + strings.ReplaceAll(socket, "/", "%2F"),
	} {
		a.mu.Lock()
		a.calls = nil
		a.mu.Unlock()
		c, ctx := connect(t, server), t.Context()
		var errs []error
		check := func(err error, ok bool) {
			t.Helper()
			if err != nil || !ok {
				errs = append(errs, fmt.Errorf("%s: %v %t", server, err, ok))
			}
		}
		info, err := c.Info(ctx)
		check(err, info.Version == "1.2.3")
		health, err := c.Health(ctx)
		check(err, health.Status == "healthy")
		version, err := c.Version(ctx)
		check(err, version.Version == "1.2.3")
		triggered, err := c.Trigger(ctx, []byte("workflow: []"), "nightly build")
		check(err, triggered.RunID == "r1" && triggered.Pipeline == "nightly build")
		runs, err := c.Runs(ctx, api.RunQuery{After: "a", Limit: 3, Pipeline: "p/q", State: "failed"})
		check(err, len(runs.Runs) == 1 && runs.Next == "n")
		run, err := c.Run(ctx, "r 1/%2F")
		check(err, run.ID == "r 1/%2F")
		check(c.Cancel(ctx, "r1"), true)
		sources, err := c.Sources(ctx)
		check(err, len(sources) == 1)
		plan, err := c.Plan(ctx)
		check(err, plan.Pending() == 1)
		resources, err := c.Resources(ctx, api.ResourceQuery{Kind: "pipeline"})
		check(err, len(resources) == 1)
		check(c.Retry(ctx, "pipeline", "nightly/build"), true)
		check(c.Retry(ctx, "", "build"), true)
		check(c.Suspend(ctx, "app", "freeze"), true)
		check(c.Suspend(ctx, "", "all"), true)
		check(c.Resume(ctx, "app"), true)
		check(c.Resume(ctx, ""), true)
		for _, err := range errs {
			t.Error(err)
		}
		want := []string{
			`trigger workflow: [] as "nightly build"`, "runs {After:a Limit:3 Pipeline:p/q State:failed}", "run r 1/%2F",
			"cancel r1", "sources", "plan", "resources {Kind:pipeline Source: State: Name:}", "retry pipeline/nightly/build", "retry build",
			`suspend "app": freeze`, `suspend "": all`, `resume "app"`, `resume ""`,
		}
		a.mu.Lock()
		got := a.calls
		a.mu.Unlock()
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", server, d)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	a := &agent{err: problem.List{
		{Severity: problem.Error, File: "p.yaml", Line: 2, Column: 3, Message: "first", Hint: "do this"},
		{Severity: problem.Error, Message: "second"},
	}}
	tcp, _ := start(t, a)
	c := connect(t, tcp)
	_, err := c.Trigger(t.Context(), []byte("x"), "")
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Status != 400 || e.Code != api.CodeValidation || len(e.Problems) != 2 || !IsStatus(err, 400) ||
		!strings.Contains(err.Error(), "p.yaml:2:3: first; do this\nsecond") {
		t.Errorf("%#v %v", e, err)
	}
	a.fail(a.err.(problem.List)[:1])
	if _, err := c.Trigger(t.Context(), []byte("x"), ""); err.Error() != "Pipeline validation failed: first; do this" {
		t.Error(err)
	}
	a.fail(fmt.Errorf("Docker is away: %w", reconcile.ErrUnavailable))
	if _, err := c.Trigger(t.Context(), []byte("x"), ""); !IsStatus(err, 503) || err.Error() != "Docker is away: not available now" {
		t.Error(err)
	}
	if _, err := c.Trigger(t.Context(), nil, ""); !IsStatus(err, 400) {
		t.Error(err)
	}
}

func TestOtherServers(t *testing.T) {
	t.Parallel()
	for body, status := range map[string]int{"<html>hello</html>": 200, "not found": 404, "{}": 500, `{"error":"x"}`: 400} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
		_, err := connect(t, s.URL).Health(t.Context())
		if err == nil || !strings.Contains(err.Error(), "abide daemon") || !strings.Contains(err.Error(), "--server") {
			t.Errorf("%s: %v", body, err)
		}
		s.Close()
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(nil)
	s.Close()
	for _, server := range []string{s.URL, "http://user:hunter2@" + strings.TrimPrefix(s.URL, "http://"), "unix:///nowhere/abide.sock"} {
		_, err := connect(t, server, Token("secret-token-0123456789")).Health(t.Context())
		u, ok := errors.AsType[*Unreachable](err)
		if !ok || !strings.HasPrefix(err.Error(), "can't reach the daemon at "+u.Server+" (") ||
			!strings.Contains(err.Error(), "start it with `abide apply --daemon`") {
			t.Errorf("%s: %v", server, err)
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "secret") {
			t.Errorf("a secret is in %q", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := connect(t, s.URL).Health(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that gave up: %v", err)
	}
}

func TestServerAddresses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"http://127.0.0.1:8081": "http://127.0.0.1:8081", "localhost:8081": "http://localhost:8081",
		"https://ci.example.com/abide/": "https://ci.example.com/abide", "[::1]:8081": "http://[::1]:8081",
		"https://u:p@ci.example.com": "https://ci.example.com", "unix:///run/a.sock": "unix:///run/a.sock",
		"/run/a.sock": "unix:///run/a.sock", "http+unix://%2Frun%2Fa.sock": "unix:///run/a.sock",
		"": "", "ftp://x": "", "unix://relative": "", "http://": "", "http+unix://%zz": "", "http://a b:hunter2@": "",
	} {
		c, err := New(in)
		if want == "" {
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q: %v", in, err)
			}
			continue
		}
		if err != nil || c.Server() != want {
			t.Errorf("%q: %v, %v", in, c, err)
		}
	}
}

func TestCredentials(t *testing.T) { // no t.Parallel: it sets the environment
	var mu sync.Mutex
	var got string
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = r.Header.Get("Authorization")
	}))
	defer s.Close()
	withUser := strings.Replace(s.URL, "://", "://user:pw@", 1)
	for _, c := range []struct {
		server, env, want string
		opts              []Option
	}{
		{s.URL, "", "", nil},
		{s.URL, "from-env", "Bearer from-env", nil},
		{s.URL, "from-env", "Bearer given", []Option{Token("given")}},
		{s.URL, "from-env", "Bearer from-env", []Option{Token("")}},
		{withUser, "", "Basic dXNlcjpwdw==", nil},
		{withUser, "from-env", "Bearer from-env", nil},
	} {
		t.Setenv(tokenEnv, c.env)
		client := connect(t, c.server, c.opts...)
		client.Health(t.Context())
		client.Close()
		mu.Lock()
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
		mu.Unlock()
	}
}
