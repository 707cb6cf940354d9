//go:build failpoint

// Package failpoint marks the steps at which a test may kill the agent or make
// a write fail. It knows names only, never what stands around a point.
package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// EnvVar names the environment variable that arms points, comma-separated:
// `name=kill`, `name=error`, or with `:N` behind it for the Nth hit, from 1.
// It is read once, when the process starts.
const EnvVar = "ABIDE_FAILPOINTS"

type point struct {
	kill bool
	at   int64
	hits atomic.Int64
}

var points = parse(os.Getenv(EnvVar))

func parse(s string) map[string]*point {
	out := map[string]*point{}
	for item := range strings.SplitSeq(s, ",") {
		name, action, ok := strings.Cut(item, "=")
		if !ok {
			continue
		}
		action, n, _ := strings.Cut(action, ":")
		at, _ := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
		out[strings.TrimSpace(name)] = &point{kill: strings.TrimSpace(action) == "kill", at: max(at, 1)}
	}
	return out
}

// Hit ends the process with SIGKILL, or gives an error, when the point called
// name is armed and this is the hit that was asked for. Otherwise it gives nil.
func Hit(name string) error {
	p := points[name]
	if p == nil || p.hits.Add(1) != p.at {
		return nil
	}
	if p.kill {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal may take a moment, and nothing may happen in it
	}
	return fmt.Errorf("the fail point %s was hit", name)
}
