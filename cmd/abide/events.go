package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/internal/api/client"
	"github.com/abide-agent/abide/internal/terminal"
	"github.com/abide-agent/abide/sse"
)

func eventsCmd(p *process) *cobra.Command {
	name := programName(p.args)
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Watch what the daemon does",
		Long: `Events shows what happens from now on, or with --since what happened after the
event with that id (0: all that is kept), until it is stopped. It connects anew
when the connection breaks, and misses nothing.`,
		Example: example(name, `
%s events
%s events --since 0 --types job_failed,pipeline_error
%s events --json | jq -r .message`),
		Args: noArgs,
	}
	var q client.EventQuery
	flags := cmd.Flags()
	flags.StringVar(&q.Since, "since", "", "begin after the event `ID`; 0 is the oldest that is kept")
	flags.StringSliceVar(&q.Types, "types", nil, "only these `TYPES`, separated by commas")
	flags.StringVar(&q.Run, "run", "", "only of the run `ID`")
	asJSON := flags.Bool("json", false, "print each event as a line of JSON, as /events sends it, with its id")
	cmd.RunE = p.bindRemote(cmd).asking(func(ctx context.Context, c *client.Client, _ []string) error {
		if _, err := strconv.ParseUint(q.Since, 10, 64); q.Since != "" && err != nil {
			return usage("--since: %q is not an event's id, which is a number", q.Since)
		}
		screen := p.screen()
		for e, err := range c.Events(ctx, q) {
			switch {
			case err != nil:
				return err
			case e.Type == sse.TypeConnection && !slices.Contains(q.Types, sse.TypeConnection):
			case *asJSON:
				p.printEvent(e)
			default:
				if _, err := fmt.Fprintln(p.out, eventLine(screen, e)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return cmd
}

// eventLine is one event for people: id, time, type, whose, and what.
func eventLine(s terminal.Screen, e sse.Event) string {
	color := terminal.Plain
	switch e.Level {
	case sse.Error:
		color = terminal.Red
	case sse.Warning:
		color = terminal.Yellow
	case sse.Success:
		color = terminal.Green
	}
	who := strings.Trim(e.Pipeline+"/"+e.Job, "/")
	if who == "" {
		who = e.Source
	}
	if who != "" {
		who = s.Paint(terminal.Bold, "["+terminal.Clean(who, false)+"]") + " "
	}
	text := terminal.Message(e)
	if e.Stream != "" {
		text = terminal.Clean(e.Message, s.Color)
	}
	stamp := e.Time.Local().Format(time.DateTime)
	return fmt.Sprintf("%s %s %s%s",
		s.Paint(terminal.Dim, fmt.Sprintf("%6d %s", e.ID, stamp)),
		s.Paint(color, fmt.Sprintf("%-20s", terminal.Clean(e.Type, false))), who, text)
}
