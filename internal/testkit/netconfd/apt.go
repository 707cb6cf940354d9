package netconfd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// needed are the programs, and the packages of Debian that have them.
var needed = []struct{ program, pkg string }{
	{"/usr/sbin/netconfd", "netconfd"},
	{"/usr/sbin/netconf-subsystem", "netconfd"},
	{"/usr/sbin/sshd", "openssh-server"},
}

// install tries once in each process.
var install = sync.OnceValue(func() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	apt := func(args ...string) error {
		cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-y", "-q", "-o", "DPkg::Lock::Timeout=120"}, args...)...)
		// Runlevel 1 keeps the packages from starting their services.
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			return fmt.Errorf("apt-get %s: %w: %s", args[0], err, lines[len(lines)-1])
		}
		return nil
	}
	packages := []string{"install", "--no-install-recommends", "netconfd", "openssh-server"}
	if apt(packages...) == nil {
		return nil
	}
	if err := apt("update"); err != nil {
		return err
	}
	return apt(packages...)
})

// available says why the devices can't run here, or installs what they need.
func available() error {
	missing := ""
	for _, n := range needed {
		if _, err := os.Stat(n.program); err != nil {
			missing = n.pkg
		}
	}
	if missing == "" {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return errors.New("real NETCONF devices need Debian's package " + missing + "; install it with apt-get install netconfd openssh-server")
	}
	if err := install(); err != nil {
		return fmt.Errorf("real NETCONF devices need Debian's package %s, which could not be installed: %w", missing, err)
	}
	return nil
}
