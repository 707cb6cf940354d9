package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is set by the linker (-X main.version=…); a plain `go build` leaves
// it to the build information.
var version = ""

// versionText is the release, or the commit that a plain build was made from.
func versionText() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	text := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (text == "" || text == "(devel)") {
			text = "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	if text == "" || text == "(devel)" {
		return "devel"
	}
	return text
}

func newRoot(p *process) *cobra.Command {
	name := programName(p.args)
	root := &cobra.Command{
		Use:   name,
		Short: "Make this machine abide by a Git repository",
		Long: `abide makes this machine, and the network devices that it manages, abide by what Git
repositories and directories say: it works out what they ask for, shows the plan,
runs pipelines in containers, converges systemd units and configures devices over
NETCONF, and tells what it does while it does it.

Settings come from flags, ABIDE_* variables and a file given with --config, in
this order. Exit codes: 0 done, 1 failed, 2 wrong usage (plan: 2 changes
pending, 1 any error), 130 or 143 when a signal ended it.`,
		Example: example(name, `
%s apply -f pipeline.yaml               # run one pipeline now
%s plan --git https://example.org/x.git # what would be done
%s apply --daemon --git /srv/x.git      # keep this machine in line, and serve
%s events                               # watch what the daemon does`),
		Version:       versionText(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate(name + " {{.Version}}\n")
	root.SuggestionsMinimumDistance = 2
	root.AddGroup(
		&cobra.Group{ID: "do", Title: "Make it so:"},
		&cobra.Group{ID: "ask", Title: "Ask a running daemon:"},
	)
	add := func(group string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("do", applyCmd(p), planCmd(p), diffCmd(p), validateCmd(p), purgeCmd(p))
	add("ask", statusCmd(p), runsCmd(p), logsCmd(p), eventsCmd(p), triggerCmd(p),
		cancelCmd(p), retryCmd(p), suspendCmd(p), resumeCmd(p), rollbackCmd(p), unitsCmd(p), devicesCmd(p), servicesCmd(p))
	root.AddCommand(deviceSimCmd(p), versionCmd(p))
	return root
}

// example indents the lines of an example and puts the program's name in.
func example(name, text string) string {
	text = strings.ReplaceAll(strings.TrimSpace(text), "%s", name)
	return "  " + strings.ReplaceAll(text, "\n", "\n  ")
}

func versionCmd(p *process) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: example(programName(p.args), "%s version"),
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(p.out, "%s %s (%s, %s/%s)\n", programName(p.args), versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
