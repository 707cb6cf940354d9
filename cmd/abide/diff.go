package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/internal/api/client"
	"github.com/abide-agent/abide/internal/terminal"
	"github.com/abide-agent/abide/reconcile"
)

func diffCmd(p *process) *cobra.Command {
	name := programName(p.args)
	cmd := &cobra.Command{
		Use:   "diff REV1 [REV2] [--git URL|PATH]",
		Short: "Show which resources two revisions of a source differ in",
		Long: `Diff reads a Git source at two revisions, the second being what it follows unless it
is given, and prints the resources that differ: new (+), changed (~) and removed
(-). Branches, tags, commits and forms like main~2 name a revision. Without a
source it asks the daemon about its own.

Exit codes: 0 no difference, 2 differences, 1 any error.`,
		Example: example(name, `
%s diff main origin-branch --git /srv/app.git
%s diff main~1 --source app --json`),
		Args: cobra.RangeArgs(1, 2),
	}
	given := bindSettings(cmd, func(flag string) bool { return !serving(flag) && flag != "grace" && flag != "log-level" })
	asJSON := jsonFlag(cmd)
	r := p.bindRemote(cmd)
	source := cmd.Flags().String("source", "", "which `NAME` the revisions are of, where several sources have a history")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := p.loadSettings(given)
		if err != nil {
			return err
		}
		o := compareOptions{planOptions: planOptions{Settings: s, Stdin: p.in, Warn: p.warn, Source: *source}, From: args[0]}
		if len(args) > 1 {
			o.To = args[1]
		}
		out, err := p.compare(cmd.Context(), r, o)
		if err != nil {
			return err
		}
		return p.printComparison(out, *asJSON)
	}
	return cmd
}

func (p *process) compare(ctx context.Context, r *remote, o compareOptions) (reconcile.Comparison, error) {
	local, err := r.orSources(o.Settings)
	if err != nil {
		return reconcile.Comparison{}, err
	}
	if local {
		return p.newApp(p).Compare(ctx, o)
	}
	return askDaemon(r, func(c *client.Client) (reconcile.Comparison, error) {
		return c.Compare(ctx, o.Source, o.From, o.To)
	})
}

func (p *process) printComparison(out reconcile.Comparison, asJSON bool) error {
	var err error
	if asJSON {
		err = p.printJSON(out)
	} else {
		err = terminal.Comparison(p.screen(), out)
	}
	switch {
	case err != nil:
		return err
	case out.Failed():
		return exitError{code: exitFailed}
	case len(out.Changes) > 0:
		return exitError{code: exitPending}
	}
	return nil
}
