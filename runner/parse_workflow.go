package runner

import (
	"fmt"
	"strings"
	"unicode"
)

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
