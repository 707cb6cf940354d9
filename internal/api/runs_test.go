package api

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/runner"
)

func TestReading(t *testing.T) {
	t.Parallel()
	run := runner.Run{ID: "r1", Pipeline: "p", State: runner.Running, Created: began, Text: []byte("env: [PASSWORD=hunter2]")}
	a := &fakeAgent{runs: []runner.Run{run}, next: "r0", health: reconcile.Health{
		Status: "healthy", Started: began, Runs: 42, LastPipeline: began.Add(90 * time.Minute), Running: 1,
	}}
	s := newServer(t, a, func(o *Options) {
		o.Now = func() time.Time { return began.Add(2*time.Hour + 15*time.Minute + 30*time.Second) }
		o.Clients = func() int { return 3 }
	})
	const runJSON = `{"id":"r1","pipeline":"p","cause":"","state":"running","exit_code":0,"created":"2026-01-15T10:30:00Z","jobs":[]}`
	for path, want := range map[string]string{
		"/health":                         `{"status":"healthy","uptime":"2h 15m 30s","connected_clients":3,"last_pipeline":"2026-01-15T12:00:00Z","total_pipelines_executed":42,"running":1,"queued":0}`,
		"/v1/runs":                        `{"runs":[` + runJSON + `],"next":"r0"}`,
		"/v1/runs/r1":                     runJSON,
		"/v1/runs/nope":                   "404 run nope",
		"/v1/sources":                     `{"sources":[]}`,
		"/v1/resources":                   `{"resources":[]}`,
		"/v1/plan?rev=x":                  `{"created":"0001-01-01T00:00:00Z","sources":[],"changes":[]}`,
		"/v1/diff?source=app&from=a&to=b": `{"source":"app","from":"a","to":"b","changes":[]}`,
		"/v1/plan":                        `{"created":"0001-01-01T00:00:00Z","sources":[],"changes":[]}`,
		"/v1/version":                     `"version":"1.2.3"`,
		"/v1":                             "404",
		"/nope":                           "404 GET / lists",
		"/trigger/":                       "404",
		"/health/":                        "404",
		"/v1/runs/":                       "404",
		"/v1/runs?":                       `{"runs":[` + runJSON + `],"next":"r0"}`,
		"/v1/runs//logs":                  "301",
	} {
		r := askRoot(s, "GET", path, nil)
		got := r.body
		if r.status != 200 {
			got = fmt.Sprint(r.status, " ", r.body)
		}
		if r.status != 301 {
			jsonOf(t, r)
		}
		for part := range strings.SplitSeq(want, " ") {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %s, want %s", path, got, want)
			}
		}
	}
	for path, body := range map[string]string{"/health": "", "/": ""} {
		r := ask(t, "HEAD", "http://"+serve(t, newServer(t, a))+path, "")
		if r.status != 200 || r.body != body || r.header.Get("Content-Length") == "" {
			t.Errorf("HEAD %s: %d %v %q", path, r.status, r.header, r.body)
		}
	}
}

func TestInfoAsTheReference(t *testing.T) {
	t.Parallel()
	s := newServer(t, &fakeAgent{}, func(o *Options) { o.Now = func() time.Time { return began } })
	want := `{"service":"abide","version":"1.2.3","status":"running","endpoints":{` +
		`"/":"API information","/events":"Server-Sent Events stream","/health":"Health check and status",` +
		`"/trigger":"Trigger pipeline execution","/v1/diff":"What two revisions differ in","/v1/plan":"What would be done now","/v1/resources":"Resources and their state",` +
		`"/v1/runs":"Runs, newest first","/v1/sources":"Sources and their revisions"},"uptime":"0s","connected_clients":0}`
	if d := cmp.Diff(want, string(jsonOf(t, askRoot(s, "GET", "/", nil)))); d != "" {
		t.Error(d)
	}
	if r := askRoot(s, "GET", "/health", nil); !strings.Contains(r.body, `"last_pipeline":null`) {
		t.Errorf("before the first pipeline: %s", r.body)
	}
}

func TestUptime(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", -time.Second: "0s", 59 * time.Second: "59s", time.Minute: "1m 0s",
		time.Hour: "1h 0m 0s", 50*time.Hour + 1500*time.Millisecond: "50h 0m 1s",
	} {
		if got := formatUptime(d); got != want {
			t.Errorf("%v: %q", d, got)
		}
	}
}

