package runner

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// settings reads the top-level keys that are no jobs. listed are the maps that
// workflow names: one with a job's fields is a job whatever it is called.
func (p *parser) settings(listed map[*node]bool) {
	get := func(name string) *field {
		f := present(p.root, name)
		if f == nil || listed[f.value] && looksLikeJob(f.value) {
			return nil
		}
		return f
	}
	p.logsWithTime(get("logsWithTime"))
	p.docker(get("docker"))
	p.schedule(get("schedule"), get("timezone"))
	p.turns(get("schedule"), get("jitter"), get("missed"), get("overlap"))
	p.trigger(get("trigger"))
	p.pipeline.After = p.after(get("after"))
	p.pipeline.Hosts = unique(texts(p.strings(get("hosts"), "hosts")))
}

func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if s = strings.TrimSpace(s); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// logsWithTime takes what pin takes for true, and reports what pin silently
// takes for false.
func (p *parser) logsWithTime(f *field) {
	if f == nil {
		return
	}
	v := f.value
	if v.kind == scalarNode && (v.tag == "!!bool" || v.tag == "!!str") {
		if b, err := strconv.ParseBool(v.text); err == nil {
			p.pipeline.LogsWithTime = b
			return
		}
	}
	if n, ok := number(v); ok {
		p.pipeline.LogsWithTime = n != 0
		return
	}
	p.warn(v.at, "logsWithTime", "'logsWithTime' must be a boolean value; it is taken as false", "write true or false")
}

// docker reads docker.host, which may also be written as one key with a dot.
func (p *parser) docker(f *field) {
	if f != nil && f.value.kind != mapNode {
		p.fail(f.value.at, "docker", "'docker' must be an object", "write it as a map: docker: {host: \"tcp://localhost:2375\"}")
		return
	}
	if f != nil {
		for _, k := range f.value.fields {
			if !slices.Contains(dockerKeys, k.lower) && !p.isNested(k.value) {
				p.unknownKey(k, dockerKeys, "of docker")
			}
		}
	}
	host := dotted(p.root, "docker.host")
	if host == nil || host.value.isNull() || host.value.isString() && host.value.text == "" {
		return
	}
	if !host.value.isString() {
		p.fail(host.value.at, "docker.host", "docker.host must be a string", quoteHint(host.value))
		return
	}
	text := strings.TrimSpace(host.value.text)
	if message, hint := checkDockerHost(text); message != "" {
		p.fail(host.value.at, "docker.host", message, hint)
		return
	}
	p.pipeline.DockerHost = text
}

// checkDockerHost says what is wrong with an engine's address, or "".
func checkDockerHost(host string) (message, hint string) {
	scheme, rest, found := strings.Cut(host, "://")
	switch {
	case host == "":
		return "docker.host cannot be empty", "give an address, or remove the key for the agent's own engine"
	case !found || !slices.Contains([]string{"tcp", "unix", "npipe", "ssh"}, scheme):
		return "docker.host must start with a valid protocol (tcp://, unix://, npipe://, ssh://), got: " + withoutUser(host),
			"write it as tcp://HOST:PORT or unix:///PATH"
	case scheme == "unix" && !strings.HasPrefix(rest, "/"):
		return "docker.host unix:// format requires an absolute path (e.g., unix:///var/run/docker.sock)", "write three slashes"
	case rest == "":
		return "docker.host " + scheme + ":// format requires host and port (e.g., tcp://localhost:2375)", "add the host"
	case scheme != "tcp":
		return "", ""
	}
	u, err := url.Parse(host)
	if err != nil {
		return "docker.host is not an address, got: " + withoutUser(host), "write it as tcp://HOST:PORT"
	}
	port, err := strconv.Atoi(u.Port())
	switch {
	case u.Port() == "" && u.Hostname() != "":
		return "docker.host tcp:// format must include port (e.g., tcp://localhost:2375)", "add the port, usually 2375, or 2376 with TLS"
	case u.Hostname() == "":
		return "docker.host tcp:// format requires host and port (e.g., tcp://localhost:2375)", "add the host"
	case err != nil || port < 1 || port > 65535:
		return fmt.Sprintf("docker.host has a port outside 1 to 65535, got: %s", u.Port()), "correct the port"
	}
	return "", ""
}

// withoutUser hides the user part of an address, which may hold a password.
func withoutUser(address string) string {
	scheme, rest, found := strings.Cut(address, "://")
	if !found {
		scheme, rest = "", address
	}
	authority, _, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		rest = "***" + rest[i:]
	}
	if found {
		return scheme + "://" + rest
	}
	return rest
}

