package sources_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testkit/gitrepo"
	"github.com/abide-agent/abide/internal/testkit/gitserver"
	"github.com/abide-agent/abide/sources"
)

// served makes a bare repository with one commit, and a server for it.
func served(t testing.TB) (*gitrepo.Repo, *gitserver.Server) {
	t.Helper()
	root := t.TempDir()
	s := gitserver.New(t, root)
	r := gitrepo.NewAt(t, filepath.Join(root, "app.git"))
	r.Put("a", "1")
	r.Commit("one")
	return r, s
}

func readFile(t testing.TB, s *sources.Snapshot, name string) string {
	t.Helper()
	data, err := fs.ReadFile(s.Tree, name)
	check(t, err)
	return string(data)
}

func TestRemoteFollowsRewrittenHistory(t *testing.T) {
	t.Parallel()
	r, server := served(t)
	dir := filepath.Join(t.TempDir(), "git", "app")
	g := newGit(t, sources.GitOptions{URL: server.URL + "/app.git", Dir: dir})
	one := snap(t, g)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the clone's directory: %v, %v", info, err)
	}
	r.Put("a", "2")
	r.Commit("two")
	if got := readFile(t, snap(t, g), "a"); got != "2" {
		t.Errorf("after a push: %q", got)
	}
	r.SetRef("refs/heads/main", one.Revision) // the GitOps rollback
	if got := snap(t, g); got.Revision != one.Revision || readFile(t, got, "a") != "1" {
		t.Errorf("after a forced step back: %+v", got)
	}
	r.Put("a", "3")
	three := r.Commit("another second")
	if got := snap(t, g); got.Revision != three || readFile(t, got, "a") != "3" {
		t.Errorf("after a rewritten history: %+v", got)
	}
	if got := readFile(t, one, "a"); got != "1" {
		t.Errorf("the first snapshot: %q", got)
	}
	check(t, g.Close())

	before := server.Requests.Load()
	again := newGit(t, sources.GitOptions{URL: server.URL + "/app.git", Dir: dir})
	if s, err := again.At(t.Context(), one.Revision); err != nil || readFile(t, s, "a") != "1" {
		t.Errorf("an earlier revision after a restart: %v", err)
	}
	if n := server.Requests.Load(); n != before {
		t.Error("an earlier revision needs the server")
	}
	if got := snap(t, again); got.Revision != three {
		t.Errorf("after a restart: %+v", got)
	}
	if n := server.Requests.Load() - before; n != 1 {
		t.Errorf("a poll without news takes %d requests, want 1", n)
	}
}

func TestRemoteSelectsARef(t *testing.T) {
	t.Parallel()
	r, server := served(t)
	one := r.Tip("main")
	r.Tag("v1", one, 1)
	r.On("side")
	r.Put("a", "2")
	two := r.Commit("two")
	for _, c := range []struct {
		ref  sources.Ref
		want string
	}{
		{sources.Ref{}, one},
		{sources.Ref{Branch: "side"}, two},
		{sources.Ref{Tag: "v1"}, one},
		{sources.Ref{Commit: two}, two},
		{sources.Ref{Commit: two[:8]}, two},
	} {
		g := newGit(t, sources.GitOptions{URL: server.URL + "/app.git", Ref: c.ref})
		for range 2 {
			if got := snap(t, g); got.Revision != c.want {
				t.Errorf("%v is %s, want %s", c.ref, got.Revision, c.want)
			}
		}
	}
	r.SetHead("refs/heads/side")
	if got := snap(t, newGit(t, sources.GitOptions{URL: server.URL + "/app.git"})); got.Revision != two {
		t.Errorf("the default branch is at %s, want %s", got.Revision, two)
	}
	missing := newGit(t, sources.GitOptions{URL: server.URL + "/app.git", Ref: sources.Ref{Commit: strings.Repeat("ab", 20)}})
	_, err := missing.Snapshot(t.Context())
	wantErr(t, err, "no commit abab")
	before := server.Requests.Load()
	_, err = missing.Snapshot(t.Context())
	wantErr(t, err, "no commit abab")
	if n := server.Requests.Load() - before; n != 1 {
		t.Errorf("asking for a missing commit again takes %d requests, want 1", n)
	}
}

func TestRemoteSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	r, server := served(t)
	r.SetRef("refs/heads/gone", r.Tip("main"))
	g := newGit(t, sources.GitOptions{URL: server.URL + "/app.git", Ref: sources.Ref{Branch: "gone"}})
	last := snap(t, g)
	r.DeleteRef("refs/heads/gone")
	_, err := g.Snapshot(t.Context())
	wantErr(t, err, `no branch "gone"; it has: main`)
	if got := readFile(t, last, "a"); got != "1" {
		t.Errorf("the last good snapshot reads %q", got)
	}
	_, err = newGit(t, sources.GitOptions{URL: server.URL + "/other.git"}).Snapshot(t.Context())
	wantErr(t, err, "no such repository")
	gitrepo.NewAt(t, filepath.Join(filepath.Dir(r.Dir), "empty.git"))
	_, err = newGit(t, sources.GitOptions{URL: server.URL + "/empty.git"}).Snapshot(t.Context())
	wantErr(t, err, "no commit yet")
	if !errors.Is(err, sources.ErrEmpty) {
		t.Errorf("%v is not ErrEmpty", err)
	}
	_, err = newGit(t, sources.GitOptions{URL: "http://127.0.0.1:1/app.git"}).Snapshot(t.Context())
	wantErr(t, err, "connection refused", "check the URL and the network")
	notDir := filepath.Join(t.TempDir(), "f")
	check(t, os.WriteFile(notDir, nil, 0o644))
	_, err = newGit(t, sources.GitOptions{URL: server.URL + "/app.git", Dir: filepath.Join(notDir, "x")}).Snapshot(t.Context())
	wantErr(t, err, "cannot be written", "not a directory")
}

func TestRemoteFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(*gitserver.Server) http.HandlerFunc
		opt    sources.GitOptions
		want   string
	}{
		"garbage": {func(*gitserver.Server) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>hello") }
		}, sources.GitOptions{}, "cannot be fetched"},
		"overload": {func(*gitserver.Server) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "later", http.StatusServiceUnavailable) }
		}, sources.GitOptions{}, "503 Service Unavailable"},
		"endless error": {func(*gitserver.Server) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusForbidden)
				for range 1 << 12 {
					if _, err := w.Write(make([]byte, 1<<16)); err != nil {
						return
					}
				}
			}
		}, sources.GitOptions{}, "refuses access"},
		"silence": {func(*gitserver.Server) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		}, sources.GitOptions{Timeout: 50 * time.Millisecond}, "sent nothing for 50ms"},
		"silence in the pack": {func(s *gitserver.Server) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					s.Serve(w, r)
					return
				}
				w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
				io.WriteString(w, "0008NAK\n")
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			}
		}, sources.GitOptions{Timeout: 50 * time.Millisecond}, "sent nothing for 50ms"},
		"truncated pack": {func(s *gitserver.Server) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					s.Serve(w, r)
					return
				}
				rec := httptest.NewRecorder()
				s.Serve(rec, r)
				w.Write(rec.Body.Bytes()[:rec.Body.Len()-40])
			}
		}, sources.GitOptions{}, "cannot be fetched"},
		"too large":        {nil, sources.GitOptions{MaxBytes: 1 << 10}, "larger than the 0 MiB"},
		"too large a blob": {nil, sources.GitOptions{MaxBlob: 1 << 20}, "an object of 5 MiB"},
		"redirect to a file": {func(*gitserver.Server) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "file:///etc/passwd")
				w.WriteHeader(http.StatusFound)
			}
		}, sources.GitOptions{}, "unsupported scheme"},
		"redirect in a circle": {func(*gitserver.Server) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) }
		}, sources.GitOptions{}, "more than 5 in a row"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, server := served(t)
			r.Put("big", strings.Repeat("b", 5<<20))
			r.Put("random", randomText(20_000))
			r.Commit("big")
			if c.answer != nil {
				server.Answer(c.answer(server))
			}
			c.opt.URL = strings.Replace(server.URL, "://", "://joe:s3cret@", 1) + "/app.git"
			c.opt.Dir = filepath.Join(t.TempDir(), "clone")
			g := newGit(t, c.opt)
			_, err := g.Snapshot(t.Context())
			wantErr(t, err, c.want)
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(e.Error(), "s3cret") || strings.Contains(e.Error(), "joe") {
					t.Errorf("the error tells the secret: %v", e)
				}
			}
			left, _ := filepath.Glob(filepath.Join(c.opt.Dir, "objects", "pack", "*"))
			if len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if c.answer != nil { // it mends
				server.Answer(nil)
				check(t, g.Close())
				c.opt.Timeout = 0
				g = newGit(t, c.opt)
				if got := readFile(t, snap(t, g), "a"); got != "1" {
					t.Errorf("afterwards: %q", got)
				}
			}
		})
	}
}

