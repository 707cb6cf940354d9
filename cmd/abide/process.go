package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/internal/terminal"
)

// The exit codes. `plan` alone uses 2 for "changes are pending", so that there
// a faulty command line is 1 like every other error.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitPending = 2
)

// process is everything a command touches of the process it runs in, so that
// tests run the whole command tree within their own.
type process struct {
	args     []string
	in       io.Reader
	out, err io.Writer
	env      func(string) (string, bool)
	environ  []string
	newApp   func(*process) app
	// interrupted gives 128 + the signal that ended the context, or 0.
	interrupted func() int
}

func (p *process) getenv(key string) string {
	v, _ := p.env(key)
	return v
}

// screen is where results go.
func (p *process) screen() terminal.Screen { return terminal.Detect(p.out, p.getenv) }

// exitError ends the command with a code, after what it says was printed.
type exitError struct {
	code int
	err  error // nil: everything has been said
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// usage says that the command line itself is at fault.
func usage(format string, args ...any) error {
	return exitError{exitUsage, fmt.Errorf(format, args...)}
}

// run performs one command line and gives the exit code.
func run(ctx context.Context, p process) int {
	root := newRoot(&p)
	if len(p.args) > 0 {
		root.SetArgs(p.args[1:])
	}
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)

	ran := false // false: cobra refused the command line before any of our code
	root.PersistentPreRun = func(*cobra.Command, []string) { ran = true }
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	return p.finish(ctx, cmd, err, ran)
}

// finish prints the error and says what it comes to.
func (p *process) finish(ctx context.Context, cmd *cobra.Command, err error, ran bool) int {
	code := exitFailed
	exit, isExit := errors.AsType[exitError](err)
	switch {
	case isExit:
		code = exit.code
	case !ran:
		code = exitUsage
	}
	if ctx.Err() != nil && p.interrupted != nil && p.interrupted() != 0 {
		code = p.interrupted()
		if errors.Is(err, context.Canceled) {
			return code // the user knows what he did
		}
	}
	if !isExit || exit.err != nil {
		p.report(cmd, err, !ran || isExit && code == exitUsage)
	}
	if cmd.Name() == "plan" && code == exitUsage && (!isExit || exit.err != nil) {
		code = exitFailed
	}
	return code
}

// report prints an error: each problem of a list on its own line, after a usage
// error where to read on. Cobra's own usage text is never printed.
func (p *process) report(cmd *cobra.Command, err error, isUsage bool) {
	if list, ok := errors.AsType[problem.List](err); ok {
		for _, fault := range list {
			p.complain(fault.String())
		}
	} else {
		lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
		if isUsage {
			lines = []string{onOneLine(lines)}
		}
		for _, line := range lines {
			p.complain(line)
		}
	}
	if isUsage {
		fmt.Fprintf(p.err, "See `%s --help`.\n", cmd.CommandPath())
	}
}

// onOneLine joins what cobra spreads over several lines ("Did you mean this?").
func onOneLine(lines []string) string {
	var words []string
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" {
			words = append(words, l)
		}
	}
	return strings.Join(words, " ")
}

// warn prints a line about what stops nothing, complain about what does.
func (p *process) warn(text string)     { p.remark(terminal.Yellow, text) }
func (p *process) complain(text string) { p.remark(terminal.Red, text) }

func (p *process) remark(color terminal.Color, text string) {
	screen := terminal.Detect(p.err, p.getenv)
	fmt.Fprintf(p.err, "%s %s\n", screen.Paint(color, programName(p.args)+":"), terminal.Clean(text, false))
}
