package forge

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const statusSecret = "ghp_the-token-of-the-statuses"

// fakeForge takes statuses as GitHub, Gitea and Forgejo do. It stands in for the
// network, so that it works on a bubble's clock.
type fakeForge struct {
	mu     sync.Mutex
	got    []string        // "STATE COMMIT" of what was taken
	asked  []time.Duration // when, since the first request
	began  time.Time
	bodies []map[string]string
	answer func(n int) (status int, header http.Header) // nil: everything is taken
}

func (f *fakeForge) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.began.IsZero() {
		f.began = time.Now()
	}
	f.asked = append(f.asked, time.Since(f.began))
	status, header := http.StatusCreated, http.Header{}
	if f.answer != nil {
		status, header = f.answer(len(f.asked))
	}
	if status == 0 {
		return nil, fmt.Errorf("connection refused by %s", r.URL.Host)
	}
	var body map[string]string
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, err
	}
	if r.Method != "POST" || r.Header.Get("Authorization") != "Bearer "+statusSecret || r.Header.Get("Content-Type") != "application/json" {
		status = http.StatusUnauthorized
	}
	before, commit, ok := strings.Cut(r.URL.Path, "/repos/team/app/statuses/")
	if !ok || before != "/api/v1" {
		status = http.StatusNotFound
	}
	if status/100 == 2 {
		f.got, f.bodies = append(f.got, body["state"]+" "+commit), append(f.bodies, body)
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(statusSecret)), Request: r}, nil
}

func (f *fakeForge) times() []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

func (f *fakeForge) taken() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got)
}

// report runs a test with a reporter in a bubble; notes are what it told.
func report(t *testing.T, f *fakeForge, token string, test func(r *Reporter, notes func() string)) {
	t.Helper()
	path := secretFile(t, token)
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []string
		client, err := newClient("")
		if err != nil {
			t.Fatal(err)
		}
		client.Transport = f
		r, err := NewReporter(ReporterOptions{
			Source: "app", API: "https://git.example.org/api/v1", Repository: "team/app", TokenFile: path, Context: "abide/here",
			Rand: func() float64 { return 0 }, Client: client,
			Note: func(s string) { mu.Lock(); told = append(told, s); mu.Unlock() },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Run(ctx)
		}()
		test(r, func() string { mu.Lock(); defer mu.Unlock(); return strings.Join(told, "\n") })
		cancel()
		<-done
	})
}

