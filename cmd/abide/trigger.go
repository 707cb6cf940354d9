package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/internal/api"
	"github.com/abide-agent/abide/internal/api/client"
)

func triggerCmd(p *process) *cobra.Command {
	name := programName(p.args)
	cmd := &cobra.Command{
		Use:   "trigger FILE|-",
		Short: "Let the daemon run a pipeline now",
		Long: `Trigger sends a pipeline file, or with - standard input, to the daemon and prints
the id of the run that it starts. With --wait it shows the run and exits when it
has ended.

Exit codes: 0 started (with --wait: succeeded), 1 refused (with --wait: failed).`,
		Example: example(name, `
%s trigger pipeline.yaml
%s trigger pipeline.yaml --wait
generate | %s trigger - --name generated`),
		Args: exactlyOne("a pipeline file or -"),
	}
	wait := cmd.Flags().Bool("wait", false, "show the run and wait for its end")
	as := cmd.Flags().StringP("name", "n", "", "call the pipeline `NAME` (default: the daemon's choice)")
	asJSON := jsonFlag(cmd)
	cmd.RunE = p.bindRemote(cmd).asking(func(ctx context.Context, c *client.Client, args []string) error {
		text, err := p.readPipeline(args[0])
		if err != nil {
			return err
		}
		started, err := c.Trigger(ctx, text, *as)
		if err != nil {
			return err
		}
		switch {
		case *asJSON:
			err = p.printJSON(started)
		case *wait:
			_, err = fmt.Fprintln(p.err, started.RunID) // stdout is the run's
		default:
			_, err = fmt.Fprintln(p.out, started.RunID)
		}
		if err != nil || !*wait {
			return err
		}
		run, err := c.Run(ctx, started.RunID)
		if err != nil {
			return err
		}
		return p.showRun(ctx, c, run, true, *asJSON)
	})
	return cmd
}

// readPipeline reads a file, or standard input for "-", up to what the daemon
// takes: it says what is wrong with the content.
func (p *process) readPipeline(file string) ([]byte, error) {
	in := p.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, errors.New(file + " can't be read: " + reason(err) + "; check the path and its permissions")
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, api.MaxBody+1))
	if err != nil {
		return nil, errors.New(file + " can't be read: " + reason(err) + "; check the path and its permissions")
	}
	if len(text) > api.MaxBody {
		return nil, fmt.Errorf("%s is larger than %d KiB; a pipeline is a short text, put large scripts into files that it copies", file, api.MaxBody>>10)
	}
	return text, nil
}

func cancelCmd(p *process) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cancel RUN",
		Short:   "End a run",
		Long:    "Cancel asks the daemon to end a run, by its id, and does not wait for that.",
		Example: example(programName(p.args), "%s cancel 01JD5M3ZK0"),
		Args:    exactlyOne("a run's id"),
	}
	cmd.RunE = p.bindRemote(cmd).asking(func(ctx context.Context, c *client.Client, args []string) error {
		if err := c.Cancel(ctx, args[0]); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.out, "The run %s is being cancelled.\n", args[0])
		return err
	})
	return cmd
}