func TestChanging(t *testing.T) {
	t.Parallel()
	by := fmt.Sprintf("by uid %d", 0)
	for _, c := range []struct{ method, path, body, want string }{
		{"DELETE", "/v1/runs/r%2F1", "", "cancel r/1 " + by},
		{"POST", "/v1/resources/pipeline/a/b/retry", "", "retry pipeline/a/b " + by},
		{"POST", "/v1/resources/pipeline/a%2Fb/retry", "", "retry pipeline/a/b " + by},
		{"POST", "/v1/resources/-/retry/retry", "", "retry retry " + by},
		{"POST", "/v1/sources/app/suspend", `{"reason":"deploy freeze"}`, `suspend "app" for "deploy freeze" ` + by},
		{"POST", "/v1/sources/app/rollback", `{"reason":"broken","revision":"v1"}`, `rollback app v1 broken ` + by},
		{"POST", "/v1/suspend", "", `suspend "" for "" ` + by},
		{"POST", "/v1/sources/app/resume", "{}", `resume "app" ` + by},
		{"POST", "/v1/resume", "", `resume "" ` + by},
		{"GET", "/v1/runs?limit=7&after=x&pipeline=p&state=failed", "", "runs {After:x Limit:7 Pipeline:p State:failed}"},
		{"GET", "/v1/runs", "", "runs {After: Limit:50 Pipeline: State:}"},
		{"GET", "/v1/resources?kind=k&source=s&state=t&name=n", "", "resources {Kind:k Source:s State:t Name:n}"},
	} {
		a := &fakeAgent{}
		r := askRoot(newServer(t, a), c.method, c.path, strings.NewReader(c.body))
		if r.status/100 != 2 {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.status, r.body)
		}
		if d := cmp.Diff([]string{c.want}, a.called()); d != "" {
			t.Errorf("%s %s: %s", c.method, c.path, d)
		}
		if c.method == "GET" {
			continue
		}
		a = &fakeAgent{err: fmt.Errorf("it ended: %w", reconcile.ErrConflict)}
		if r := askRoot(newServer(t, a), c.method, c.path, strings.NewReader(c.body)); r.status != 409 {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.status, r.body)
		}
	}
}

func TestBadParameters(t *testing.T) {
	t.Parallel()
	a := &fakeAgent{runs: []runner.Run{{ID: "r"}}}
	s := newServer(t, a)
	long := strings.Repeat("x", MaxName+1)
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/v1/runs?limit=0", ""},
		{"GET", "/v1/runs?limit=501", ""},
		{"GET", "/v1/runs?limit=x", ""},
		{"GET", "/v1/runs?state=done", ""},
		{"GET", "/v1/runs?after=" + long, ""},
		{"GET", "/v1/runs/" + long, ""},
		{"GET", "/v1/runs/a%00b", ""},
		{"DELETE", "/v1/runs/%ff", ""},
		{"GET", "/v1/resources?name=%0a", ""},
		{"POST", "/v1/resume", "not json"},
		{"POST", "/v1/suspend", `{"reason":"` + long + `"}`},
		{"POST", "/v1/sources/" + long + "/resume", ""},
		{"POST", "/v1/resources/" + long + "/x/retry", ""},
		{"POST", "/v1/resources/k/" + long + "/retry", ""},
		{"GET", "/v1/runs/r/logs?format=xml", ""},
		{"GET", "/v1/runs/r/logs?follow=perhaps", ""},
		{"GET", "/v1/runs/r/logs?after=-1", ""},
	} {
		r := askRoot(s, c.method, c.path, strings.NewReader(c.body))
		if r.status != 400 || !strings.Contains(r.body, CodeInvalid) {
			t.Errorf("%s %.60s: %d %s", c.method, c.path, r.status, r.body)
		}
	}
	if r := askRoot(s, "POST", "/v1/resources/k/n/explode", nil); r.status != 404 {
		t.Errorf("an unknown verb: %d", r.status)
	}
	if r := askRoot(s, "HEAD", "/events", nil); r.status != 405 {
		t.Errorf("HEAD of a stream: %d", r.status)
	}
}

func TestPanicIsOneRequestsFailure(t *testing.T) {
	t.Parallel()
	s := newServer(t, &fakeAgent{})
	s.Mount("/early", RoleNone, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }))
	s.Mount("/late", RoleNone, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("half an ans"))
		w.(http.Flusher).Flush()
		panic("boom")
	}))
	base := "http://" + serve(t, s)
	if r := ask(t, "GET", base+"/early", ""); r.status != 500 || !strings.Contains(r.body, CodeInternal) || strings.Contains(r.body, "boom") {
		t.Errorf("%d %s", r.status, r.body)
	}
	resp, err := http.Get(base + "/late")
	if err == nil {
		defer resp.Body.Close()
		_, err = resp.Body.Read(make([]byte, 64))
		for err == nil {
			_, err = resp.Body.Read(make([]byte, 64))
		}
	}
	if !strings.Contains(err.Error(), "EOF") || err.Error() == "EOF" {
		t.Errorf("half an answer ended with %v", err)
	}
	if r := ask(t, "GET", base+"/health", ""); r.status != 200 {
		t.Errorf("afterwards: %d", r.status)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}
