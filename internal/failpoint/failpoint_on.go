//go:build failpoint

// Package failpoint marks the steps at which a test may kill the agent or make
// a write fail.
package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// EnvVar holds `name=kill`, `name=error` or `name=kill:N` (the Nth hit, from 1), comma-separated.
const EnvVar = "ABIDE_FAILPOINTS"

type point struct {
	action string
	at     int64
	hits   atomic.Int64
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
		at, _ := strconv.ParseInt(n, 10, 64)
		out[name] = &point{action: action, at: max(at, 1)}
	}
	return out
}

// Hit ends the process with SIGKILL, or gives an error, when the point called
// name is armed and this is the hit that was asked for.
func Hit(name string) error {
	p := points[name]
	if p == nil || p.hits.Add(1) != p.at {
		return nil
	}
	if p.action == "kill" {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return fmt.Errorf("fail point %s", name)
}