func (p *parser) schedule(f, zone *field) {
	name := ""
	if s, ok := p.string(zone, "timezone"); ok {
		name = strings.TrimSpace(s)
		if _, err := location(name); err != nil {
			fault := faultOf(err)
			p.fail(zone.value.at, "timezone", fault.message, fault.hint)
			name = ""
		}
		if f == nil {
			p.warn(zone.at, "timezone", "'timezone' without 'schedule' has no effect", "add a 'schedule', or remove the key")
		}
	}
	if f != nil && f.value.kind == listNode {
		p.fail(f.value.at, "schedule", "'schedule' must be a string", "give one cron expression; several times of day fit into one, as in '0 6,18 * * *'")
		return
	}
	expr, ok := p.string(f, "schedule")
	if !ok {
		return
	}
	s, err := ParseSchedule(expr, name)
	if err != nil {
		fault := faultOf(err)
		p.fail(f.value.at, "schedule", fault.message, fault.hint)
		return
	}
	p.pipeline.Schedule = s
}

const triggerHint = "write 'trigger: manual', or 'trigger: {paths: [\"src/**\"]}'"

func (p *parser) trigger(f *field) {
	switch {
	case f == nil:
	case f.value.isString() && strings.EqualFold(strings.TrimSpace(f.value.text), "manual"):
		p.pipeline.Trigger.Manual = true
	case f.value.kind != mapNode:
		p.fail(f.value.at, "trigger", "'trigger' must be 'manual' or an object with 'paths'", triggerHint)
	default:
		p.triggerMap(f)
	}
}

func (p *parser) triggerMap(f *field) {
	for _, k := range f.value.fields {
		if !slices.Contains(triggerKeys, k.lower) {
			p.unknownKey(k, triggerKeys, "of trigger")
		}
	}
	paths := present(f.value, "paths")
	if paths == nil || paths.value.kind == listNode && len(paths.value.items) == 0 {
		p.fail(f.value.at, "trigger.paths", "'trigger.paths' cannot be empty", triggerHint)
		return
	}
	for _, n := range p.strings(paths, "trigger.paths") {
		if _, err := compileGlob(n.text); err != nil {
			fault := faultOf(err)
			p.fail(n.at, "trigger.paths", fault.message, fault.hint)
			continue
		}
		p.pipeline.Trigger.Paths = append(p.pipeline.Trigger.Paths, n.text)
	}
}

func (p *parser) after(f *field) []string {
	nodes := p.strings(f, "after")
	for _, n := range nodes {
		name := strings.TrimSpace(n.text)
		if name == p.pipeline.Name || name == "pipelines/"+p.pipeline.Name || name == "pipeline/"+p.pipeline.Name {
			p.fail(n.at, "after", "a pipeline can't wait for itself", "remove it from 'after'")
		}
	}
	return unique(texts(nodes))
}

// isNested says whether a value is a job that is found through a dotted name.
func (p *parser) isNested(n *node) bool { return p.nested[n] }

// otherKeys reports the top-level keys that are neither settings nor jobs of
// the workflow, and reads the jobs that never run for what is wrong with them.
func (p *parser) otherKeys(names []jobName, listed map[*node]bool) {
	prefixes, named := map[string]bool{"docker.host": true}, map[string]bool{}
	for _, n := range names {
		named[n.lower] = true
		for i, r := range n.lower {
			if r == '.' {
				prefixes[n.lower[:i]] = true
			}
		}
	}
	for i := range p.root.fields {
		f := &p.root.fields[i]
		switch {
		case isSetting(f.lower), named[f.lower], listed[f.value], prefixes[f.lower] && (f.value.kind == mapNode || f.lower == "docker.host"):
		case f.value.kind == mapNode && (looksLikeJob(f.value) || nearest(f.key, settingKeys) == ""):
			p.unlistedJob(f)
		case !isTemplate(f):
			p.unknownKey(*f, settingKeys, "of a pipeline")
		}
	}
}

// isTemplate says whether a key only holds values for aliases and merge keys.
func isTemplate(f *field) bool {
	return f.value.anchored || strings.HasPrefix(f.key, ".") || strings.HasPrefix(f.lower, "x-")
}

func (p *parser) unlistedJob(f *field) {
	if isTemplate(f) {
		return
	}
	p.warn(f.at, f.key, fmt.Sprintf("job '%s' is not listed in workflow and never runs", f.key), "add it to 'workflow', or remove it")
	p.job, p.demoted = f.key, true
	p.readJob(f.key, f)
	p.job, p.demoted = "", false
}
