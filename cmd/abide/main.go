// Command abide makes a machine abide by a Git repository: it runs the
// pipelines that the repository holds, says what it will do before it does it,
// and tells everybody who listens what it does. This package knows commands,
// flags, settings, terminal output and wiring; it is the only place that knows
// all parts, and it never knows how any of them does its work.
package main

import (
	"context"
	"os"
	"path/filepath"

	unitprocess "github.com/abide-agent/abide/units/process"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == unitprocess.Subcommand {
		os.Exit(unitprocess.Main(os.Args[2:])) // the supervisor of one unit: nothing else of the agent is begun
	}
	ctx, signals := handleSignals(context.Background())
	code := run(ctx, process{
		args: os.Args, in: os.Stdin, out: os.Stdout, err: os.Stderr,
		env: os.LookupEnv, environ: os.Environ(), newApp: newApp, interrupted: signals.code,
	})
	os.Exit(code)
}

// programName is what hints call the program: it may be installed as `pin`.
func programName(args []string) string {
	if len(args) == 0 || args[0] == "" {
		return "abide"
	}
	return filepath.Base(args[0])
}
