package runner

import "fmt"

// group is a stage of a run: its jobs run side by side, it begins when every
// group before it has ended, and what follows waits for all of it. A run of
// consecutive `parallel` jobs is one group, every other job is one of its own.
// pin starts parallel jobs at once and loses the barrier (pin.md §3.4); its
// documentation promises this order.
type group []int // indexes into Pipeline.Jobs

func groups(jobs []Job) []group {
	var out []group
	for i := range jobs {
		if i > 0 && jobs[i].Parallel && jobs[i-1].Parallel {
			out[len(out)-1] = append(out[len(out)-1], i)
			continue
		}
		out = append(out, group{i})
	}
	return out
}

// verdict is what a run's jobs add up to.
type verdict struct {
	state  State
	code   int
	reason string
}

// judge works out a run's state from its jobs, all of which have ended: the
// first job in workflow order that did not go well decides the exit code and
// the reason.
func judge(jobs []JobRun) verdict {
	ran := false
	for _, state := range []State{Interrupted, Cancelled, Failed} {
		for _, j := range jobs {
			if j.State == state {
				return verdict{state, j.ExitCode, fmt.Sprintf("job %s %s: %s", j.Name, state, j.Reason)}
			}
			ran = ran || j.State == Succeeded
		}
	}
	if !ran {
		return verdict{Skipped, 0, "every job was skipped by its condition"}
	}
	return verdict{Succeeded, 0, ""}
}