func expectTaken(t *testing.T, f *fakeForge, want ...string) {
	t.Helper()
	if got := f.taken(); !slices.Equal(got, want) {
		t.Errorf("the forge was told %q, want %q", got, want)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	f := &fakeForge{}
	report(t, f, statusSecret+"\n", func(r *Reporter, notes func() string) {
		time.Sleep(time.Hour)
		expectTaken(t, f)
		r.Set(Status{"aaaa", Pending, "pipeline x is running", "https://abide.example.org/v1/runs/1"})
		synctest.Wait()
		expectTaken(t, f, "pending aaaa")
		r.Set(Status{"aaaa", Success, strings.Repeat("long\n", 100), "https://abide.example.org/v1/runs/1"})
		time.Sleep(2 * time.Second)
		expectTaken(t, f, "pending aaaa", "success aaaa")
		for range 100 { // a scheduled run: it is told about once it fails
			r.Set(Status{"aaaa", Pending, "again", ""})
			r.Set(Status{"aaaa", Success, "again", ""})
		}
		r.Set(Status{"aaaa", Pending, "again", ""})
		time.Sleep(time.Hour)
		expectTaken(t, f, "pending aaaa", "success aaaa")
		r.Set(Status{"aaaa", Failure, "it failed", ""})
		time.Sleep(time.Hour)
		expectTaken(t, f, "pending aaaa", "success aaaa", "failure aaaa")
		r.Set(Status{"bbbb", Pending, "", ""})
		time.Sleep(time.Hour)
		r.Set(Status{"cccccccccccccccccc", Success, "", ""})
		time.Sleep(time.Hour)
		expectTaken(t, f, "pending aaaa", "success aaaa", "failure aaaa", "pending bbbb", "error bbbb", "success cccccccccccccccccc")
		if notes() != "" {
			t.Errorf("the operator was told %q", notes())
		}
	})
	if b := f.bodies[0]; b["context"] != "abide/here" || b["description"] != "pipeline x is running" || b["target_url"] != "https://abide.example.org/v1/runs/1" {
		t.Errorf("the forge was told %v", b)
	}
	if d := f.bodies[1]["description"]; len([]rune(d)) != maxDescription || strings.Contains(d, "\n") {
		t.Errorf("the description is %q", d)
	}
	if d := f.bodies[4]["description"]; d != "superseded by cccccccccccc" {
		t.Errorf("what took its place: %q", d)
	}
}

// TestLastStateWins: while a forge doesn't answer, states come and go; then it
// is told the last one, and is never asked more often than the backoff allows.
func TestLastStateWins(t *testing.T) {
	t.Parallel()
	down := true
	f := &fakeForge{answer: func(int) (int, http.Header) {
		if down {
			return 0, nil
		}
		return http.StatusCreated, http.Header{}
	}}
	report(t, f, statusSecret, func(r *Reporter, notes func() string) {
		for i := range 3600 {
			r.Set(Status{"aaaa", []State{Pending, Success, Failure}[i%3], fmt.Sprint(i), ""})
			time.Sleep(time.Second)
		}
		tries := len(f.times())
		if tries < 10 || tries > 16 {
			t.Errorf("%d tries in an hour", tries)
		}
		r.Set(Status{"bbbb", Success, "", ""})
		f.mu.Lock()
		down = false
		f.mu.Unlock()
		time.Sleep(mostPause)
		expectTaken(t, f, "success bbbb")
		if text := notes(); strings.Count(text, "\n") != 0 || !strings.Contains(text, "connection refused") {
			t.Errorf("the operator was told %q", text)
		}
	})
}

// TestRefusals: what a forge may answer, how long it is left alone then, and
// what the operator is told, which is never the token.
func TestRefusals(t *testing.T) {
	t.Parallel()
	reset := time.Date(2000, 1, 1, 0, 7, 0, 0, time.UTC) // a bubble's clock begins with 2000
	for _, tt := range []struct {
		status int
		header string
		wait   time.Duration
		says   string
	}{
		{500, "", time.Second, "500 Internal Server Error"},
		{503, "Retry-After: 120", 2 * time.Minute, "503"},
		{429, "Retry-After: 86400", time.Hour, "429"},
		{429, "Retry-After: Sat, 01 Jan 2000 00:03:00 GMT", 3 * time.Minute, "429"},
		{429, "Retry-After: -5", time.Second, "429"},
		{403, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: " + fmt.Sprint(reset.Unix()), 7 * time.Minute, "403"},
		{403, "", time.Second, "right to write commit statuses"},
		{401, "", time.Second, "status.token_file"},
		{404, "", time.Second, "status.api"},
		{422, "", time.Second, "doesn't know the commit"},
		{307, "Location: https://elsewhere.example.org/steal", time.Second, "new address"},
	} {
		f := &fakeForge{answer: func(n int) (int, http.Header) {
			if n > 1 {
				return http.StatusCreated, http.Header{}
			}
			if tt.header == "" {
				return tt.status, http.Header{}
			}
			return tt.status, headers(strings.Split(tt.header, "\n")...)
		}}
		report(t, f, statusSecret, func(r *Reporter, notes func() string) {
			r.Set(Status{"aaaa", Success, "", ""})
			time.Sleep(2 * time.Hour)
			expectTaken(t, f, "success aaaa")
			if asked := f.times(); len(asked) != 2 || asked[1] != tt.wait {
				t.Errorf("%d %s: asked at %v, want again after %v", tt.status, tt.header, asked, tt.wait)
			}
			if text := notes(); !strings.Contains(text, tt.says) || strings.Contains(text, statusSecret) {
				t.Errorf("%d: the operator was told %q", tt.status, text)
			}
		})
	}
}

// TestManyStatusesOfOneCommit: a schedule that fails every other time does not
// use up what a forge takes of one commit.
func TestManyStatusesOfOneCommit(t *testing.T) {
	t.Parallel()
	f := &fakeForge{}
	report(t, f, statusSecret, func(r *Reporter, _ func() string) {
		for i := range 24 * 60 {
			r.Set(Status{"aaaa", []State{Success, Failure}[i%2], "", ""})
			time.Sleep(time.Minute)
		}
		if n := len(f.taken()); n < 20 || n > 24*6+12 {
			t.Errorf("%d statuses of one commit in a day", n)
		}
	})
}

func TestTokenFile(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "two\nlines", "with a blank", "with\x01control"} {
		f := &fakeForge{}
		report(t, f, bad, func(r *Reporter, notes func() string) {
			r.Set(Status{"aaaa", Success, "", ""})
			synctest.Wait()
			if len(f.times()) != 0 || !strings.Contains(notes(), "status token") || bad != "" && strings.Contains(notes(), bad) {
				t.Errorf("%q: %d requests, the operator was told %q", bad, len(f.times()), notes())
			}
		})
	}
}

func TestLocate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ git, base, api, repository, says string }{
		{"https://github.com/team/app.git", "", "https://api.github.com", "team/app", ""},
		{"https://u:hunter2@github.com/team/app", "", "https://api.github.com", "team/app", ""},
		{"git@github.com:team/app.git", "", "https://api.github.com", "team/app", ""},
		{"ssh://git@ssh.github.com:443/team/app.git", "", "https://api.github.com", "team/app", ""},
		{"https://acme.ghe.com/team/app", "", "https://api.acme.ghe.com", "team/app", ""},
		{"https://git.example.org/team/app.git/", "", "https://git.example.org/api/v1", "team/app", ""},
		{"https://example.org:3000/gitea/team/app.git", "", "https://example.org:3000/gitea/api/v1", "team/app", ""},
		{"ssh://git@git.example.org:2222/team/app.git", "", "https://git.example.org/api/v1", "team/app", ""},
		{"ssh://git@[::1]:2222/team/app.git", "", "https://[::1]/api/v1", "team/app", ""},
		{"http://127.0.0.1:3000/team/app", "", "http://127.0.0.1:3000/api/v1", "team/app", ""},
		{"git@ghe.example.org:team/app.git", "https://ghe.example.org/api/v3/", "https://ghe.example.org/api/v3", "team/app", ""},
		{"https://gitlab.com/team/app", "", "", "", "gitlab.com"},
		{"https://bitbucket.org/team/app", "", "", "", "bitbucket.org"},
		{"http://git.example.org/team/app", "", "", "", "whoever listens"},
		{"https://git.example.org/team/app", "http://git.example.org/api/v1", "", "", "whoever listens"},
		{"https://git.example.org/team/app", "https://u:hunter2@git.example.org/api", "", "", "status.api"},
		{"https://git.example.org/app", "", "", "", "OWNER/NAME"},
		{"https://u:hunter2@git.example.org", "", "", "", "OWNER/NAME"},
		{"/srv/app.git", "", "", "", "on a forge"},
		{"file:///srv/team/app.git", "", "", "", "on a forge"},
		{"https://u:hun%zzter2@h/x/y", "", "", "", "on a forge"},
	} {
		api, repository, err := Locate(tt.git, tt.base)
		if tt.says == "" && (err != nil || api != tt.api || repository != tt.repository) {
			t.Errorf("%s: %s %s %v", tt.git, api, repository, err)
		}
		if tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v, want %q", tt.git, err, tt.says)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the password is told: %v", tt.git, err)
		}
	}
}
