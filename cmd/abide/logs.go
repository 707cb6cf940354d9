package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/internal/api"
	"github.com/abide-agent/abide/internal/api/client"
	"github.com/abide-agent/abide/internal/terminal"
	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sse"
)

func logsCmd(p *process) *cobra.Command {
	name := programName(p.args)
	cmd := &cobra.Command{
		Use:   "logs RUN",
		Short: "Show what a run printed and did",
		Long: `Logs shows what a run printed and did. RUN is a run's id, or a pipeline's name for
its newest run. With -f it goes on until the run has ended.

Exit codes: 0 when the run succeeded, was skipped or goes on still, 1 otherwise.`,
		Example: example(name, `
%s logs 01JD5M3ZK0 -f
%s logs build`),
		Args: exactlyOne("a run's id or a pipeline's name"),
	}
	follow := cmd.Flags().BoolP("follow", "f", false, "go on until the run has ended")
	asJSON := cmd.Flags().Bool("json", false, "print each event as a line of JSON")
	cmd.RunE = p.bindRemote(cmd).asking(func(ctx context.Context, c *client.Client, args []string) error {
		run, err := findRun(ctx, c, args[0])
		if err != nil {
			return err
		}
		return p.showRun(ctx, c, run, *follow, *asJSON)
	})
	return cmd
}

// findRun gives the run with an id, or else the newest of a pipeline.
func findRun(ctx context.Context, c *client.Client, name string) (runner.Run, error) {
	run, err := c.Run(ctx, name)
	if !client.IsStatus(err, http.StatusNotFound) {
		return run, err
	}
	page, listErr := c.Runs(ctx, api.RunQuery{Pipeline: name, Limit: 1})
	if listErr != nil || len(page.Runs) == 0 {
		return run, err
	}
	return page.Runs[0], nil
}

// showRun shows a run's log, to its end when follow is set, and gives the exit
// code that its result comes to.
func (p *process) showRun(ctx context.Context, c *client.Client, run runner.Run, follow, asJSON bool) error {
	screen := p.screen()
	screen.Live = screen.Live && follow && !run.State.Final()
	progress := terminal.NewProgress(screen)
	defer progress.Close()
	show := progress.Show
	if asJSON {
		show = func(e sse.Event) { p.printEvent(e) }
	}
	for e, err := range c.Logs(ctx, run.ID, follow) {
		if err != nil {
			return err
		}
		show(e)
	}
	progress.Close()
	if follow {
		ended, err := c.Wait(ctx, run.ID)
		if err != nil {
			return err
		}
		run = ended
	}
	return p.verdictOf(run)
}

// verdictOf turns a run's result into an exit code.
func (p *process) verdictOf(run runner.Run) error {
	switch run.State {
	case runner.Failed, runner.Cancelled, runner.Interrupted:
		return exitError{code: exitFailed}
	}
	return nil
}

// printEvent prints an event as a line of JSON, as /events sends it.
func (p *process) printEvent(e sse.Event) {
	b, err := json.Marshal(e)
	if err != nil {
		p.warn("an event can't be printed: " + err.Error())
		return
	}
	_, _ = p.out.Write(append(b, '\n')) // a reader that has gone ends the process
}
