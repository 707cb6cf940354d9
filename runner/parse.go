package runner

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

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
	p.add(problem.Problem{Severity: problem.Error, Line: at.line, Column: at.column,
		Field: field, Message: message, Hint: hint})
}

// warn reports something that changes nothing.
func (p *parser) warn(at position, field, message, hint string) {
	p.add(problem.Problem{Severity: problem.Warning, Line: at.line, Column: at.column,
		Field: field, Message: message, Hint: hint})
}

// finish gives the problems in the order of the file.
func (p *parser) finish() problem.List {
	slices.SortStableFunc(p.problems, func(a, b problem.Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if len(p.dropped) > 0 {
		more := problem.Problem{Severity: problem.Warning, File: p.file,
			Message: fmt.Sprintf("%d more problems are not shown", len(p.dropped)), Hint: "mend these first"}
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

// jobName is one entry of the workflow list.
type jobName struct {
	name, lower string
	at          position
}

// workflow reads the list of jobs.
func (p *parser) workflow() []jobName {
	const field = "workflow"
	const hint = "list the names of the jobs to run, one '- name' a line"
	f := p.root.find(field)
	if f == nil {
		at, also := position{1, 1}, hint
		if near := p.nearKey(field); near != nil {
			at, also = near.at, fmt.Sprintf("did you mean 'workflow' where the file says '%s'?", near.key)
		}
		p.fail(at, field, "workflow must be defined and cannot be empty", also)
		return nil
	}
	var names []jobName
	switch v := f.value; {
	case v.kind == listNode:
		names = p.workflowList(v)
		if len(v.items) > 0 {
			return p.bounded(names, f.at)
		}
	case v.kind == scalarNode && !v.isNull():
		for _, w := range strings.Fields(v.text) {
			names = p.appendName(names, w, v.at)
		}
	}
	if len(names) == 0 {
		p.fail(f.at, field, "workflow must be defined and cannot be empty", hint)
	}
	return p.bounded(names, f.at)
}

func (p *parser) workflowList(list *node) []jobName {
	names := make([]jobName, 0, len(list.items))
	for i, item := range list.items {
		if item.kind != scalarNode {
			p.fail(item.at, "workflow", fmt.Sprintf("all workflow items must be job names, found %s at index %d", item.typeName(), i),
				"list the job's name only and define the job as a key of its own below")
			continue
		}
		if item.isNull() || strings.TrimSpace(item.text) == "" {
			p.fail(item.at, "workflow", fmt.Sprintf("workflow item at index %d cannot be empty", i), "remove it, or name a job")
			continue
		}
		names = p.appendName(names, strings.TrimSpace(item.text), item.at)
	}
	return names
}

// appendName adds a name unless it is one that would harm what it is printed in.
func (p *parser) appendName(names []jobName, name string, at position) []jobName {
	if len(name) > maxJobName || strings.ContainsFunc(name, unicode.IsControl) {
		p.fail(at, "workflow", "a job's name is too long or holds a control character",
			fmt.Sprintf("give it a name of at most %d printable characters", maxJobName))
		return names
	}
	return append(names, jobName{name, strings.ToLower(name), at})
}

func (p *parser) bounded(names []jobName, at position) []jobName {
	if len(names) <= MaxJobs {
		return names
	}
	p.fail(at, "workflow", fmt.Sprintf("workflow lists %d jobs, and %d are allowed", len(names), MaxJobs),
		"split the pipeline into several files")
	return nil
}

// jobField finds the definition of a job by its lower-case name. As with pin, a
// name with dots also finds a map within a map: `a.b` finds `a: {b: …}`.
func (p *parser) jobField(lower string) *field {
	if strings.Count(lower, ".") > 8 {
		return p.root.find(lower)
	}
	return dotted(p.root, lower)
}

func dotted(n *node, lower string) *field {
	if f := n.find(lower); f != nil {
		return f
	}
	for i, r := range lower {
		if r != '.' {
			continue
		}
		if f := n.find(lower[:i]); f != nil && f.value.kind == mapNode {
			if found := dotted(f.value, lower[i+1:]); found != nil {
				return found
			}
		}
	}
	return nil
}

// jobs reads the jobs that workflow lists, in its order.
func (p *parser) jobs(names []jobName) {
	taken := make(map[string]bool, len(names))
	for _, n := range names {
		taken[n.lower] = true
	}
	seen := make(map[string]int, len(names))
	p.pipeline.Jobs = make([]Job, 0, len(names))
	for _, n := range names {
		seen[n.lower]++
		p.job = n.name
		job, ok := p.listedJob(n, seen[n.lower] > 1)
		if ok && seen[n.lower] > 1 {
			job.Name = freshName(n, seen, taken)
			p.warn(n.at, "workflow", fmt.Sprintf("workflow lists the job '%s' %d times", n.name, seen[n.lower]),
				fmt.Sprintf("it runs again under the name '%s'; define a second job to choose the name", job.Name))
		}
		if ok {
			p.pipeline.Jobs = append(p.pipeline.Jobs, job)
		}
		p.job = ""
	}
}

// freshName gives the name of a job that workflow lists once more.
func freshName(n jobName, seen map[string]int, taken map[string]bool) string {
	for i := seen[n.lower]; ; i++ {
		name := fmt.Sprintf("%s-%d", n.name, i)
		if lower := strings.ToLower(name); !taken[lower] {
			taken[lower] = true
			return name
		}
	}
}

// listedJob reads one job of the workflow; again says that its faults are
// already reported.
func (p *parser) listedJob(n jobName, again bool) (Job, bool) {
	f := p.jobField(n.lower)
	if f == nil || f.value.kind != mapNode || len(f.value.fields) == 0 || (isSetting(n.lower) && !looksLikeJob(f.value)) {
		if again {
			return Job{}, false
		}
		at, hint := n.at, fmt.Sprintf("define it as a key '%s:' with an 'image' and a 'script'", n.name)
		if f == nil {
			if near := p.nearJob(n.lower); near != "" {
				hint = fmt.Sprintf("did you mean '%s'?", near)
			}
		} else {
			at = f.at
		}
		p.fail(at, n.name, fmt.Sprintf("job '%s' is not defined or is empty", n.name), hint)
		return Job{}, false
	}
	if !again {
		return p.readJob(n.name, f), true
	}
	quiet := &parser{file: p.file, root: p.root, nested: p.nested, job: n.name, expanded: p.expanded}
	job := quiet.readJob(n.name, f)
	p.expanded = quiet.expanded
	return job, true
}
