package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/internal/api/client"
	"github.com/abide-agent/abide/internal/settings"
	"github.com/abide-agent/abide/internal/terminal"
	"github.com/abide-agent/abide/reconcile"
)

func planCmd(p *process) *cobra.Command {
	name := programName(p.args)
	cmd := &cobra.Command{
		Use:   "plan [-f FILE|DIR|-]… [--git URL|PATH]…",
		Short: "Show what apply would do, and change nothing",
		Long: `Plan reads the same sources as apply and prints what apply would do: what runs
(+ new, ~ changed), what is removed (-), what waits (…) and what is broken (!),
each with its reason. Without any source it asks the daemon for its plan. With
--xml it prints what apply sends to the devices, and nothing else.

Exit codes: 0 nothing to do, 2 changes pending, 1 any error.`,
		Example: example(name, `
%s plan --git /srv/app.git
%s plan -f /etc/abide.d --json`),
		Args: noArgs,
	}
	given := bindSettings(cmd, func(flag string) bool { return !serving(flag) && flag != "grace" && flag != "log-level" })
	asJSON := jsonFlag(cmd)
	asXML := cmd.Flags().Bool("xml", false, "print the configuration that apply sends to devices")
	cmd.MarkFlagsMutuallyExclusive("json", "xml")
	r := p.bindRemote(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := p.loadSettings(given)
		if err != nil {
			return err
		}
		plan, err := p.plan(cmd.Context(), s, r)
		if err != nil {
			return err
		}
		return p.printPlan(plan, *asJSON, *asXML)
	}
	return cmd
}

func (p *process) plan(ctx context.Context, s settings.Settings, r *remote) (reconcile.Plan, error) {
	local := len(s.Sources) > 0 || len(s.Files) > 0
	if local && r.server != "" {
		return reconcile.Plan{}, usage("a daemon plans over its own sources; leave away either --server or the sources")
	}
	if local {
		return p.newApp(p).Plan(ctx, planOptions{Settings: s, Stdin: p.in, Warn: p.warn})
	}
	c, err := r.client()
	if err != nil {
		return reconcile.Plan{}, err
	}
	defer c.Close()
	plan, err := c.Plan(ctx)
	if _, away := errors.AsType[*client.Unreachable](err); away && !r.named() {
		return plan, fmt.Errorf("there is no source to plan for, and no daemon answers at %s; give a file or directory with -f, a repository with --git, or sources with --config", c.Server())
	}
	return plan, err
}

// printPlan shows a plan and gives the exit code that it comes to.
func (p *process) printPlan(plan reconcile.Plan, asJSON, asXML bool) error {
	var err error
	switch {
	case asJSON:
		err = p.printJSON(plan)
	case asXML:
		err = terminal.PlanXML(p.screen(), plan)
	default:
		err = terminal.Plan(p.screen(), plan)
	}
	switch {
	case err != nil:
		return err
	case plan.Failed():
		return exitError{code: exitFailed}
	case plan.Pending() > 0:
		return exitError{code: exitPending}
	}
	return nil
}

func jsonFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print JSON")
}

// printJSON prints v indented, as people read it and jq takes it.
func (p *process) printJSON(v any) error {
	enc := json.NewEncoder(p.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
