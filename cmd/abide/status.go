package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/internal/api"
	"github.com/abide-agent/abide/internal/api/client"
	"github.com/abide-agent/abide/internal/terminal"
	"github.com/abide-agent/abide/reconcile"
)

// statusReport is what `status --json` prints: the fields of /health, and what
// /v1/sources and /v1/resources answer.
type statusReport struct {
	Server string `json:"server"`
	api.Health
	Sources   []reconcile.SourceStatus   `json:"sources"`
	Resources []reconcile.ResourceStatus `json:"resources"`
}

func statusCmd(p *process) *cobra.Command {
	name := programName(p.args)
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the daemon's health, sources and resources",
		Long: `Status shows how the daemon is, where its sources stand, and the state of every
resource, with the next five turns of each schedule.

Exit codes: 0 when the daemon answers, healthy or degraded, 1 when it doesn't.`,
		Example: example(name, `
%s status
%s status --json | jq -r '.resources[] | select(.state == "failed").name'`),
		Args: noArgs,
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = p.bindRemote(cmd).asking(func(ctx context.Context, c *client.Client, _ []string) error {
		report, err := askStatus(ctx, c)
		if err != nil {
			return err
		}
		if *asJSON {
			return p.printJSON(report)
		}
		return p.printStatus(report)
	})
	return cmd
}

func askStatus(ctx context.Context, c *client.Client) (r statusReport, err error) {
	r.Server = c.Server()
	if r.Health, err = c.Health(ctx); err != nil {
		return r, err
	}
	if r.Sources, err = c.Sources(ctx); err != nil {
		return r, err
	}
	r.Resources, err = c.Resources(ctx, api.ResourceQuery{})
	return r, err
}

func (p *process) printStatus(r statusReport) error {
	s := p.screen()
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s, up %s, %d pipelines run", s.Paint(terminal.StateColor(r.Status), r.Status), r.Server, r.Uptime, r.Runs)
	if r.Running != nil && r.Queued != nil {
		fmt.Fprintf(&b, ", %d running, %d queued", *r.Running, *r.Queued)
	}
	b.WriteByte('\n')
	for _, reason := range r.Reasons {
		b.WriteString("  " + s.Paint(terminal.Yellow, terminal.Clean(reason, false)) + "\n")
	}
	if _, err := fmt.Fprint(p.out, b.String()); err != nil {
		return err
	}
	for _, t := range []terminal.Table{sourceTable(r.Sources), resourceTable(r.Resources), turnTable(r.Resources)} {
		if len(t.Rows) == 0 {
			continue
		}
		if _, err := fmt.Fprintln(p.out); err != nil {
			return err
		}
		if err := t.Write(s); err != nil {
			return err
		}
	}
	return nil
}

func sourceTable(list []reconcile.SourceStatus) terminal.Table {
	t := terminal.Table{Head: []string{"SOURCE", "TYPE", "LOCATION", "REVISION", "RESOURCES", "CHECKED", "STATE"}}
	for _, src := range list {
		state, color := "ready", terminal.Green
		switch {
		case src.Hold == nil && src.Pin != nil:
			state, color = "pinned to "+terminal.ShortRevision(src.Pin.Revision)+" by "+src.Pin.By+": "+src.Pin.Reason, terminal.Yellow
		case src.Hold != nil:
			state, color = "held by "+src.Hold.By+": "+src.Hold.Reason, terminal.Yellow
		case src.Error != "":
			state, color = firstLine(src.Error), terminal.Red
		}
		t.Add(terminal.Text(src.Name), terminal.Text(src.Type), terminal.Text(src.Location),
			terminal.Text(terminal.ShortRevision(src.Revision)), terminal.Text(fmt.Sprint(src.Resources)),
			terminal.Text(localTime(src.Checked)), terminal.Cell{Text: state, Color: color})
	}
	return t
}

// turnTable shows when what has a schedule comes due.
func turnTable(list []reconcile.ResourceStatus) terminal.Table {
	t := terminal.Table{Head: []string{"SCHEDULE OF", "LAST TURN", "NEXT TURNS"}}
	for _, r := range list {
		if len(r.Turns) > 0 {
			t.Add(terminal.Text(r.Kind+"/"+r.Name), terminal.Text(localTime(r.Cron)), terminal.Text(terminal.Times(r.Turns)))
		}
	}
	return t
}

func resourceTable(list []reconcile.ResourceStatus) terminal.Table {
	t := terminal.Table{Head: []string{"RESOURCE", "SOURCE", "STATE", "LAST", "NEXT", "REASON"}}
	for _, r := range list {
		last := "-"
		if r.Last != nil {
			last = string(r.Last.Result) + " " + localTime(r.Last.When)
		}
		why := r.Reason
		if errs := r.Problems.Errors(); why == "" && len(errs) > 0 {
			why = errs[0].String()
		}
		t.Add(terminal.Text(r.Kind+"/"+r.Name), terminal.Text(r.Source),
			terminal.Cell{Text: r.State, Color: terminal.StateColor(r.State)}, terminal.Text(last),
			terminal.Text(localTime(r.Next)), terminal.Text(firstLine(why)))
	}
	return t
}
