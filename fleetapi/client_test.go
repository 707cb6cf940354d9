package fleetapi_test

import (
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/internal/testkit/notrun"
)

// TestRealClient lets Google's own client for discovery documents, which is what
// python-fleet stands on, drive the API over TCP and over a Unix socket.
func TestRealClient(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3" // the distribution's, which has the distribution's packages
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import googleapiclient, httplib2").CombinedOutput(); err != nil {
		notrun.Because(t, "python3-googleapi is not there: "+lastLine(string(out)+err.Error()))
	}
	golden, err := os.ReadFile("testdata/client.golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.eager.Store(true)
			where := serve(t, w, network)
			out, err := exec.CommandContext(t.Context(), python, "testdata/client.py", where).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if diff := cmp.Diff(strings.Split(string(golden), "\n"), strings.Split(string(out), "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func serve(t *testing.T, w *world, network string) string {
	t.Helper()
	server := httptest.NewUnstartedServer(w.handler)
	where := ""
	if network == "unix" {
		path := filepath.Join(t.TempDir(), "fleet.sock")
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
		if err != nil {
			t.Fatal(err)
		}
		server.Listener.Close()
		server.Listener, where = l, "unix:"+path
	}
	server.Start()
	t.Cleanup(server.Close)
	if where == "" {
		where = server.URL
	}
	return where
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
