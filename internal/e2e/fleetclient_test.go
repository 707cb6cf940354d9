package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abide-agent/abide/internal/testkit/notrun"
)

// pythonFleet plays the examples of python-fleet's documentation against a
// server; see testdata/fleet.
func pythonFleet(t *testing.T, endpoint string) {
	t.Helper()
	const python = "/usr/bin/python3" // the distribution's, which has the distribution's packages
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import googleapiclient, httplib2").CombinedOutput(); err != nil {
		notrun.Because(t, "python3-googleapi is not there: "+strings.TrimSpace(string(out)))
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "foo.service"), "[Service]\nExecStart=/usr/bin/sleep 1d\n")
	script, err := filepath.Abs("testdata/fleet/examples.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-B", script, endpoint)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s\n%s", endpoint, out)
}

// TestPythonFleet: what python-fleet's documentation shows is what its users
// get, over TCP and over a Unix socket.
func TestPythonFleet(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, "--units", "process")
	socket := filepath.Join(d.state, "fleet.sock")
	d.args = append(d.args, "--socket", socket)
	d.start()
	d.purgeAtEnd()
	for _, c := range []struct{ name, endpoint string }{
		{"http", d.url("")},
		{"http+unix", "http+unix://" + strings.ReplaceAll(socket, "/", "%2F")},
	} {
		t.Run(c.name, func(t *testing.T) { pythonFleet(t, c.endpoint) })
	}
}
