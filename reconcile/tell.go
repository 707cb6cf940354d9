package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/sources"
	"github.com/abide-agent/abide/sse"
)

// finding is a problem with what it is a problem of.
type finding struct {
	problem.Problem
	source, revision, pipeline string
}

// untold gives the problems that are there now and were not published yet. One
// that is mended and comes back is published again. The caller holds mu.
func (a *Agent) untold() (out []finding) {
	now := map[string]bool{}
	note := func(f finding) {
		key := f.source + "\x00" + f.String()
		if !a.told[key] && !now[key] {
			out = append(out, f)
		}
		now[key] = true
	}
	for _, p := range a.problems {
		note(finding{Problem: p})
	}
	for _, key := range slices.Sorted(maps.Keys(a.want)) {
		r := a.want[key]
		for _, p := range r.Problems {
			note(finding{p, r.Source, r.Revision, r.Name})
		}
	}
	a.told = now
	return out
}

func (a *Agent) tellProblems(list []finding) {
	for _, f := range list {
		level := sse.Error
		if f.Severity == problem.Warning {
			level = sse.Warning
		}
		a.Publish(sse.Event{
			Type: sse.TypeProblem, Level: level, Source: f.source, Revision: f.revision, Pipeline: f.pipeline, Job: f.Job, Message: f.String(),
			Fields: map[string]any{"file": f.File, "line": f.Line, "column": f.Column, "field": f.Field},
		})
	}
}

// mostTold bounds the changes that a plan event names.
const mostTold = 20

// tellPlan says what a new revision leads to.
func (a *Agent) tellPlan(name string, snap *sources.Snapshot, changes []Change) {
	var todo []string
	for _, c := range changes {
		if c.Source == name && (c.Pending() || c.Operation == OpWait) {
			todo = append(todo, string(c.Operation)+" "+c.Kind+" "+c.Name)
		}
	}
	n := len(todo)
	if n == 0 {
		return
	}
	if n > mostTold {
		todo = append(todo[:mostTold], fmt.Sprintf("and %d more", n-mostTold))
	}
	a.Publish(sse.Event{
		Type: sse.TypePlan, Source: name, Revision: snap.Revision, Message: "Plan: " + strings.Join(todo, ", "),
		Fields: map[string]any{"changes": n},
	})
}

// tellGuard says that resources left which nothing but a human's word removes:
// unlike other things that wait, they wait for ever.
func (a *Agent) tellGuard(name string, snap *sources.Snapshot, changes []Change, works map[string]Work) {
	n := 0
	for _, c := range changes {
		if c.Source == name && c.Operation == OpWait && works[c.Kind+"/"+c.Name].Guarded {
			n++
		}
	}
	if n == 0 {
		return
	}
	a.Publish(sse.Event{
		Type: sse.TypeProblem, Level: sse.Warning, Source: name, Revision: snap.Revision,
		Message: fmt.Sprintf("%d resources left source %s at once and are kept; start the agent with --max-prune %d if they are to go", n, name, n),
	})
}
