package docker

import (
	"strconv"
	"strings"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/owner"
)

// The labels of every container and built image of abide. They are a promise:
// `docker ps --filter label=dev.abide.run=ID` finds a run's containers.
const (
	LabelAgent    = "dev.abide.agent"
	LabelSource   = "dev.abide.source"
	LabelRevision = "dev.abide.revision"
	LabelRun      = "dev.abide.run"
	LabelJob      = "dev.abide.job"
	LabelAttempt  = "dev.abide.attempt"
	// LabelOwner names the process that made the container; see package owner.
	LabelOwner = "dev.abide.owner"
	// LabelContext is the digest of what an image was built from.
	LabelContext = "dev.abide.context"
)

func labels(l runner.Labels) map[string]string {
	return map[string]string{
		LabelAgent: l.Agent, LabelSource: l.Source, LabelRevision: l.Revision, LabelRun: l.Run,
		LabelJob: l.Job, LabelAttempt: strconv.Itoa(l.Attempt), LabelOwner: owner.Self(),
	}
}

func parseLabels(m map[string]string) runner.Labels {
	attempt, _ := strconv.Atoi(m[LabelAttempt])
	return runner.Labels{
		Agent: m[LabelAgent], Source: m[LabelSource], Revision: m[LabelRevision],
		Run: m[LabelRun], Job: m[LabelJob], Attempt: attempt,
	}
}

// containerName is for people who look at `docker ps`; labels are for us. The
// engine allows [a-zA-Z0-9][a-zA-Z0-9_.-]+.
func containerName(l runner.Labels) string {
	return "abide-" + clean(l.Run, 40) + "-" + clean(l.Job, 60) + "-" + strconv.Itoa(l.Attempt)
}

// clean makes s a part of a name, at most size bytes long.
func clean(s string, size int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, s)
	if s = strings.Trim(s[:min(len(s), size)], "-._"); s == "" {
		return "x"
	}
	return s
}
