package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abide-agent/abide/internal/testimage"
	"github.com/abide-agent/abide/internal/testkit/notrun"
)

// TestSeedPage shows a page with the reference's JavaScript in Chromium, from
// the origin of the agent: a proxy serves the page and hands the rest on.
func TestSeedPage(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	chromium := requireChromium(t)
	d := newDaemon(t)
	d.start()
	dir, port := t.TempDir(), takeSeedPort(t)
	seedClient(t, "client.js", dir, image, port)
	seedClient(t, "page.html", dir, image, port)

	target, err := url.Parse(d.url(""))
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}
	page := newPage(t, port)
	page.mux.Handle("/", proxy)
	page.mux.Handle("/page/", http.StripPrefix("/page/", http.FileServer(http.Dir(dir))))

	browse(t, chromium, fmt.Sprintf("http://localhost:%d/page/page.html", port))
	triggered := page.wait(`log: Pipeline triggered: {`)
	page.wait("log: ℹ️ [test] Hello from JavaScript!")
	page.wait("log: ✅ [test] Job completed successfully")
	if run := d.waitRuns(1)[0]; !strings.Contains(triggered, `"pipeline_id":"`+run.ID+`"`) {
		t.Errorf("the page was told %s; the run is %s", triggered, run.ID)
	}
}

// TestForeignPage: a page of another origin can neither start nor read
// anything, although the browser runs as the user that the agent trusts.
func TestForeignPage(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	chromium := requireChromium(t)
	d := newDaemon(t)
	d.start()
	text, err := os.ReadFile(filepath.Join("testdata", "attack.html"))
	if err != nil {
		t.Fatal(err)
	}
	html := strings.NewReplacer("TARGET", d.url(""), "IMAGE", image).Replace(string(text))
	page := newPage(t, 0)
	page.mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, html)
	})
	browse(t, chromium, page.url+"/")
	for {
		line := page.wait("")
		if strings.Contains(line, "READ") {
			t.Errorf("the page got in: %s", line)
		}
		if line == "done" {
			break
		}
	}
	if runs := d.runs(); len(runs) != 0 {
		t.Errorf("the page started runs: %+v", runs)
	}
}

// page is a web server whose pages post lines to the test.
type page struct {
	*stream
	url string
	mux *http.ServeMux
}

func newPage(t *testing.T, port int) *page {
	t.Helper()
	p := &page{mux: http.NewServeMux(), stream: &stream{t: t, lines: make(chan string, 10_000)}}
	p.mux.HandleFunc("POST /page/line", func(_ http.ResponseWriter, r *http.Request) {
		if text, err := io.ReadAll(r.Body); err == nil {
			p.lines <- string(text)
		}
	})
	web := httptest.NewUnstartedServer(p.mux)
	if port != 0 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		_ = web.Listener.Close()
		web.Listener = l
	}
	web.Start()
	t.Cleanup(func() {
		web.CloseClientConnections() // streams would hold it
		web.Close()
	})
	p.url = web.URL
	return p
}

func requireChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	notrun.Because(t, "there is no Chromium")
	return ""
}

// browse opens a page in a browser that lives until the test ends.
func browse(t *testing.T, chromium, address string) {
	t.Helper()
	cmd := exec.Command(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--remote-debugging-port=0", "--user-data-dir="+t.TempDir(), address)
	out := program(t, cmd)
	t.Cleanup(func() {
		if t.Failed() {
			for len(out.lines) > 0 {
				t.Log(<-out.lines)
			}
		}
	})
}
