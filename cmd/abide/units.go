package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/fleetapi"
	"github.com/abide-agent/abide/internal/api/client"
	"github.com/abide-agent/abide/internal/terminal"
)

// unitsCmd is `abide units` and what can be done with one of them.
func unitsCmd(p *process) *cobra.Command {
	name := programName(p.args)
	cmd := &cobra.Command{
		Use:   "units [list]",
		Short: "List the daemon's systemd units, and look after one",
		Long: `Units lists the units that the daemon looks after: those of its sources, and those
that were created over the fleet API.

Only the latter can be started, stopped, loaded, unloaded and destroyed here;
what a source declares is changed in the source.`,
		Example: example(name, `
%s units
%s units status web.service
%s units journal web.service`),
		Args: cobra.MaximumNArgs(0),
	}
	list := p.listUnits(cmd)
	cmd.RunE = list
	sub := &cobra.Command{Use: "list", Short: "List the units", Args: noArgs, Example: example(name, "%s units list --json")}
	sub.RunE = p.listUnits(sub)
	cmd.AddCommand(sub, p.unitCmd("cat", "Print a unit's file", p.catUnit), p.statusOfUnit(), p.journalCmd())
	for _, v := range []struct{ verb, desired, short string }{
		{"start", "launched", "Have a unit running"},
		{"stop", "loaded", "Have a unit placed and not running"},
		{"load", "loaded", "Have a unit placed and not running"},
		{"unload", "inactive", "Have a unit neither running nor placed"},
	} {
		cmd.AddCommand(p.unitCmd(v.verb, v.short, func(ctx context.Context, c *client.Client, unit string) error {
			return c.SetUnit(ctx, unit, v.desired)
		}))
	}
	cmd.AddCommand(p.unitCmd("destroy", "Stop a unit and forget it", func(ctx context.Context, c *client.Client, unit string) error {
		return c.DestroyUnit(ctx, unit)
	}))
	return cmd
}

// unitCmd makes a command about one unit.
func (p *process) unitCmd(verb, short string, do func(context.Context, *client.Client, string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: verb + " NAME", Short: short, Args: cobra.ExactArgs(1),
		Example: example(programName(p.args), "%s units "+verb+" web.service"),
	}
	cmd.RunE = p.bindRemote(cmd).asking(func(ctx context.Context, c *client.Client, args []string) error {
		return do(ctx, c, args[0])
	})
	return cmd
}

func (p *process) listUnits(cmd *cobra.Command) func(*cobra.Command, []string) error {
	asJSON := jsonFlag(cmd)
	return p.bindRemote(cmd).asking(func(ctx context.Context, c *client.Client, _ []string) error {
		units, err := c.Units(ctx)
		if err != nil {
			return err
		}
		if *asJSON {
			return p.printJSON(map[string]any{"units": units})
		}
		t := terminal.Table{Head: []string{"UNIT", "WANTED", "IS", "HEALTH", "SINCE", "SOURCE", "REASON"}}
		for _, u := range units {
			t.Add(terminal.Text(u.Name), terminal.Text(u.DesiredState), terminal.Text(u.CurrentState),
				terminal.Cell{Text: u.Health, Color: healthColor(u.Health)}, terminal.Text(u.Since), terminal.Text(u.Source), terminal.Text(firstLine(u.Reason)))
		}
		return t.Write(p.screen())
	})
}

func healthColor(health string) terminal.Color {
	switch health {
	case "ok":
		return terminal.Green
	case "changing", "waiting", "refused":
		return terminal.Yellow
	}
	return terminal.Red
}

func (p *process) catUnit(ctx context.Context, c *client.Client, name string) error {
	u, err := c.Unit(ctx, name)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(p.out, unitFile(u.Options))
	return err
}

// unitFile writes options as fleet writes a unit file.
func unitFile(options []*fleetapi.UnitOption) string {
	var order []string
	sections := map[string]*strings.Builder{}
	for _, o := range options {
		b := sections[o.Section]
		if b == nil {
			b = &strings.Builder{}
			sections[o.Section] = b
			order = append(order, o.Section)
		}
		fmt.Fprintf(b, "%s=%s\n", o.Name, o.Value)
	}
	var out []string
	for _, s := range order {
		out = append(out, "["+s+"]\n"+sections[s].String())
	}
	return strings.Join(out, "\n")
}

// statusOfUnit is `abide units status`.
func (p *process) statusOfUnit() *cobra.Command {
	var asJSON *bool
	cmd := p.unitCmd("status", "Show how a unit is", func(ctx context.Context, c *client.Client, name string) error {
		return p.unitStatus(ctx, c, name, *asJSON)
	})
	asJSON = jsonFlag(cmd)
	return cmd
}

func (p *process) unitStatus(ctx context.Context, c *client.Client, name string, asJSON bool) error {
	u, err := c.Unit(ctx, name)
	if err != nil {
		return err
	}
	lines, _ := c.UnitJournal(ctx, name, 10) // a unit that never printed has no journal
	if asJSON {
		return p.printJSON(map[string]any{"unit": u, "journal": lines})
	}
	s := p.screen()
	fmt.Fprintf(p.out, "%s %s: wanted %s, is %s", s.Paint(healthColor(u.Health), "●"), u.Name, u.DesiredState, u.CurrentState)
	if u.Since != "" {
		fmt.Fprintf(p.out, " since %s", u.Since)
	}
	fmt.Fprintln(p.out)
	for _, line := range [][2]string{{"health", u.Health}, {"reason", u.Reason}, {"drift", u.Drift}, {"without effect here", strings.Join(u.Ignored, ", ")}, {"source", u.Source}} {
		if line[1] != "" {
			fmt.Fprintf(p.out, "  %s: %s\n", line[0], terminal.Clean(line[1], false))
		}
	}
	for _, l := range lines {
		fmt.Fprintln(p.out, "  | "+terminal.Clean(l, true))
	}
	return nil
}

func (p *process) journalCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "journal NAME", Short: "Print what a unit printed last", Args: cobra.ExactArgs(1),
		Example: example(programName(p.args), "%s units journal web.service -n 50"),
	}
	n := cmd.Flags().IntP("lines", "n", 100, "how many `LINES`")
	cmd.RunE = p.bindRemote(cmd).asking(func(ctx context.Context, c *client.Client, args []string) error {
		lines, err := c.UnitJournal(ctx, args[0], *n)
		for _, l := range lines {
			fmt.Fprintln(p.out, terminal.Clean(l, true))
		}
		return err
	})
	return cmd
}
