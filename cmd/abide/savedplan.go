package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"

	"github.com/abide-agent/abide/internal/settings"
	"github.com/abide-agent/abide/reconcile"
)

// maxPlan bounds a saved plan, in bytes: those of 10,000 resources with their
// differences are far below.
const maxPlan = 256 << 20

// savedPlanText is what the help of apply says of --plan.
const savedPlanText = `

With --plan it applies exactly what ` + "`plan --json`" + ` wrote, or refuses: the revisions
of the sources, and of each change its operation, its content, what was applied
before and what is there must be as they were, and so must what devices are sent.
It says what moved, and applies nothing then. Give it the same sources as the plan.`

// savedPlan reads what `plan --json` wrote; "-" stands for standard input. An
// empty name is no plan.
func (p *process) savedPlan(name string, s settings.Settings, daemon bool) (*reconcile.Plan, error) {
	switch {
	case name == "":
		return nil, nil
	case daemon:
		return nil, usage("a daemon makes its own plans; leave away either --plan or --daemon")
	case name == "-" && slices.Contains(s.Files, "-"):
		return nil, usage("standard input can't be both the plan and a pipeline; give one of them as a file")
	}
	in := p.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, usage("the plan can't be read: %s; check --plan", reason(err))
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxPlan+1))
	if err != nil {
		return nil, usage("the plan can't be read: %s; check --plan", reason(err))
	}
	if len(text) > maxPlan {
		return nil, usage("the plan is larger than %d MiB; check --plan", maxPlan>>20)
	}
	plan, err := decodePlan(text)
	if err != nil {
		return nil, usage("%s is not a plan that `plan --json` wrote: %v", name, err)
	}
	return plan, nil
}

func decodePlan(text []byte) (*reconcile.Plan, error) {
	var plan reconcile.Plan
	if err := json.Unmarshal(text, &plan); err != nil {
		return nil, err
	}
	if plan.Created.IsZero() {
		return nil, errors.New("it does not say when it was created")
	}
	return &plan, nil
}
