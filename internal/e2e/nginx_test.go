package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abide-agent/abide/internal/testimage"
	"github.com/abide-agent/abide/internal/testkit/notrun"
	"github.com/abide-agent/abide/runner"
)

// proxy is an nginx with the server block of the reference, for a site called
// ci.example.com.
type proxy struct {
	t    *testing.T
	base string
}

func newProxy(t *testing.T, workers string, d *daemon) *proxy {
	t.Helper()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		notrun.Because(t, "there is no nginx")
	}
	dir, err := os.MkdirTemp("", "abide-e2e-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // its workers are another user
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	block, err := os.ReadFile(filepath.Join("testdata", "seed", "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	server := strings.NewReplacer("listen 80", fmt.Sprintf("listen 127.0.0.1:%d", port),
		seedAddress, fmt.Sprintf("localhost:%d", d.port), "/etc/nginx/.htpasswd", dir+"/htpasswd").Replace(string(block))
	write(t, dir+"/htpasswd", "ci:{PLAIN}let me in\n")
	write(t, dir+"/nginx.conf", fmt.Sprintf(`daemon off; %s pid %[2]s/pid; error_log stderr; events {}
http { access_log off; client_body_temp_path %[2]s/body; proxy_temp_path %[2]s/proxy; fastcgi_temp_path %[2]s/f; uwsgi_temp_path %[2]s/u; scgi_temp_path %[2]s/s;
%s}`, workers, dir, server))
	program(t, exec.Command(nginx, "-p", dir, "-e", "stderr", "-c", dir+"/nginx.conf"))
	p := &proxy{t: t, base: fmt.Sprintf("http://127.0.0.1:%d", port)}
	d.eventually("nginx answers", func() bool {
		resp, err := http.Get(p.base)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil
	})
	return p
}

// do sends a request as somebody at ci.example.com would, with the password
// unless header says otherwise.
func (p *proxy) do(method, path, body string, header ...string) (status int, text string) {
	p.t.Helper()
	resp := p.open(method, path, body, header...)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func (p *proxy) open(method, path, body string, header ...string) *http.Response {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.base+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Host = "ci.example.com"
	req.SetBasicAuth("ci", "let me in")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp
}

// TestNginx puts the proxy of the reference before the agent. Its workers are
// local callers like any other: root's need nothing, others a word from the
// agent's owner.
func TestNginx(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	t.Run("workers are the agent's user", func(t *testing.T) {
		t.Parallel()
		d := newDaemon(t)
		d.start()
		workers := "" // somebody else than root can't change the user anyway
		if os.Geteuid() == 0 {
			workers = "user root;"
		}
		testProxy(t, d, newProxy(t, workers, d), image)
	})
	t.Run("workers are www-data", func(t *testing.T) {
		t.Parallel()
		www, err := user.Lookup("www-data")
		if err != nil || os.Geteuid() != 0 {
			notrun.Because(t, "this needs root and a user www-data")
		}
		d := newDaemon(t)
		d.start()
		p := newProxy(t, "user www-data;", d)
		if status, text := p.do("GET", "/v1/runs", ""); status != http.StatusUnauthorized || !strings.Contains(text, "--admin-uid "+www.Uid) {
			t.Errorf("a user that nobody named: %d %s", status, text)
		}
		if status, text := p.do("GET", "/health", ""); status != http.StatusOK {
			t.Errorf("health: %d %s", status, text)
		}
		named := newDaemon(t, "--admin-uid", www.Uid)
		named.start()
		testProxy(t, named, newProxy(t, "user www-data;", named), image)
	})
}

func testProxy(t *testing.T, d *daemon, p *proxy, image string) {
	if status, _ := p.do("GET", "/health", "", "Authorization", ""); status != http.StatusUnauthorized {
		t.Errorf("without a password: %d", status)
	}
	for path, want := range map[string]string{"/": `"service":"abide"`, "/health": `"status":"healthy"`} {
		if status, text := p.do("GET", path, ""); status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	resp := p.open("GET", "/events", "")
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("events: %s", resp.Status)
	}
	events := readLines(t, resp.Body)
	yaml := one(image, "echo through the proxy; sleep 2")
	status, text := p.do("POST", "/trigger", yaml, "Content-Type", "application/yaml")
	var triggered struct {
		ID string `json:"pipeline_id"`
	}
	if err := json.Unmarshal([]byte(text), &triggered); err != nil || status != http.StatusOK || triggered.ID == "" {
		t.Fatalf("trigger: %d %s", status, text)
	}
	events.wait(`"message":"through the proxy"`)
	if run := d.runs()[0]; run.ID != triggered.ID || run.State != runner.Running {
		t.Errorf("its line is there, and the run %s is %s", run.ID, run.State)
	}
	events.wait("Job completed successfully")

	// A browser shows a page of the site, or one of somebody else.
	page := []string{"Content-Type", "application/yaml", "Origin", "http://ci.example.com"}
	if status, text := p.do("POST", "/trigger", yaml, page...); status != http.StatusOK {
		t.Errorf("a page of the site: %d %s", status, text)
	}
	d.waitRuns(2)
	for _, origin := range []string{"http://evil.example", "null", "http://ci.example.com.evil.example"} {
		page[3] = origin
		if status, text := p.do("POST", "/trigger", yaml, page...); status != http.StatusForbidden {
			t.Errorf("a page from %s: %d %s", origin, status, text)
		}
	}
	if status, text := p.do("GET", "/v1/runs", "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"); status != http.StatusForbidden {
		t.Errorf("an image on a page of another site: %d %s", status, text)
	}
}
