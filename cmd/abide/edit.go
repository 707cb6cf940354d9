package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/internal/api/client"
)

// whereText says, in the help of the commands below, what they act upon.
const whereText = `

It asks the daemon. With --state it changes that state directory, through the
daemon that holds it where there is one; so it does with the usual state directory
when no daemon answers at the usual address.`

func retryCmd(p *process) *cobra.Command {
	name := programName(p.args)
	cmd := &cobra.Command{
		Use:   "retry NAME",
		Short: "Try a resource again",
		Long: `Retry forgets how the last attempt at a resource ended, so that it is tried again.
NAME is a pipeline's name, or KIND/NAME where two kinds share one.` + whereText,
		Example: example(name, `
%s retry build
%s retry pipeline/build`),
		Args: exactlyOne("a resource's name"),
	}
	p.editing(cmd, editRetry, nil, "%s is tried again.")
	return cmd
}

func suspendCmd(p *process) *cobra.Command {
	name := programName(p.args)
	cmd := &cobra.Command{
		Use:   "suspend [SOURCE]",
		Short: "Hold a source, or everything, until it is resumed",
		Long: `Suspend holds a source, or without one the whole agent: nothing of it is run or
removed until somebody resumes it, also over restarts.` + whereText,
		Example: example(name, `
%s suspend app --reason "release freeze"
%s suspend`),
		Args: atMostOne("source"),
	}
	reason := cmd.Flags().String("reason", "", "why, for those who meet the hold: `TEXT`")
	p.editing(cmd, editSuspend, reason, "%s is held.")
	return cmd
}

func resumeCmd(p *process) *cobra.Command {
	name := programName(p.args)
	cmd := &cobra.Command{
		Use:   "resume [SOURCE]",
		Short: "End a hold",
		Long:  `Resume ends the hold of a source, or without one that of the whole agent.` + whereText,
		Example: example(name, `
%s resume app
%s resume`),
		Args: atMostOne("source"),
	}
	p.editing(cmd, editResume, nil, "%s goes on.")
	return cmd
}

func rollbackCmd(p *process) *cobra.Command {
	name := programName(p.args)
	cmd := &cobra.Command{
		Use:   "rollback SOURCE [REV]",
		Short: "Pin a source to an earlier revision",
		Long: `Rollback makes a revision of a Git source the wanted one: a branch, a tag, a commit,
main~2; without one, the revision that was in force before the present. What comes
after it is not looked at until somebody resumes the source, also over restarts.` + whereText,
		Example: example(name, `
%s rollback app --reason "login is broken"
%s rollback app v1.4.2
%s resume app`),
		Args: cobra.RangeArgs(1, 2),
	}
	reason := cmd.Flags().String("reason", "", "why, for those who meet the pin: `TEXT`")
	p.editing(cmd, editRollback, reason, "%s is rolled back.")
	return cmd
}

// editing makes cmd change the durable state, by asking a daemon or directly.
func (p *process) editing(cmd *cobra.Command, what edit, reason *string, done string) {
	given := bindSettings(cmd, func(flag string) bool { return flag == "state" || flag == "config" })
	r := p.bindRemote(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o := editOptions{Edit: what}
		if len(args) > 0 {
			o.Name = args[0]
		}
		if len(args) > 1 {
			o.Revision = args[1]
		}
		if reason != nil {
			o.Reason = *reason
		}
		if err := p.edit(cmd.Context(), r, given, o); err != nil {
			return err
		}
		name := o.Name
		if name == "" {
			name = "The agent"
		}
		_, err := fmt.Fprintf(p.out, done+"\n", name)
		return err
	}
}

func (p *process) edit(ctx context.Context, r *remote, given values, o editOptions) error {
	_, stateEnv := p.env("ABIDE_STATE")
	direct := !r.named() && (len(given) > 0 || stateEnv)
	if !direct {
		c, err := r.client()
		if err != nil {
			return err
		}
		defer c.Close()
		err = askEdit(ctx, c, o)
		if away, ok := errors.AsType[*client.Unreachable](err); !ok || r.named() {
			return err
		} else if localErr := p.editState(ctx, given, o); localErr != nil {
			return fmt.Errorf("%w\nand without a daemon: %w", away, localErr)
		}
		return nil
	}
	return p.editState(ctx, given, o)
}

func (p *process) editState(ctx context.Context, given values, o editOptions) error {
	s, err := p.loadSettings(given)
	if err != nil {
		return err
	}
	o.Settings = s
	return p.newApp(p).Edit(ctx, o)
}

func askEdit(ctx context.Context, c *client.Client, o editOptions) error {
	switch o.Edit {
	case editRetry:
		kind, name := splitKind(o.Name)
		return c.Retry(ctx, kind, name)
	case editSuspend:
		return c.Suspend(ctx, o.Name, o.Reason)
	case editResume:
		return c.Resume(ctx, o.Name)
	case editRollback:
		_, err := c.Rollback(ctx, o.Name, o.Revision, o.Reason)
		return err
	}
	return fmt.Errorf("there is no edit %q", o.Edit)
}

// splitKind takes KIND/NAME apart. A pipeline's own name may hold slashes.
func splitKind(name string) (kind, rest string) {
	kind, rest, ok := strings.Cut(name, "/")
	switch kind {
	case "pipeline", "unit", "service", "device":
		if ok {
			return kind, rest
		}
	}
	return "", name
}
