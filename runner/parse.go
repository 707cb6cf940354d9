package runner

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/abide-agent/abide/internal/problem"
)

// The bounds of one pipeline file. A file beyond one of them is refused with a
// problem that names the bound.
const (
	// MaxPipelineBytes is how long a pipeline file may be.
	MaxPipelineBytes = 1 << 20
	// MaxJobs is how many jobs a workflow may list.
	MaxJobs = 10_000
	// MaxProblems is how many problems of one file are reported.
	MaxProblems = 100

	maxJobName       = 128     // bytes
	maxExpandedBytes = 8 << 20 // what all strings of all jobs may come to, aliases followed
)

// Parse reads one pipeline file: name is what the pipeline is called, file what
// messages call the file. It reports every fault it finds, in the order of the
// file, each with its place; a pipeline is given only when no problem of the
// list is an error. The YAML is pin's (docs/pin-compat.md lists what differs):
// keys in any case, unknown keys are warnings and near misses of known keys
// errors. Parse is safe for concurrent use and never panics on any text.
func Parse(name, file string, text []byte) (*Pipeline, problem.List) {
	p := &parser{file: file, pipeline: &Pipeline{Name: name, File: file, Text: text}}
	if p.readable(text) {
		p.document(string(text))
	}
	if list := p.finish(); list.Err() != nil {
		return nil, list
	} else {
		return p.pipeline, list
	}
}

// parser holds what one reading has found so far.
type parser struct {
	file     string
	pipeline *Pipeline
	root     *node
	problems problem.List
	dropped  []problem.Severity // of the problems beyond MaxProblems
	expanded int                // bytes of strings read, aliases followed
	job      string
	demoted  bool           // reading a job that never runs: its faults are warnings
	nested   map[*node]bool // the jobs that were found through a name with dots
}

func (p *parser) add(pr problem.Problem) {
	if p.demoted {
		pr.Severity = problem.Warning
	}
	if len(p.problems) >= MaxProblems {
		p.dropped = append(p.dropped, pr.Severity)
		return
	}
	pr.File, pr.Job = p.file, p.job
	p.problems = append(p.problems, pr)
}

// fail reports an error of a field at a place.
func (p *parser) fail(at position, field, message, hint string) {
	p.add(problem.Problem{
		Severity: problem.Error, Line: at.line, Column: at.column,
		Field: field, Message: message, Hint: hint,
	})
}

// warn reports something that changes nothing.
func (p *parser) warn(at position, field, message, hint string) {
	p.add(problem.Problem{
		Severity: problem.Warning, Line: at.line, Column: at.column,
		Field: field, Message: message, Hint: hint,
	})
}

// finish gives the problems in the order of the file.
func (p *parser) finish() problem.List {
	slices.SortStableFunc(p.problems, func(a, b problem.Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if len(p.dropped) > 0 {
		more := problem.Problem{
			Severity: problem.Warning, File: p.file,
			Message: fmt.Sprintf("%d more problems are not shown", len(p.dropped)), Hint: "mend these first",
		}
		if slices.Contains(p.dropped, problem.Error) {
			more.Severity = problem.Error
		}
		p.problems = append(p.problems, more)
	}
	return p.problems
}

func (p *parser) document(text string) {
	doc, err := loadYAML(text)
	if err != nil {
		p.syntax(text, err)
		return
	}
	if doc.root.isNull() {
		p.fail(position{1, 1}, "workflow", "the file is empty", "list the jobs to run under 'workflow:'")
		return
	}
	if doc.root.kind != mapNode {
		p.fail(doc.root.at, "workflow", fmt.Sprintf("a pipeline is a map with a 'workflow' key, found %s", doc.root.typeName()),
			"start the file with 'workflow:' and a list of job names")
		return
	}
	if doc.more {
		p.warn(doc.root.at, "", "only the first YAML document of the file is read",
			"put the other pipelines into files of their own")
	}
	for _, d := range doc.duplicates {
		p.duplicateKey(d)
	}
	p.root = doc.root
	p.pipelineKeys()
}

func (p *parser) duplicateKey(d duplicate) {
	message := fmt.Sprintf("'%s' is defined twice, first at line %d, column %d", d.second.key, d.first.at.line, d.first.at.column)
	if d.first.key != d.second.key {
		message = fmt.Sprintf("'%s' and '%s' (line %d, column %d) are the same key, as keys are read in any case",
			d.second.key, d.first.key, d.first.at.line, d.first.at.column)
	}
	p.fail(d.second.at, d.second.key, message, "remove or rename one of them")
}

// pipelineKeys reads the top level.
func (p *parser) pipelineKeys() {
	names := p.workflow()
	listed := make(map[*node]bool, len(names))
	p.nested = map[*node]bool{}
	for _, n := range names {
		if f := p.jobField(n.lower); f != nil && f.value.kind == mapNode {
			listed[f.value] = true
			p.nested[f.value] = p.root.find(n.lower) == nil
		}
	}
	p.settings(listed)
	p.jobs(names)
	p.otherKeys(names, listed)
}
