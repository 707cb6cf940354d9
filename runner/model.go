package runner

import (
	"regexp"
	"time"
)

// Pipeline is one parsed and valid pipeline file. It is immutable after Parse.
type Pipeline struct {
	Name         string // the path below pipelines/ less its extension, or what the caller names it
	File         string // as messages name it
	Text         []byte // the file as it stands, for the digest and for a run that goes on after a restart
	Jobs         []Job  // in the order of `workflow`
	LogsWithTime bool
	DockerHost   string // empty: the agent's own engine
	Schedule     *Schedule
	Turns        Turns // of the schedule
	Trigger      Trigger
	After        []string // names of resources, as `kind/name` or a pipeline's bare name
	Hosts        []string
}

// Trigger says which commits run a pipeline.
type Trigger struct {
	Manual bool     // `trigger: manual`: no commit runs it, only schedule and request
	Paths  []string // `trigger: {paths: […]}`: gitignore-style globs; replaces what copyFiles would copy in the digest
}

// Job is one job of a pipeline. Defaults are filled in by Parse.
type Job struct {
	Name          string
	Line, Column  int // of the job's key
	Image         string
	Dockerfile    string // path in the tree, slash-separated
	Script        []string
	WorkDir       string // empty when the file gives none: see the executor
	CopyFiles     bool
	CopyIgnore    []*regexp.Regexp // unanchored, against the slash path below the tree's root
	SoloExecution bool
	Parallel      bool
	Errexit       bool     // true unless `errexit: false`
	Env           []string // K=V
	Ports         []Port
	ArtifactPath  string
	Condition     *Condition // nil: always
	Retry         Retry

	dockerfileAt position // of the value of `dockerfile`, for faults found later
}

// Port publishes a container's port. HostIP empty means all interfaces.
type Port struct {
	HostIP        string
	HostPort      int
	ContainerPort int
	Protocol      string // "tcp", "udp" or "sctp"
}

// Retry is how often a job is tried and how long is waited between: before
// attempt n+1 the wait is Delay·Backoff^(n-1), at most MaxRetryWait.
type Retry struct {
	Attempts int           // 1..10
	Delay    time.Duration // 0..300 s
	Backoff  float64       // 0.1..10
}
