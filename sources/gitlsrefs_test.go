package sources_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/abide-agent/abide/internal/testkit/gitrepo"
	"github.com/abide-agent/abide/internal/testkit/gitserver"
	"github.com/abide-agent/abide/sources"
)

// manyRefs gives a repository so many branches, packed as a server has them.
func manyRefs(t testing.TB, r *gitrepo.Repo, n int) {
	t.Helper()
	tip := r.Tip("main")
	var b strings.Builder
	b.WriteString("# pack-refs with: peeled fully-peeled sorted \n")
	for i := range n {
		fmt.Fprintf(&b, "%s refs/heads/b%06d\n", tip, i)
	}
	check(t, os.WriteFile(filepath.Join(r.GitDir(), "packed-refs"), []byte(b.String()), 0o644))
}

// traffic counts what goes over the wire, without headers.
type traffic struct{ requests, sent, received atomic.Int64 }

func (c *traffic) count(s *gitserver.Server) {
	s.Answer(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		r.Body = countedBody{r.Body, &c.sent}
		s.Serve(countedWriter{w, &c.received}, r)
	})
}

func (c *traffic) reset() { c.requests.Store(0); c.sent.Store(0); c.received.Store(0) }

func (c *traffic) bytes() int64 { return c.sent.Load() + c.received.Load() }

type countedBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c countedBody) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}

type countedWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c countedWriter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return c.ResponseWriter.Write(p)
}

// TestPollAsksForOneRef holds a poll without news to one request of 300 bytes,
// with its answer, however many refs there are.
func TestPollAsksForOneRef(t *testing.T) {
	t.Parallel()
	for _, refs := range []int{0, 2_000, 100_000} {
		t.Run(fmt.Sprint(refs), func(t *testing.T) {
			t.Parallel()
			r, server := served(t)
			one := r.Tip("main")
			manyRefs(t, r, refs)
			r.SetRef("refs/heads/main-2", one) // begins like the one that is followed
			r.Tag("v1", one, 1)
			var wire traffic
			wire.count(server)
			for _, ref := range []sources.Ref{{}, {Branch: "main"}, {Tag: "v1"}} {
				g := newGit(t, sources.GitOptions{URL: server.URL + "/app.git", Ref: ref})
				snap(t, g)
				for range 2 {
					wire.reset()
					if got := snap(t, g); got.Revision != one {
						t.Errorf("%v is at %s, want %s", ref, got.Revision, one)
					}
					if n, b := wire.requests.Load(), wire.bytes(); n != 1 || b > 300 {
						t.Errorf("%v: a poll takes %d requests and %d bytes", ref, n, b)
					}
				}
				r.Put("a", ref.String())
				r.Commit("news")
				if got, want := snap(t, g).Revision, r.Tip("main"); ref.Tag == "" && got != want {
					t.Errorf("after a push: %v is at %s, want %s", ref, got, want)
				}
				r.SetRef("refs/heads/main", one)
			}
		})
	}
}

// TestPollOfAServerWithoutV2 answers the question in each way that a server may
// that does not understand it. It is not put again and again.
func TestPollOfAServerWithoutV2(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"not allowed":   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusMethodNotAllowed) },
		"broken":        func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) },
		"moved":         func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) },
		"a login page":  func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") },
		"a fault":       protocolAnswer("0033ERR upload-pack: protocol error, expected want\n"),
		"nothing":       protocolAnswer(""),
		"garbage":       protocolAnswer("<html>hello"),
		"half a packet": protocolAnswer("003f1234"),
		"no hash":       protocolAnswer("0009xy z\n0000"),
		"too much":      protocolAnswer(strings.Repeat("003d"+strings.Repeat("1", 40)+" refs/heads/other\n", 100_000)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, server := served(t)
			var asked atomic.Int64
			server.Answer(func(w http.ResponseWriter, q *http.Request) {
				if q.Header.Get("Git-Protocol") != "" {
					asked.Add(1)
					answer(w, q)
					return
				}
				server.Serve(w, q)
			})
			g := newGit(t, sources.GitOptions{URL: server.URL + "/app.git"})
			for i := range 3 {
				r.Put("a", fmt.Sprint(i))
				r.Commit("news")
				for range 2 {
					if got := readFile(t, snap(t, g), "a"); got != fmt.Sprint(i) {
						t.Errorf("after a push: %q", got)
					}
				}
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("it was asked %d times, want once", n)
			}
		})
	}
}

func protocolAnswer(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		io.WriteString(w, body)
	}
}

// BenchmarkPoll is a poll without news over http, beside what others need to
// learn the same.
func BenchmarkPoll(b *testing.B) {
	for _, refs := range []int{2_000, 100_000} {
		r, server := served(b)
		manyRefs(b, r, refs)
		var wire traffic
		wire.count(server)
		g := newGit(b, sources.GitOptions{URL: server.URL + "/app.git", Ref: sources.Ref{Branch: "main"}})
		snap(b, g)
		run := func(name string, poll func(b *testing.B)) {
			b.Run(fmt.Sprintf("refs=%d/%s", refs, name), func(b *testing.B) {
				wire.reset()
				for b.Loop() {
					poll(b)
				}
				b.ReportMetric(float64(wire.bytes())/float64(b.N), "wire-B/op")
				b.ReportMetric(float64(wire.requests.Load())/float64(b.N), "requests/op")
			})
		}
		run("abide", func(b *testing.B) { snap(b, g) })
		server.Answer(protocolAnswer("003d" + r.Tip("main") + " refs/heads/main\n0000"))
		run("abide-without-the-server", func(b *testing.B) { snap(b, g) })
		wire.count(server)
		run("git", func(b *testing.B) { git(b, ".", "ls-remote", server.URL+"/app.git", "refs/heads/main") })
		run("go-git", func(b *testing.B) {
			_, err := gogit.NewRemote(memory.NewStorage(), &config.RemoteConfig{Name: "origin", URLs: []string{server.URL + "/app.git"}}).List(&gogit.ListOptions{})
			check(b, err)
		})
	}
}
