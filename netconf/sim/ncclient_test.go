package sim_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testkit/notrun"
	"github.com/abide-agent/abide/netconf/sim"
)

// ncclient says why Debian's python3-ncclient can't be used, or installs it, once.
var ncclient = sync.OnceValue(func() error {
	there := func() error { return exec.Command("/usr/bin/python3", "-c", "import ncclient").Run() }
	if there() == nil {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("it needs python3-ncclient; install it with apt-get install python3-ncclient")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "sh", "-c", "apt-get update -q && apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=120 python3-ncclient")
	install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("it needs python3-ncclient, which could not be installed: %w: %s", err, out[max(0, len(out)-200):])
	}
	return there()
})

// TestNcclient lets somebody else's client ask.
func TestNcclient(t *testing.T) {
	t.Parallel()
	if err := ncclient(); err != nil {
		notrun.Because(t, err.Error())
	}
	for name, mode := range map[string]sim.Mode{"candidate": sim.WithCandidate, "running": sim.WithStartup} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, sim.Options{User: "noc", Mode: mode})
			host, port, _ := net.SplitHostPort(b.target.Addr)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			out, err := exec.CommandContext(ctx, "/usr/bin/python3", "testdata/check_ncclient.py", host, port, b.target.KeyFiles[0], name).CombinedOutput()
			if err != nil || string(out[max(0, len(out)-3):]) != "ok\n" {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
