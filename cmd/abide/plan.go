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
--rev it plans as if a Git source stood at another branch, tag or commit, such as
that of a pull request. With
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
	rev := cmd.Flags().String("rev", "", "plan as if the source stood at this `REV`")
	source := cmd.Flags().String("source", "", "which `NAME` --rev is of, where several sources have a history")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := p.loadSettings(given)
		if err != nil {
			return err
		}
		plan, err := p.plan(cmd.Context(), r, planOptions{Settings: s, Stdin: p.in, Warn: p.warn, Source: *source, Revision: *rev})
		if err != nil {
			return err
		}
		return p.printPlan(plan, *asJSON, *asXML)
	}
	return cmd
}

func (p *process) plan(ctx context.Context, r *remote, o planOptions) (reconcile.Plan, error) {
	local, err := r.orSources(o.Settings)
	if err != nil {
		return reconcile.Plan{}, err
	}
	if local {
		return p.newApp(p).Plan(ctx, o)
	}
	return askDaemon(r, func(c *client.Client) (reconcile.Plan, error) { return askPlan(ctx, c, o) })
}

// orSources says whether a command is about sources that it was given, not about
// a daemon's.
func (r *remote) orSources(s settings.Settings) (bool, error) {
	local := len(s.Sources) > 0 || len(s.Files) > 0
	if local && r.server != "" {
		return false, usage("a daemon plans over its own sources; leave away either --server or the sources")
	}
	return local, nil
}

// askDaemon asks a daemon, and says what else could have been asked when there
// is none.
func askDaemon[T any](r *remote, ask func(*client.Client) (T, error)) (T, error) {
	c, err := r.client()
	if err != nil {
		var none T
		return none, err
	}
	defer c.Close()
	out, err := ask(c)
	if _, away := errors.AsType[*client.Unreachable](err); away && !r.named() {
		err = fmt.Errorf("there is no source to plan for, and no daemon answers at %s; give a file or directory with -f, a repository with --git, or sources with --config", c.Server())
	}
	return out, err
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
