package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/internal/settings"
	"github.com/abide-agent/abide/internal/terminal"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/sse"
)

func applyCmd(p *process) *cobra.Command {
	name := programName(p.args)
	cmd := &cobra.Command{
		Use:   "apply [-f FILE|DIR|-]… [--git URL|PATH]…",
		Short: "Do what the sources ask for, once or as a daemon",
		Long: `Apply reads the sources, does what they ask for, and exits; with --daemon it goes
on following them and serves the API.

A pipeline file given with -f is an explicit request: it runs every time, keeps
no state, and - stands for standard input. A directory (-f DIR) or repository
(--git) runs what is new or changed since the last time; what failed is not
tried again until it changes or is asked for with ` + "`" + name + ` retry` + "`" + `.

Sources on the command line take the place of those in the settings file. At the
first SIGTERM or SIGINT running jobs get --grace to finish and are then ended; a
second one ends everything at once.` + savedPlanText + `

Exit codes: 0 done, 1 something failed, waits or moved since the plan, 2 wrong usage.`,
		Example: example(name, `
%s apply -f pipeline.yaml
%s apply --git https://example.org/team/app.git --branch main --path deploy
%s plan --git /srv/app.git --json >FILE || test $? = 2 && %s apply --git /srv/app.git --plan FILE
%s apply --daemon --host 127.0.0.1 --port 8081 --git /srv/app.git
%s apply --daemon --config /etc/abide.yaml`),
		Args: noArgs,
	}
	cmd.Flags().SortFlags = false
	daemon := cmd.Flags().Bool("daemon", false, "keep going: follow the sources and serve the API")
	planFile := cmd.Flags().String("plan", "", "apply exactly the plan in `FILE`, or refuse; - stands for standard input")
	given := bindSettings(cmd, func(string) bool { return true })
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := p.loadSettings(given)
		if err != nil {
			return err
		}
		if err := p.checkApply(given, s, *daemon); err != nil {
			return err
		}
		plan, err := p.savedPlan(*planFile, s, *daemon)
		if err != nil {
			return err
		}
		return p.apply(cmd.Context(), s, *daemon, plan)
	}
	return cmd
}

// checkApply refuses what can't be meant.
func (p *process) checkApply(given values, s settings.Settings, daemon bool) error {
	if daemon {
		return nil // pin's users start one without anything and send it pipelines
	}
	if len(s.Sources) == 0 && len(s.Files) == 0 {
		return usage("there is nothing to apply; give a file or directory with -f, a repository with --git, or sources with --config")
	}
	for flag := range given {
		if serving(flag) {
			return usage("--%s is for a daemon; add --daemon", flag)
		}
	}
	return nil
}

func (p *process) apply(ctx context.Context, s settings.Settings, daemon bool, plan *reconcile.Plan) error {
	screen := p.screen()
	if daemon {
		screen.Live = false // its output is a log, not a picture
	}
	progress := terminal.NewProgress(screen)
	defer progress.Close()
	show := progress.Show
	if !daemon && !screen.Live {
		show = p.splitErrors(progress.Show)
	}
	exit, err := p.newApp(p).Apply(ctx, applyOptions{
		Settings: s, Daemon: daemon, Plan: plan, Stdin: p.in, Show: show, Warn: p.warn, Log: p.err,
	})
	progress.Close()
	if err != nil {
		return err
	}
	if daemon {
		if exit != exitDone {
			return exitError{code: exit}
		}
		return nil // a daemon that was asked to stop and stopped is done
	}
	if err := p.sumUp(ctx, screen, progress.Summary(), exit); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return exitError{code: exitFailed, err: context.Cause(ctx)}
	}
	if exit != exitDone {
		return exitError{code: exit}
	}
	return nil
}

// splitErrors sends what is wrong outside of any run (a source that can't be
// read, a broken file) to standard error, where a script looks for it.
func (p *process) splitErrors(show func(sse.Event)) func(sse.Event) {
	return func(e sse.Event) {
		if e.Run == "" && e.Level == sse.Error {
			p.complain(terminal.Message(e))
			return
		}
		show(e)
	}
}

// sumUp ends what was shown with one line.
func (p *process) sumUp(ctx context.Context, screen terminal.Screen, summary string, exit int) error {
	switch {
	case ctx.Err() != nil:
		summary = strings.TrimSpace("Stopped. " + summary)
	case summary == "" && exit != exitDone:
		summary = "Nothing ran."
	case summary == "":
		summary = "Nothing to do."
	}
	if _, err := fmt.Fprintln(p.out, screen.Paint(terminal.Bold, summary)); err != nil {
		return errors.New("the output can't be written")
	}
	return nil
}
