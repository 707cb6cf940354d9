package runner

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
)

// readJob reads the definition of a job, filling in the defaults.
func (p *parser) readJob(name string, f *field) Job {
	m := f.value
	job := Job{
		Name: name, Line: f.at.line, Column: f.at.column,
		Retry: Retry{Attempts: 1, Delay: time.Second, Backoff: 1},
	}
	get := func(key string) *field { return present(m, key) }

	p.imageOrDockerfile(&job, f)
	job.Script = p.script(get("script"))
	if s, ok := p.string(get("workDir"), "workDir"); ok {
		job.WorkDir = p.workDir(strings.TrimSpace(s), get("workDir").value.at)
	}
	job.CopyFiles = p.bool(get("copyFiles"), "copyFiles", false)
	job.CopyIgnore = p.copyIgnore(get("copyIgnore"))
	job.SoloExecution = p.bool(get("soloExecution"), "soloExecution", false)
	job.Parallel = p.bool(get("parallel"), "parallel", false)
	job.Errexit = p.bool(get("errexit"), "errexit", true)
	job.Env = p.env(get("env"))
	job.Ports = p.ports(get("port"))
	if s, ok := p.string(get("artifactPath"), "artifactPath"); ok {
		job.ArtifactPath = strings.TrimSpace(s)
	}
	job.Condition = p.condition(get("condition"))
	p.retry(get("retry"), &job.Retry)
	p.jobKeysOf(m, strings.ToLower(name))
	return job
}

// jobKeysOf reports the keys of a job that nobody reads.
func (p *parser) jobKeysOf(m *node, lower string) {
	for _, f := range m.fields {
		if slices.ContainsFunc(jobKeys, func(k string) bool { return strings.EqualFold(k, f.key) }) {
			continue
		}
		if lower == "docker" && f.lower == "host" || f.value.kind == mapNode && p.isNested(f.value) {
			continue // docker.host, and a job whose name has a dot
		}
		p.unknownKey(f, jobKeys, "of a job")
	}
}

func (p *parser) imageOrDockerfile(job *Job, f *field) {
	image, dockerfile := present(f.value, "image"), present(f.value, "dockerfile")
	switch {
	case image == nil && dockerfile == nil:
		at, hint := f.at, "add 'image: alpine:latest' or 'dockerfile: ./Dockerfile' to the job"
		if f := f.value.find("image"); f != nil {
			at, hint = f.at, "give 'image' a value"
		}
		p.fail(at, "image", "either 'image' or 'dockerfile' must be specified", hint)
	case image != nil && dockerfile != nil:
		p.fail(laterOf(image.at, dockerfile.at), "image", "cannot specify both 'image' and 'dockerfile' in the same job", "remove one of them")
	}
	if s, ok := p.string(image, "image"); ok {
		job.Image = strings.TrimSpace(s)
		if _, err := reference.ParseAnyReference(job.Image); err != nil {
			p.fail(image.value.at, "image", fmt.Sprintf("'image' is not the name of an image: %s", err),
				"write it as NAME:TAG in lower case, such as alpine:latest; variables are not expanded here")
		}
	}
	if s, ok := p.string(dockerfile, "dockerfile"); ok {
		job.dockerfileAt = dockerfile.value.at
		job.Dockerfile = path.Clean(strings.TrimSpace(s))
		if job.Dockerfile == "." || job.Dockerfile == ".." || strings.HasPrefix(job.Dockerfile, "../") || path.IsAbs(job.Dockerfile) {
			p.fail(dockerfile.value.at, "dockerfile", fmt.Sprintf("'dockerfile' must name a file of the source, got: %s", strings.TrimSpace(s)),
				"give its path below the source's root, such as ./build/Dockerfile")
		}
	}
}

func laterOf(a, b position) position {
	if a.before(b) {
		return b
	}
	return a
}

func (p *parser) script(f *field) []string {
	if f != nil && f.value.kind == listNode && len(f.value.items) == 0 {
		p.fail(f.value.at, "script", "'script' array cannot be empty", "add a command, or remove the key")
		return nil
	}
	return texts(p.strings(f, "script"))
}

