package runner

import (
	"slices"
	"strings"
)

// The keys of a pipeline and of a job as their documentation spells them.
var (
	settingKeys = []string{"workflow", "logsWithTime", "docker", "schedule", "timezone", "jitter", "missed", "overlap", "trigger", "after", "hosts"}
	jobKeys     = []string{
		"image", "dockerfile", "script", "workDir", "copyFiles", "copyIgnore", "soloExecution", "port",
		"parallel", "env", "artifactPath", "condition", "retry", "errexit",
	}
	retryKeys   = []string{"attempts", "delay", "backoff"}
	dockerKeys  = []string{"host"}
	triggerKeys = []string{"paths"}
)

// otherNames are what similar tools call a key of ours: too far from it for a
// near miss, too close to be left without a hint.
var otherNames = map[string]string{
	"environment": "env", "variables": "env", "envs": "env", "env_vars": "env",
	"command": "script", "commands": "script", "cmd": "script", "run": "script", "steps": "script",
	"if": "condition", "when": "condition", "only": "condition",
	"working_dir": "workDir", "working_directory": "workDir", "cwd": "workDir", "directory": "workDir",
	"artifact": "artifactPath", "artifacts": "artifactPath", "retries": "retry",
	"build": "dockerfile", "container": "image", "ignore": "copyIgnore", "exclude": "copyIgnore",
	"cron": "schedule", "tz": "timezone", "needs": "after", "depends_on": "after", "jobs": "workflow",
}

// isSetting says whether a lower-case name is one of our top-level keys.
func isSetting(lower string) bool {
	return slices.ContainsFunc(settingKeys, func(k string) bool { return strings.ToLower(k) == lower })
}

// looksLikeJob says whether a map has a field of a job.
func looksLikeJob(n *node) bool {
	return slices.ContainsFunc(jobKeys, func(k string) bool { return n.find(strings.ToLower(k)) != nil })
}

// nearest gives the known key that a key is a near miss of, or "".
func nearest(key string, known []string) string {
	bare := bareName(key)
	best, least := "", 1<<30
	for _, k := range known {
		lower := strings.ToLower(k)
		limit := 2
		switch n := min(len(lower), len(bare)); {
		case n <= 2:
			limit = 0
		case n <= 5:
			limit = 1
		}
		if d := distance(bare, lower, limit); d <= limit && d < least {
			best, least = k, d
		}
	}
	return best
}

// suggested gives our word for what another tool calls key, if known has it.
func suggested(key string, known []string) string {
	if k := otherNames[strings.ToLower(key)]; slices.Contains(known, k) {
		return k
	}
	return ""
}

// bareName is a key without what people put between the words of a name.
func bareName(key string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(key))
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b (optimal string alignment). Beyond limit it
// may give any larger number.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// nearKey finds a top-level key that is a near miss of a missing one.
func (p *parser) nearKey(missing string) *field {
	for i, f := range p.root.fields {
		if !isSetting(f.lower) && nearest(f.key, []string{missing}) != "" {
			return &p.root.fields[i]
		}
	}
	return nil
}

// nearJob finds a job that is called nearly so, or "".
func (p *parser) nearJob(lower string) string {
	if len(p.root.fields) > 1000 {
		return ""
	}
	var jobs []string
	for _, f := range p.root.fields {
		if f.value.kind == mapNode && !isSetting(f.lower) {
			jobs = append(jobs, f.key)
		}
	}
	return nearest(lower, jobs)
}

// unknownKey reports a key that nobody reads: an error when it is nearly one
// that somebody would, since its writer counts on it.
func (p *parser) unknownKey(f field, known []string, where string) {
	if near := nearest(f.key, known); near != "" {
		p.fail(f.at, f.key, "unknown key '"+f.key+"' "+where, "did you mean '"+near+"'?")
		return
	}
	hint := "remove it, or check its spelling"
	if other := suggested(f.key, known); other != "" {
		hint = "did you mean '" + other + "'?"
	}
	p.warn(f.at, f.key, "unknown key '"+f.key+"' "+where+" is ignored", hint)
}
