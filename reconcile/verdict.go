package reconcile

import (
	"fmt"

	"github.com/abide-agent/abide/internal/problem"
)

// Fate is how a commit fares on this machine, taken over everything that
// its source asks for.
type Fate string

// The fates. A failure counts at once, whatever else is under way.
const (
	FatePending Fate = "pending"
	FateWell    Fate = "success"
	FateFailed  Fate = "failure"
)

// Verdict is the fate of the commit that a source is at.
type Verdict struct {
	Source, Commit string
	Fate           Fate
	Reason         string // one line for people
	Run            string // of the pipeline that the reason is about, or empty
}

// Look has a source looked at again soon, by the loop where it runs. It never
// blocks; a source that there isn't is nothing to look at.
func (a *Agent) Look(source string) {
	a.mu.Lock()
	known := a.sources[source] != nil
	a.mu.Unlock()
	if known {
		a.kick(source)
	}
}

// Verdicts judges the commit of every Git source that could be read the last
// time, in the order of the configuration.
func (a *Agent) Verdicts() []Verdict {
	a.mu.Lock()
	defer a.mu.Unlock()
	tallies := map[string]*tally{}
	var order []*tally
	for _, name := range a.order {
		s := a.sources[name]
		if s.snap == nil || s.snap.Commit == nil || s.status.Error != "" {
			continue
		}
		t := &tally{verdict: Verdict{Source: name, Commit: s.snap.Revision}}
		t.fault(s.desired.Problems)
		tallies[name], order = t, append(order, t)
	}
	if len(order) == 0 {
		return nil
	}
	changes, works := a.plan()
	for _, c := range changes {
		if t := tallies[c.Source]; t != nil {
			t.add(a, c, works[c.Kind+"/"+c.Name].Record)
		}
	}
	out := make([]Verdict, len(order))
	for i, t := range order {
		out[i] = t.sum()
	}
	return out
}

// tally counts the resources of one source.
type tally struct {
	verdict                 Verdict
	total, waiting, failed  int
	firstFailed, firstWaits string
	failedRun, waitingRun   string
}

func (t *tally) fault(list problem.List) {
	if err := list.Err(); err != nil {
		t.failed++
		t.firstFailed = err.Error()
	}
}

// add counts one resource. The caller holds the agent's mu.
func (t *tally) add(a *Agent, c Change, rec Record) {
	t.total++
	state, run := stateOf(c, rec), ""
	if rec.Last != nil {
		run = rec.Last.Run
	}
	if act := a.within(c); act != nil {
		state, run = "running", act.run
	}
	what := c.Kind + " " + c.Name
	switch state {
	case "broken":
		t.fail(what+": "+c.Problems.Err().Error(), "")
	case "failed":
		t.fail(what+" "+string(rec.Last.Result)+": "+rec.Last.Reason, run)
	case "running", "pending", "waiting":
		if t.waiting++; t.waiting == 1 {
			t.firstWaits, t.waitingRun = what+" is "+state, run
		}
	}
}

func (t *tally) fail(why, run string) {
	if t.failed++; t.failed == 1 {
		t.firstFailed, t.failedRun = why, run
	}
}

func (t *tally) sum() Verdict {
	v := t.verdict
	switch {
	case t.failed > 0:
		v.Fate, v.Reason, v.Run = FateFailed, others(t.firstFailed, t.failed-1), t.failedRun
	case t.waiting > 0:
		v.Fate, v.Reason, v.Run = FatePending, others(t.firstWaits, t.waiting-1), t.waitingRun
	default:
		v.Fate, v.Reason = FateWell, fmt.Sprintf("%d resources are as they are wanted", t.total)
		if t.total == 1 {
			v.Reason = "1 resource is as it is wanted"
		}
	}
	return v
}

// others adds to the first of several how many more there are. It goes in front,
// since what is long is cut.
func others(first string, n int) string {
	if n == 0 {
		return first
	}
	return fmt.Sprintf("(and %d more) %s", n, first)
}
