package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/internal/terminal"
	"github.com/abide-agent/abide/runner"
)

// verdict is what validate found; its JSON is what --json prints.
type verdict struct {
	Files    []string     `json:"files"`   // that were read as pipelines
	Ignored  []string     `json:"ignored"` // that are no pipelines
	Problems problem.List `json:"problems"`
}

func validateCmd(p *process) *cobra.Command {
	name := programName(p.args)
	cmd := &cobra.Command{
		Use:   "validate PATH…",
		Short: "Check pipeline files without running anything",
		Long: `Validate reads files, directories (the files directly in them and all below
pipelines/, less what .abideignore names) and, for -, standard input, and prints
every problem as FILE:LINE:COLUMN: text.

Exit codes: 0 when nothing is wrong (warnings are shown), 1 when something is.`,
		Example: example(name, `
%s validate pipeline.yaml
%s validate .
git show HEAD:pipelines/build.yaml | %s validate -`),
		Args: atLeastOne("a file, a directory or -"),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		v := verdict{Files: []string{}, Ignored: []string{}, Problems: problem.List{}}
		for _, arg := range args {
			v.path(arg, p.in)
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

// path checks one argument.
func (v *verdict) path(arg string, stdin io.Reader) {
	if arg == "-" {
		v.stream("-", "stdin", stdin, true)
		return
	}
	info, err := os.Stat(arg)
	switch {
	case err != nil:
		v.unreadable(arg, err)
	case info.IsDir():
		v.directory(arg)
	default:
		f, err := os.Open(arg)
		if err != nil {
			v.unreadable(arg, err)
			return
		}
		defer func() { _ = f.Close() }()
		v.stream(arg, pipelineName(filepath.Base(arg)), f, true)
	}
}

// stream reads one pipeline. One that was named must be a pipeline; one that was
// found in a directory may be something else.
func (v *verdict) stream(file, name string, r io.Reader, named bool) {
	text, err := io.ReadAll(io.LimitReader(r, runner.MaxPipelineBytes+1))
	if err != nil {
		v.unreadable(file, err)
		return
	}
	if !named && !runner.IsPipeline(text) {
		v.Ignored = append(v.Ignored, file)
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
	for _, file := range v.Ignored {
		b.WriteString(s.Paint(terminal.Dim, file+": ignored, it has no workflow") + "\n")
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
