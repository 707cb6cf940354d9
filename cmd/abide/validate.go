package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/internal/terminal"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/units"
)

// verdict is what validate found; its JSON is what --json prints.
type verdict struct {
	Files    []string     `json:"files"`   // that hold resources
	Ignored  []string     `json:"ignored"` // that look like ours and are not
	Problems problem.List `json:"problems"`

	check func(ctx context.Context, path string) (reconcile.Desired, error)
}

func validateCmd(p *process) *cobra.Command {
	name := programName(p.args)
	cmd := &cobra.Command{
		Use:   "validate PATH…",
		Short: "Check files without doing anything",
		Long: `Validate reads directories as a source is read (the files directly in them and all
below pipelines/, units/, services/ and devices/, less what .abideignore names),
single files and, for -, a pipeline on standard input, and prints every problem as
FILE:LINE:COLUMN: text. Other machines and engines are not asked.

Exit codes: 0 when nothing is wrong (warnings are shown), 1 when something is.`,
		Example: example(name, `
%s validate pipeline.yaml
%s validate .
git show HEAD:pipelines/build.yaml | %s validate -`),
		Args: atLeastOne("a file, a directory or -"),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		v := verdict{Files: []string{}, Ignored: []string{}, Problems: problem.List{}, check: p.newApp(p).Check}
		for _, arg := range args {
			v.path(cmd.Context(), arg, p.in)
		}
		var err error
		if *asJSON {
			err = p.printJSON(v)
		} else {
			err = v.print(p.screen())
		}
		if err == nil && v.Problems.Err() != nil {
			err = exitError{code: exitFailed}
		}
		return err
	}
	return cmd
}

// path checks one argument. A file whose name says nothing else is a pipeline.
func (v *verdict) path(ctx context.Context, arg string, stdin io.Reader) {
	if arg == "-" {
		v.pipeline("-", "stdin", stdin)
		return
	}
	info, err := os.Stat(arg)
	switch ext := filepath.Ext(arg); {
	case err != nil:
		v.unreadable(arg, err)
	case info.IsDir():
		v.source(ctx, arg, arg)
	case ext == ".xml" || units.IsUnit(filepath.Base(arg)):
		v.source(ctx, arg, filepath.Dir(arg))
	default:
		f, err := os.Open(arg)
		if err != nil {
			v.unreadable(arg, err)
			return
		}
		defer func() { _ = f.Close() }()
		v.pipeline(arg, pipelineName(filepath.Base(arg)), f)
	}
}

// source checks a directory, or one file of it, as a source is read. What it
// finds has its place below dir.
func (v *verdict) source(ctx context.Context, arg, dir string) {
	d, err := v.check(ctx, arg)
	if err != nil {
		v.unreadable(arg, err)
		return
	}
	note := func(list problem.List) {
		for _, p := range list {
			if p.File != "" {
				p.File = filepath.Join(dir, p.File)
			}
			v.Problems = append(v.Problems, p)
		}
	}
	for _, r := range d.Resources {
		if file := filepath.Join(dir, r.File); !slices.Contains(v.Files, file) {
			v.Files = append(v.Files, file)
		}
		note(r.Problems)
	}
	note(d.Problems)
	for _, line := range d.Ignored {
		_, line, _ = strings.Cut(line, ": ") // the source's name
		v.Ignored = append(v.Ignored, filepath.Join(dir, line))
	}
}

// pipeline checks one pipeline.
func (v *verdict) pipeline(file, name string, r io.Reader) {
	text, err := io.ReadAll(io.LimitReader(r, runner.MaxPipelineBytes+1))
	if err != nil {
		v.unreadable(file, err)
		return
	}
	v.Files = append(v.Files, file)
	_, problems := runner.Parse(name, file, text)
	v.Problems = append(v.Problems, problems...)
}

func (v *verdict) unreadable(file string, err error) {
	v.Problems = append(v.Problems, problem.Problem{
		Severity: problem.Error, File: file,
		Message: "it can't be read: " + reason(err), Hint: "check the path and its permissions",
	})
}

// pipelineName is a pipeline's path below pipelines/ less its extension.
func pipelineName(path string) string {
	path = strings.TrimPrefix(filepath.ToSlash(path), "pipelines/")
	return strings.TrimSuffix(path, filepath.Ext(path))
}

func (v *verdict) print(s terminal.Screen) error {
	var b strings.Builder
	errs := len(v.Problems.Errors())
	for _, pr := range v.Problems {
		color := terminal.Red
		if pr.Severity == problem.Warning {
			color = terminal.Yellow
		}
		text := terminal.Clean(pr.String(), false)
		if place, rest, ok := strings.Cut(text, ": "); ok && pr.File != "" {
			text = s.Paint(terminal.Bold, place+":") + " " + s.Paint(color, rest)
		}
		b.WriteString(text + "\n")
	}
	for _, line := range v.Ignored {
		file, why, _ := strings.Cut(line, ": ")
		b.WriteString(s.Paint(terminal.Dim, terminal.Clean(file+": ignored, "+why, false)) + "\n")
	}
	sum := fmt.Sprintf("%s checked: %s, %s.", count(len(v.Files), "file"), count(errs, "error"), count(len(v.Problems)-errs, "warning"))
	b.WriteString(s.Paint(terminal.Bold, sum) + "\n")
	_, err := io.WriteString(s.W, b.String())
	return err
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// reason is an error without the path that its reader is told anyway.
func reason(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}
