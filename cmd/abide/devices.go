package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/internal/api/client"
	"github.com/abide-agent/abide/internal/terminal"
	"github.com/abide-agent/abide/reconcile"
)

// devicesCmd is `abide devices` and what can be asked of one of them.
func devicesCmd(p *process) *cobra.Command {
	name := programName(p.args)
	cmd := &cobra.Command{
		Use:   "devices [list]",
		Short: "List the daemon's network devices, and look at one",
		Long: `Devices lists the network devices of the daemon's inventory: whether they are
connected, and whether they hold what the services want of them.`,
		Example: example(name, `
%s devices
%s devices diff edge1`),
		Args: cobra.MaximumNArgs(0),
	}
	cmd.RunE = p.listDevices(cmd)
	list := &cobra.Command{Use: "list", Short: "List the devices", Args: noArgs, Example: example(name, "%s devices list --json")}
	list.RunE = p.listDevices(list)
	cmd.AddCommand(list,
		p.deviceCmd("status", "Show how a device is", p.deviceStatus),
		p.deviceCmd("diff", "Compare what is wanted of a device with what is there", p.deviceDiff),
		p.deviceCmd("pull", "Print a device's configuration", p.devicePull),
		p.deviceCmd("sync", "Have a device looked at, and put right, now", func(ctx context.Context, c *client.Client, device string) error {
			return c.SyncDevice(ctx, device)
		}))
	return cmd
}

// deviceCmd makes a command about one device.
func (p *process) deviceCmd(verb, short string, do func(context.Context, *client.Client, string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: verb + " NAME", Short: short, Args: cobra.ExactArgs(1),
		Example: example(programName(p.args), "%s devices "+verb+" edge1"),
	}
	cmd.RunE = p.bindRemote(cmd).asking(func(ctx context.Context, c *client.Client, args []string) error {
		return do(ctx, c, args[0])
	})
	return cmd
}

func (p *process) listDevices(cmd *cobra.Command) func(*cobra.Command, []string) error {
	asJSON := jsonFlag(cmd)
	return p.bindRemote(cmd).asking(func(ctx context.Context, c *client.Client, _ []string) error {
		list, err := c.Devices(ctx)
		if err != nil {
			return err
		}
		if *asJSON {
			return p.printJSON(map[string]any{"devices": list})
		}
		t := terminal.Table{Head: []string{"DEVICE", "ADDRESS", "STATE", "SYNC", "SERVICES", "SOURCE", "REASON"}}
		for _, d := range list {
			t.Add(terminal.Text(d.Name), terminal.Text(d.Address), terminal.Cell{Text: d.State, Color: deviceColor(d.State)},
				terminal.Cell{Text: d.Sync, Color: deviceColor(d.Sync)}, terminal.Text(fmt.Sprint(len(d.Services))), terminal.Text(d.Source), terminal.Text(firstLine(d.Reason)))
		}
		return t.Write(p.screen())
	})
}

func deviceColor(word string) terminal.Color {
	switch word {
	case "connected", "in-sync":
		return terminal.Green
	case "connecting", "pending", "disabled":
		return terminal.Yellow
	}
	return terminal.Red
}

func (p *process) deviceStatus(ctx context.Context, c *client.Client, name string) error {
	d, err := c.Device(ctx, name)
	if err != nil {
		return err
	}
	s := p.screen()
	fmt.Fprintf(p.out, "%s %s at %s: %s, %s", s.Paint(deviceColor(d.State), "●"), terminal.Clean(d.Name, false), d.Address, d.State, d.Sync)
	if !d.Since.IsZero() {
		fmt.Fprintf(p.out, " since %s", d.Since.Local().Format(time.RFC3339))
	}
	fmt.Fprintln(p.out)
	for _, line := range [][2]string{
		{"reason", d.Reason},
		{"groups", strings.Join(d.Groups, ", ")},
		{"services", strings.Join(d.Services, ", ")},
		{"pending", strings.Join(d.Pending, ", ")},
		{"source", strings.Trim(d.Source+" "+d.File, " ")},
	} {
		if line[1] != "" {
			fmt.Fprintf(p.out, "  %s: %s\n", line[0], terminal.Clean(line[1], false))
		}
	}
	for _, why := range d.Refused {
		fmt.Fprintf(p.out, "  refused: %s\n", s.Paint(terminal.Red, terminal.Clean(why, false)))
	}
	for _, drift := range d.Drift {
		fmt.Fprintf(p.out, "  drift: %s\n", terminal.Clean(drift.Path, false))
	}
	return nil
}

func (p *process) deviceDiff(ctx context.Context, c *client.Client, name string) error {
	d, err := c.DeviceDiff(ctx, name)
	if err != nil {
		return err
	}
	return terminal.DevicePlan(p.screen(), d)
}

func (p *process) devicePull(ctx context.Context, c *client.Client, name string) error {
	xml, err := c.DeviceConfig(ctx, name)
	if err != nil {
		return err
	}
	return p.printLines(xml)
}

