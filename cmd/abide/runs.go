package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/internal/api"
	"github.com/abide-agent/abide/internal/api/client"
	"github.com/abide-agent/abide/internal/terminal"
	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sse"
)

func runsCmd(p *process) *cobra.Command {
	name := programName(p.args)
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "List the daemon's runs, newest first",
		Long: `Runs lists what ran, newest first, with how it ended and why it began. --json
prints what GET /v1/runs answers.`,
		Example: example(name, `
%s runs
%s runs --pipeline build --state failed
%s runs --json | jq -r '.runs[0].id'`),
		Args: noArgs,
	}
	var q api.RunQuery
	flags := cmd.Flags()
	flags.IntVar(&q.Limit, "limit", 20, "at most `N` of them")
	flags.StringVar(&q.Pipeline, "pipeline", "", "only runs of the pipeline `NAME`")
	flags.StringVar(&q.State, "state", "", "only runs in `STATE`, such as running or failed")
	flags.StringVar(&q.After, "after", "", "go on after the run `ID`: the page before gives it as next")
	asJSON := jsonFlag(cmd)
	cmd.RunE = p.bindRemote(cmd).asking(func(ctx context.Context, c *client.Client, _ []string) error {
		if q.Limit < 1 || q.Limit > api.MaxPage {
			return usage("--limit: %d is not a number from 1 to %d", q.Limit, api.MaxPage)
		}
		page, err := c.Runs(ctx, q)
		if err != nil {
			return err
		}
		if *asJSON {
			return p.printJSON(page)
		}
		return p.printRuns(page)
	})
	return cmd
}

func (p *process) printRuns(page api.Runs) error {
	if len(page.Runs) == 0 {
		_, err := fmt.Fprintln(p.out, "No runs.")
		return err
	}
	table := terminal.Table{Head: []string{"RUN", "PIPELINE", "STATE", "CAUSE", "BEGAN", "TOOK", "REVISION", "REASON"}}
	for _, r := range page.Runs {
		table.Add(
			terminal.Text(r.ID), terminal.Text(r.Pipeline),
			terminal.Cell{Text: string(r.State), Color: terminal.StateColor(string(r.State))},
			terminal.Text(string(r.Cause)), terminal.Text(localTime(r.Created)), terminal.Text(took(r)),
			terminal.Text(terminal.ShortRevision(r.Revision)), terminal.Text(firstLine(r.Reason)),
		)
	}
	if err := table.Write(p.screen()); err != nil {
		return err
	}
	if page.Next != "" {
		_, err := fmt.Fprintf(p.out, "There are more: add --after %s\n", page.Next)
		return err
	}
	return nil
}

// took is how long a run took, or has taken so far.
func took(r runner.Run) string {
	switch {
	case r.Started.IsZero():
		return "-"
	case r.Ended.IsZero():
		return sse.Duration(time.Since(r.Started)) + "…"
	}
	return sse.Duration(r.Ended.Sub(r.Started))
}

func localTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
