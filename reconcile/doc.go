// Package reconcile knows what is wanted, what was done, and what is therefore
// to do: the durable record of each resource with its table of transitions, the
// loading of snapshots into desired state, the plan, and the loop that applies
// it, watches, and goes on after a crash. Each family of resources hangs on it
// as a [Kind]. It never knows HTTP, Docker, D-Bus, XML or SSH.
package reconcile