// printLines prints text of somebody else's, without what would play with the
// terminal.
func (p *process) printLines(text string) error {
	for line := range strings.Lines(text) {
		if _, err := fmt.Fprintln(p.out, terminal.Clean(strings.TrimSuffix(line, "\n"), false)); err != nil {
			return err
		}
	}
	return nil
}

// servicesCmd is `abide services`.
func servicesCmd(p *process) *cobra.Command {
	name := programName(p.args)
	cmd := &cobra.Command{
		Use:   "services [list]",
		Short: "List the daemon's service instances, and who owns which configuration",
		Long: `Services lists the service instances that the daemon keeps on the network devices.
Blame tells which of them want what stands at or below a path of a device.`,
		Example: example(name, `
%s services
%s services show 'ssh-users[ops]'
%s services blame /openconfig-system:system/aaa`),
		Args: cobra.MaximumNArgs(0),
	}
	cmd.RunE = p.listServices(cmd)
	list := &cobra.Command{Use: "list", Short: "List the service instances", Args: noArgs, Example: example(name, "%s services list --json")}
	list.RunE = p.listServices(list)
	show := &cobra.Command{Use: "show NAME", Short: "Show a service instance", Args: cobra.ExactArgs(1), Example: example(name, "%s services show 'ssh-users[ops]'")}
	show.RunE = p.showService(show)
	cmd.AddCommand(list, show, p.blameCmd())
	return cmd
}

func (p *process) listServices(cmd *cobra.Command) func(*cobra.Command, []string) error {
	asJSON := jsonFlag(cmd)
	return p.bindRemote(cmd).asking(func(ctx context.Context, c *client.Client, _ []string) error {
		list, err := c.Services(ctx)
		if err != nil {
			return err
		}
		if *asJSON {
			return p.printJSON(map[string]any{"services": list})
		}
		t := terminal.Table{Head: []string{"SERVICE", "STATE", "CODE", "DEVICES", "SOURCE", "REASON"}}
		for _, s := range list {
			t.Add(terminal.Text(s.Name), terminal.Cell{Text: s.State, Color: serviceColor(s.State)}, terminal.Text(s.Code),
				terminal.Text(devicesOf(s)), terminal.Text(s.Source), terminal.Text(firstLine(s.Reason)))
		}
		return t.Write(p.screen())
	})
}

// devicesOf counts an instance's devices, and those that have yet to follow.
func devicesOf(s reconcile.ServiceStatus) string {
	if len(s.Pending) > 0 {
		return fmt.Sprintf("%d, %d pending", len(s.Devices), len(s.Pending))
	}
	return fmt.Sprint(len(s.Devices))
}

func serviceColor(state string) terminal.Color {
	switch state {
	case "ready":
		return terminal.Green
	case "pending", "waiting", "running":
		return terminal.Yellow
	}
	return terminal.Red
}

func (p *process) showService(cmd *cobra.Command) func(*cobra.Command, []string) error {
	asJSON := jsonFlag(cmd)
	return p.bindRemote(cmd).asking(func(ctx context.Context, c *client.Client, args []string) error {
		s, err := c.Service(ctx, args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return p.printJSON(s)
		}
		fmt.Fprintf(p.out, "%s %s: %s", p.screen().Paint(serviceColor(s.State), "●"), terminal.Clean(s.Name, false), s.State)
		if s.Reason != "" {
			fmt.Fprintf(p.out, ", %s", terminal.Clean(s.Reason, false))
		}
		fmt.Fprintln(p.out)
		for _, line := range [][2]string{{"code", s.Code}, {"devices", strings.Join(s.Devices, ", ")}, {"pending", strings.Join(s.Pending, ", ")}, {"source", s.Source + " " + s.File}} {
			if line[1] != "" {
				fmt.Fprintf(p.out, "  %s: %s\n", line[0], terminal.Clean(line[1], false))
			}
		}
		return p.printLines(s.Text)
	})
}

func (p *process) blameCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "blame [PATH]", Short: "Tell which service instances want what stands at or below a path", Args: cobra.MaximumNArgs(1),
		Example: example(programName(p.args), "%s services blame --device edge1 \"/openconfig-system:system/aaa/authentication/users/user[username='alice']\""),
	}
	device := cmd.Flags().String("device", "", "only on this `DEVICE`")
	asJSON := jsonFlag(cmd)
	cmd.RunE = p.bindRemote(cmd).asking(func(ctx context.Context, c *client.Client, args []string) error {
		path := ""
		if len(args) == 1 {
			path = args[0]
		}
		list, err := c.Blame(ctx, *device, path)
		if err != nil {
			return err
		}
		if *asJSON {
			return p.printJSON(map[string]any{"paths": list})
		}
		t := terminal.Table{Head: []string{"DEVICE", "OWNERS", "PATH", "VALUE"}}
		for _, b := range list {
			t.Add(terminal.Text(b.Device), terminal.Text(strings.Join(b.Owners, ", ")), terminal.Text(b.Path), terminal.Text(firstLine(b.Value)))
		}
		return t.Write(p.screen())
	})
	return cmd
}
