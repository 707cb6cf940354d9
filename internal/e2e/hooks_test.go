package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testimage"
	"github.com/abide-agent/abide/internal/testkit/gitserver"
)

const (
	hookSecret = "a-secret-of-the-webhook"
	hookToken  = "a-token-for-the-statuses"
)

// forgeServer serves a repository as a forge does, and takes statuses.
type forgeServer struct {
	*gitserver.Server
	repo *repository

	mu   sync.Mutex
	told []toldStatus
	git  int // requests that Git made
}

type toldStatus struct {
	Commit      string `json:"-"`
	State       string `json:"state"`
	Context     string `json:"context"`
	Description string `json:"description"`
	Target      string `json:"target_url"`
}

func newForge(t *testing.T) *forgeServer {
	t.Helper()
	root := t.TempDir()
	f := &forgeServer{Server: gitserver.New(t, root), repo: &repository{t: t, dir: filepath.Join(root, "team", "app")}}
	if err := os.MkdirAll(f.repo.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f.repo.git("init", "-q", "-b", "main")
	f.Answer(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		commit, api := strings.CutPrefix(r.URL.Path, "/api/v1/repos/team/app/statuses/")
		if !api {
			f.git++
			f.Serve(w, r)
			return
		}
		s := toldStatus{Commit: commit}
		if err := json.NewDecoder(r.Body).Decode(&s); err != nil || r.Method != "POST" || r.Header.Get("Authorization") != "Bearer "+hookToken {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		f.told = append(f.told, s)
		w.WriteHeader(http.StatusCreated)
	})
	return f
}

// last gives what the forge was told last of a commit.
func (f *forgeServer) last(commit string) (out toldStatus) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.told {
		if s.Commit == commit {
			out = s
		}
	}
	return out
}

func (f *forgeServer) gitRequests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.git
}

// agent begins a daemon that follows the forge and would poll it once an hour.
func (f *forgeServer) agent(t *testing.T) *daemon {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "abide.yaml")
	write(t, config, fmt.Sprintf(`external_url: https://abide.example.org
sources:
  - name: app
    git: %s/team/app
    branch: main
    interval: 1h
    webhook: {secret_file: %s}
    status: {token_file: %s}
  - {name: hookless, dir: %s}
`, f.URL, filepath.Join(dir, "secret"), filepath.Join(dir, "token"), dir))
	for name, text := range map[string]string{"secret": hookSecret, "token": hookToken} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := newDaemon(t, "--config", config)
	d.start()
	return d
}

