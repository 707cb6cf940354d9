// Package supervisor runs one service unit to its end: a process of its own, the
// agent's binary once more, that outlives the agent. It starts the unit's
// commands, reaps them, restarts them, stops them on request, keeps their output
// in a bounded log and writes down what it sees. It knows processes, signals and
// the files of [Layout]. It never knows why a unit is wanted, other units, nor
// the agent: all it needs stands in its [Order], and all that it is told later
// are two signals, SIGTERM to stop the unit and end, SIGHUP to reload it.
//
// A unit therefore ends with its supervisor's leave only: by SIGTERM (which also
// is what the end of a container's PID 1, or of an agent run by a service
// manager with KillMode=control-group, does to every process), by its own exit,
// or together with the machine. A supervisor that is killed without notice
// leaves its unit running, with its output held in a named pipe, until the agent
// starts another that goes on with it.
//
// All processes of a unit are descendants of the supervisor, because it is a
// child subreaper (prctl(2)): a daemon that forks twice falls back to it. That
// takes the place of a control group.
package supervisor

import (
	"fmt"
	"os"
)

// Subcommand is the first argument of the hidden command line that [Main]
// takes. It is not for people.
const Subcommand = "supervise-unit"

// Main is the whole life of a process that was started with [Subcommand] as its
// first argument; args are those after it. It gives the exit code.
func Main(args []string) int {
	switch {
	case len(args) == 1 && args[0] == execArg:
		return execProgram()
	case len(args) == 2:
		return supervise(Layout{Root: args[0]}, args[1])
	}
	fmt.Fprintln(os.Stderr, "supervise-unit is how the agent starts the supervisor of a unit; use `abide units` instead")
	return 2
}