func texts(nodes []*node) []string {
	if len(nodes) == 0 {
		return nil
	}
	out := make([]string, len(nodes))
	for i, n := range nodes {
		out[i] = n.text
	}
	return out
}

func (p *parser) workDir(dir string, at position) string {
	if !path.IsAbs(dir) {
		p.fail(at, "workDir", fmt.Sprintf("'workDir' must be an absolute path, got: %s", dir), "start it with '/'")
	}
	return path.Clean(dir)
}

// env reads K=V entries. pin drops an entry without "=" silently; here it is
// left out with a warning, so that a file that ran still runs.
func (p *parser) env(f *field) []string {
	var out []string
	for _, n := range p.strings(f, "env") {
		name, _, found := strings.Cut(n.text, "=")
		switch {
		case !found:
			p.warn(n.at, "env", fmt.Sprintf("the environment variable '%s' has no value and is left out", n.text),
				fmt.Sprintf("write %s=value", strings.TrimSpace(n.text)))
		case strings.TrimSpace(name) == "":
			p.fail(n.at, "env", "an environment variable needs a name before its '='", "write NAME=value")
		default:
			out = append(out, n.text)
		}
	}
	return out
}

func (p *parser) condition(f *field) *Condition {
	if f != nil && strings.HasPrefix(f.value.tag, "!$") && !f.value.anchored { // `!$X …` without quotes: YAML takes its start for a tag
		v := *f.value
		v.text, v.tag, v.verbatim = strings.TrimSpace(v.tag+" "+v.text), "!!str", 0
		f = &field{key: f.key, at: f.at, value: &v}
	}
	s, ok := p.string(f, "condition")
	if !ok {
		return nil
	}
	c, err := ParseCondition(s)
	if err != nil {
		at, fault := f.value.at, faultOf(err)
		if f.value.verbatim >= 0 && fault.offset >= 0 {
			at.column += f.value.verbatim + len([]rune(s[:min(fault.offset, len(s))]))
		}
		p.fail(at, "condition", fault.message, fault.hint)
		return nil
	}
	if word := c.suspect(); word != "" {
		p.warn(f.value.at, "condition", fmt.Sprintf("the condition has no variable, so it is always %t", c.Eval(noVariables)),
			fmt.Sprintf("did you mean $%s?", word))
	}
	return c
}

func noVariables(string) (string, bool) { return "", false }

func (p *parser) retry(f *field, r *Retry) {
	if f == nil {
		return
	}
	if f.value.kind != mapNode {
		p.fail(f.value.at, "retry", "'retry' must be an object", "write it as a map: retry: {attempts: 3, delay: 5, backoff: 2}")
		return
	}
	if v, ok := p.integer(present(f.value, "attempts"), "retry.attempts", "", 1, 10,
		"must be at least 1", "must not exceed 10 (to prevent infinite loops)"); ok {
		r.Attempts = v
	}
	if v, ok := p.integer(present(f.value, "delay"), "retry.delay", " (seconds)", 0, 300,
		"must be non-negative", "must not exceed 300 seconds"); ok {
		r.Delay = time.Duration(v) * time.Second
	}
	if b := present(f.value, "backoff"); b != nil {
		p.backoff(b, r)
	}
	for _, k := range f.value.fields {
		if !slices.Contains(retryKeys, k.lower) {
			p.unknownKey(k, retryKeys, "of retry")
		}
	}
}

func (p *parser) backoff(f *field, r *Retry) {
	const hint = "write a number from 0.1 to 10"
	v, ok := number(f.value)
	switch {
	case !ok:
		p.fail(f.value.at, "retry.backoff", "retry.backoff must be a number", hint)
	case v <= 0:
		p.fail(f.value.at, "retry.backoff", "retry.backoff must be greater than 0", hint)
	case v < 0.1:
		p.fail(f.value.at, "retry.backoff", "retry.backoff must be at least 0.1", hint)
	case v > 10:
		p.fail(f.value.at, "retry.backoff", "retry.backoff must not exceed 10.0", hint)
	default:
		r.Backoff = v
	}
}