// randomText is text that does not compress well, and is the same each time.
func randomText(n int) string {
	var b strings.Builder
	x := uint32(1)
	for range n {
		x = x*1664525 + 1013904223
		b.WriteByte(byte(x >> 24))
	}
	return b.String()
}

func TestRemoteCredentials(t *testing.T) {
	t.Parallel()
	_, server := served(t)
	server.RequireAuth("joe", "p@ss/s3cret")
	at := func(userinfo string) string {
		return strings.Replace(server.URL, "://", "://"+userinfo+"@", 1) + "/app.git"
	}
	g := newGit(t, sources.GitOptions{URL: at("joe:p%40ss%2Fs3cret"), Dir: filepath.Join(t.TempDir(), "clone")})
	if got := readFile(t, snap(t, g), "a"); got != "1" {
		t.Errorf("with credentials: %q", got)
	}
	if shown := fmt.Sprint(g.Location(), g.Name()); strings.Contains(shown, "s3cret") || strings.Contains(shown, "joe") {
		t.Errorf("the location tells the secret: %s", shown)
	}
	for url, hint := range map[string]string{at("joe:wr0ng"): "check the user and token", server.URL + "/app.git": "put USER:TOKEN@ before the host"} {
		_, err := newGit(t, sources.GitOptions{URL: url}).Snapshot(t.Context())
		wantErr(t, err, "refuses access", hint)
		if strings.Contains(err.Error(), "wr0ng") {
			t.Errorf("the error tells the secret: %v", err)
		}
	}
}

// TestCredentialsStayAtTheirServer redirects to another one, which must not
// learn them.
func TestCredentialsStayAtTheirServer(t *testing.T) {
	t.Parallel()
	_, server := served(t)
	heard := make(chan string, 100)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard <- r.Header.Get("Authorization")
		server.Serve(w, r)
	}))
	t.Cleanup(other.Close)
	server.Answer(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.String(), http.StatusFound)
	})
	g := newGit(t, sources.GitOptions{URL: strings.Replace(server.URL, "://", "://joe:s3cret@", 1) + "/app.git"})
	if got := readFile(t, snap(t, g), "a"); got != "1" {
		t.Errorf("through a redirect: %q", got)
	}
	close(heard)
	for auth := range heard {
		if auth != "" {
			t.Error("the credentials went to another server")
		}
	}
}

func TestCloseBreaksAFetchOff(t *testing.T) {
	t.Parallel()
	_, server := served(t)
	begun := make(chan struct{}, 10)
	server.Answer(func(_ http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-r.Context().Done()
	})
	g := newGit(t, sources.GitOptions{URL: server.URL + "/app.git"})
	failed := make(chan error, 1)
	go func() {
		_, err := g.Snapshot(context.Background())
		failed <- err
	}()
	<-begun
	check(t, g.Close())
	wantErr(t, <-failed, "broken off")
}
