package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// document is where the figures of the last whole run are kept, between two
// marks; what stands outside of them is written by hand.
const (
	document  = "BENCHMARKS.md"
	markBegin = "<!-- bench: begin (written by `make bench`) -->\n"
	markEnd   = "<!-- bench: end -->\n"
)

// report is one run: where and when, and its rows by subject.
type report struct {
	facts []string
	began time.Time
	load  string
	took  time.Duration
	parts []part
}

type part struct {
	subject subject
	rows    []row
	notRun  string // why there are none
}

func newReport(ctx context.Context, r *rig) *report {
	commit := output(ctx, "git", "rev-parse", "--short=12", "HEAD")
	if output(ctx, "git", "status", "--porcelain", "--untracked-files=no") != "" {
		commit += " with changes"
	}
	p := &report{began: time.Now(), load: loadAverage()}
	p.facts = []string{
		fmt.Sprintf("%d cores (%s), %s", runtime.NumCPU(), processor(), kernel()),
		"Docker " + r.engineVersion + ", " + runtime.Version(),
		"commit " + commit,
	}
	if r.quick {
		p.facts = append(p.facts, "**a quick run: too few rounds for the record**")
	}
	return p
}

func (p *report) add(s subject, rows []row) { p.parts = append(p.parts, part{subject: s, rows: rows}) }

// skip notes a subject that can't be measured on this machine.
func (p *report) skip(s subject, why string) {
	p.parts = append(p.parts, part{subject: s, notRun: why})
}

func (p *report) end() { p.took = time.Since(p.began) }

func (p *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s; %s. Load average %s at the start, %s at the end; %.0f s in all.\n\n",
		p.began.UTC().Format("2006-01-02 15:04 UTC"), strings.Join(p.facts, "; "), p.load, loadAverage(), p.took.Seconds())
	met, missed := 0, 0
	var notRun []string
	for _, part := range p.parts {
		if part.notRun != "" {
			notRun = append(notRun, part.subject.name)
		}
		for _, r := range part.rows {
			switch {
			case r.Open:
			case r.Met:
				met++
			default:
				missed++
			}
		}
	}
	fmt.Fprintf(&b, "Goals met: %d, missed: %d.", met, missed)
	if len(notRun) > 0 {
		fmt.Fprintf(&b, " Not run: %s.", strings.Join(notRun, ", "))
	}
	b.WriteString("\n\n")
	b.WriteString(tableHead())
	for _, part := range p.parts {
		b.WriteString(part.markdown(""))
	}
	return b.String()
}

// markdown gives the part's rows under its heading, with a remark under that
// where there is one.
func (p part) markdown(remark string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| **%s** (`-only %s`) | | | | | |\n", p.subject.about, p.subject.name)
	if remark != "" {
		fmt.Fprintf(&b, "| *%s* | | | | | |\n", remark)
	}
	if p.notRun != "" {
		b.WriteString(row{What: "**not run**: " + p.notRun, Open: true}.markdown())
	}
	for _, r := range p.rows {
		b.WriteString(r.markdown())
	}
	return b.String()
}

// write puts the run between the marks of the document; one that is not whole,
// into the parts that it measured.
func (p *report) write(name string, whole bool) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("%w; run it at the top of the project", err)
	}
	head, rest, ok := bytes.Cut(text, []byte(markBegin))
	_, tail, ended := bytes.Cut(rest, []byte(markEnd))
	if !ok || !ended {
		return fmt.Errorf("%s has lost its marks %q and %q; put them back", name, markBegin, markEnd)
	}
	table := p.markdown()
	if before, _, _ := bytes.Cut(rest, []byte(markEnd)); !whole {
		table = p.mend(string(before))
	}
	return os.WriteFile(name, []byte(string(head)+markBegin+"\n"+strings.Trim(table, "\n")+"\n\n"+markEnd+string(tail)), 0o644)
}

// output runs a command for a fact about the run; one that is missing is no
// reason not to measure.
func output(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
