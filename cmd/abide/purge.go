package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/internal/settings"
	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/internal/terminal"
)

func purgeCmd(p *process) *cobra.Command {
	name := programName(p.args)
	cmd := &cobra.Command{
		Use:   "purge --yes",
		Short: "Stop and remove every unit that abide placed",
		Long: `Purge stops every unit that abide placed on this machine, removes its files, and
forgets that it was there. It is what stopping the agent never does.

The agent has to be stopped first. What is wanted stays wanted: units of sources,
and those that were created over the fleet API, are placed again when the agent
runs again. Without --yes it lists the units and changes nothing.`,
		Example: example(name, `
%s purge
%s purge --yes --state /var/lib/abide`),
		Args: noArgs,
	}
	given := bindSettings(cmd, func(flag string) bool {
		return flag == "state" || flag == "config" || flag == "units" || flag == "unit-dir"
	})
	yes := cmd.Flags().Bool("yes", false, "really do it")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := p.loadSettings(given)
		if err != nil {
			return err
		}
		o := purgeOptions{Settings: s, Yes: *yes, Show: func(line string) { fmt.Fprintln(p.out, terminal.Clean(line, false)) }}
		n, err := p.newApp(p).Purge(cmd.Context(), o)
		switch {
		case err != nil:
			return err
		case n > 0 && !*yes:
			return fmt.Errorf("nothing was changed; say --yes to stop and remove %s", count(n, "unit"))
		}
		_, err = fmt.Fprintf(p.out, "%s removed.\n", count(n, "unit"))
		return err
	}
	return cmd
}

// Purge implements [app].
func (w wired) Purge(ctx context.Context, o purgeOptions) (n int, err error) {
	s := o.Settings
	s.Sources, s.Files = nil, nil // what is placed goes, whatever is wanted
	a, err := wire(ctx, wireOptions{settings: s, warn: w.p.warn, stateful: true})
	if held, ok := errors.AsType[*store.LockedError](err); ok {
		return 0, fmt.Errorf("a running agent (process %d) holds the state directory %s and would place the units again; stop it first", held.Holder.PID, held.Dir)
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if a.units == nil {
		return 0, errors.New("units are off, so there is nothing to purge; name their engine with --units")
	}
	names, err := a.units.kind.Placed(ctx)
	if err != nil || !o.Yes {
		for _, name := range names {
			o.Show(name)
		}
		return len(names), err
	}
	return a.units.kind.Purge(ctx, names, func(name string, err error) {
		if err == nil {
			o.Show(name + " was stopped and removed")
		}
	})
}

// purgeOptions is what `purge` was asked to do.
type purgeOptions struct {
	Settings settings.Settings
	Yes      bool // false: only Show the names of what would go
	Show     func(line string)
}