// push sends what GitHub does after a push; a wrong secret makes it a stranger's.
func (d *daemon) push(source, secret, delivery, ref, commit string) (status int, text string) {
	d.t.Helper()
	body := fmt.Sprintf(`{"ref":%q,"after":%q,"repository":{"full_name":"team/app"}}`, ref, commit)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	req, err := http.NewRequest("POST", d.url("/hooks/"+source), strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Host = "abide.example.org"
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", "push")
	req.Header.Set("X-GitHub-Delivery", delivery)
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// TestHook: a push is run as soon as its webhook is here, and the forge is told
// what became of it; strangers and repetitions cause nothing, nor does a restart.
func TestHook(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	f := newForge(t)
	f.repo.write("hello.yaml", one(image, "echo first"))
	first := f.repo.commit("first")
	d := f.agent(t)
	d.waitRuns(1)
	d.eventually("the forge knows that the first commit is well", func() bool { return f.last(first).State == "success" })

	f.repo.write("hello.yaml", one(image, "exit 3"))
	second := f.repo.commit("second")
	before := f.gitRequests()
	for _, tt := range []struct {
		source, secret, ref string
		status              int
		says                string
	}{
		{"app", "not the secret of the webhook", "refs/heads/main", 401, `{"error":"unauthorized","message":"the delivery is refused"}`},
		{"nowhere", hookSecret, "refs/heads/main", 404, "there is nothing at"},
		{"hookless", hookSecret, "refs/heads/main", 404, "there is nothing at"},
		{"app", hookSecret, "refs/heads/other", 202, "follows another ref"},
	} {
		if status, text := d.push(tt.source, tt.secret, "1", tt.ref, second); status != tt.status || !strings.Contains(text, tt.says) {
			t.Errorf("%+v: %d %s", tt, status, text)
		}
	}
	events := d.stream("")
	if n := f.gitRequests(); n != before {
		t.Errorf("deliveries that mean nothing caused %d requests", n-before)
	}
	began := time.Now()
	if status, text := d.push("app", hookSecret, "2", "refs/heads/main", second); status != 202 || !strings.Contains(text, "is looked at") {
		t.Fatalf("a right delivery: %d %s", status, text)
	}
	line := events.wait(`"type":"pipeline_start"`)
	if took := time.Since(began); !strings.Contains(line, second) || took > 10*time.Second {
		t.Errorf("%v after its delivery: %s", took, line)
	} else {
		t.Logf("from the delivery to the run: %v", took)
	}
	d.eventually("the forge knows that the second commit failed", func() bool { return f.last(second).State == "failure" })
	host, _ := os.Hostname()
	run := d.waitRuns(2)[0]
	if s := f.last(second); s.Context != "abide/"+host || s.Target != "https://abide.example.org/v1/runs/"+run.ID || !strings.Contains(s.Description, "pipeline hello failed") {
		t.Errorf("the forge was told %+v of run %s", s, run.ID)
	}

	f.repo.write("hello.yaml", one(image, "echo third"))
	third := f.repo.commit("third")
	d.push("app", hookSecret, "3", "refs/heads/main", third)
	d.eventually("the forge knows that the third commit is well", func() bool { return f.last(third).State == "success" })

	const again = "was here before"
	if status, text := d.push("app", hookSecret, "3", "refs/heads/main", third); status != 202 || !strings.Contains(text, again) {
		t.Errorf("a delivery again: %d %s", status, text)
	}
	d.kill(syscall.SIGKILL)
	d.start()
	if status, text := d.push("app", hookSecret, "4", "refs/heads/main", third); status != 202 || !strings.Contains(text, again) {
		t.Errorf("a delivery again, after a crash and by another name: %d %s", status, text)
	}
	d.waitRuns(3)
	for _, secret := range []string{hookSecret, hookToken} {
		if strings.Contains(d.output(), secret) {
			t.Errorf("the agent's log tells a secret:\n%s", d.output())
		}
	}
}

// TestHookFlood sends a thousand deliveries a second, right and wrong ones: the
// forge is asked at most once in each second, and memory stays flat.
func TestHookFlood(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	f := newForge(t)
	f.repo.write("hello.yaml", one(image, "echo first"))
	first := f.repo.commit("first")
	d := f.agent(t)
	d.waitRuns(1)

	before := f.gitRequests()
	d.push("app", hookSecret, "one", "refs/heads/main", first)
	d.eventually("one look", func() bool { return f.gitRequests() > before })
	time.Sleep(2 * time.Second) // the look and its window end, which nothing tells
	perLook := f.gitRequests() - before

	flood := func(name string) (sent int, took time.Duration) {
		begin := time.Now()
		var wg sync.WaitGroup
		var mu sync.Mutex
		for worker := range 8 {
			wg.Go(func() {
				for i := 0; time.Since(begin) < 3*time.Second; i++ {
					secret, want := hookSecret, http.StatusAccepted
					if i%2 == 1 {
						secret, want = "not the secret of the webhook", http.StatusUnauthorized
					}
					status, text := d.push("app", secret, fmt.Sprint(name, worker, ".", i), "refs/heads/main", fmt.Sprint(name, worker, ".", i))
					if status != want {
						t.Errorf("%d %s, want %d", status, text, want)
						return
					}
					mu.Lock()
					sent++
					mu.Unlock()
					time.Sleep(time.Until(begin.Add(time.Duration(i+1) * 8 * time.Millisecond))) // eight of them: a thousand a second
				}
			})
		}
		wg.Wait()
		return sent, time.Since(begin)
	}
	flood("warm")
	rss := d.rss()
	before = f.gitRequests()
	sent, took := flood("flood")
	time.Sleep(2 * time.Second) // of the last window
	looks := f.gitRequests() - before
	windows := int(took/time.Second) + 2
	grew := d.rss() - rss
	t.Logf("%d deliveries in %v: %d requests (%d a look) in %d windows, memory %+d KiB", sent, took.Round(time.Millisecond), looks, perLook, windows, grew)
	if looks > windows*perLook {
		t.Errorf("%d requests in %d windows, %d a look", looks, windows, perLook)
	}
	if grew > 16<<10 {
		t.Errorf("memory grew by %d KiB", grew)
	}
	d.waitRuns(1)
}

// rss gives the resident memory of the agent in KiB.
func (d *daemon) rss() (kib int) {
	d.t.Helper()
	d.mu.Lock()
	pid := d.cmd.Process.Pid
	d.mu.Unlock()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		d.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	if _, err := fmt.Sscan(after, &kib); err != nil {
		d.t.Fatal(err)
	}
	return kib
}
