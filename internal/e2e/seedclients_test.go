package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/abide-agent/abide/internal/testimage"
	"github.com/abide-agent/abide/internal/testkit/notrun"
)

// The programs in testdata/seed are the clients that pin's API reference
// prints, as they stand there, save for what printing did to them: indentation,
// emoji, and in the Go program an import that it doesn't use, which no compiler
// takes. Their address and image are replaced only where this machine can't
// offer them: when port 8081 is taken, or the engine has no alpine:latest.

// seedAddress and seedImage are what the clients are written for.
const (
	seedAddress = "localhost:8081"
	seedImage   = "alpine:latest"
)

// seedPort is one for all tests of the machine's only port 8081.
var seedPort sync.Mutex

// takeSeedPort gives port 8081 until the test ends, or where somebody else has
// it, any other.
func takeSeedPort(t *testing.T) int {
	t.Helper()
	seedPort.Lock()
	t.Cleanup(seedPort.Unlock)
	l, err := net.Listen("tcp", "127.0.0.1:8081")
	if err != nil {
		t.Logf("port 8081 is taken, so the clients get another: %v", err)
		return freePort(t)
	}
	_ = l.Close()
	return 8081
}

// seedClient writes one of the clients into dir, for a daemon at port.
func seedClient(t *testing.T, name, dir, image string, port int) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "seed", name))
	if err != nil {
		t.Fatal(err)
	}
	if port != 8081 {
		text = bytes.ReplaceAll(text, []byte(seedAddress), fmt.Appendf(nil, "localhost:%d", port))
	}
	if exec.Command("docker", "image", "inspect", seedImage).Run() != nil {
		text = bytes.ReplaceAll(text, []byte(seedImage), []byte(image))
	}
	out := filepath.Join(dir, name)
	write(t, out, string(text))
	return out
}

// TestSeedClients runs the Go and the Python client of the reference against
// the daemon.
func TestSeedClients(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	d := newDaemon(t)
	d.port = takeSeedPort(t)
	d.start()
	for _, c := range []struct {
		name, says string
		command    func(t *testing.T, dir string) *exec.Cmd
	}{
		{"go", "Hello from Go!", func(t *testing.T, dir string) *exec.Cmd {
			program := filepath.Join(dir, "client")
			if out, err := exec.Command("go", "build", "-o", program, seedClient(t, "client.go", dir, image, d.port)).CombinedOutput(); err != nil {
				t.Fatalf("the client doesn't compile: %v\n%s", err, out)
			}
			return exec.Command(program)
		}},
		{"python", "Hello from Python!", func(t *testing.T, dir string) *exec.Cmd {
			python := requirePython(t)
			seedClient(t, "sseclient.py", dir, image, d.port)
			return exec.Command(python, "-u", seedClient(t, "client.py", dir, image, d.port))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(d.runs())
			p := program(t, c.command(t, t.TempDir()))
			p.wait("Daemon status: healthy")
			_, id, _ := strings.Cut(p.wait("Pipeline triggered: "), ": ")
			p.wait("[hello] " + c.says)
			p.wait("✅ [hello] Job completed successfully")
			p.wait("[system] Pipeline execution completed")
			if runs := d.runs(); len(runs) != before+1 || runs[0].ID != id {
				t.Errorf("the client was told %q; the runs are %+v", id, runs)
			}
		})
	}
}

// requirePython gives a Python with the modules of the client: the system's,
// since others hide Debian's packages.
func requirePython(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(python, "-c", "import requests, yaml").Run() == nil {
			return python
		}
	}
	notrun.Because(t, "there is no Python with the modules requests and yaml")
	return ""
}
