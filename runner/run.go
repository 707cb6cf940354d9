package runner

import "time"

// State of a run or of a job in it.
type State string

// The states. Pending and Running are not final; Interrupted ends a run that
// the agent's crash or shutdown cut off and that can't be gone on with.
const (
	Pending     State = "pending"
	Running     State = "running"
	Succeeded   State = "succeeded"
	Failed      State = "failed"
	Cancelled   State = "cancelled"
	Skipped     State = "skipped"
	Interrupted State = "interrupted"
)

// Final says whether a run or job in this state has ended.
func (s State) Final() bool { return s != Pending && s != Running && s != "" }

// Cause says why a run began.
type Cause string

// The causes of a run.
const (
	CauseChange   Cause = "change"   // the digest is new
	CauseSchedule Cause = "schedule" // cron
	CauseTrigger  Cause = "trigger"  // POST /trigger
	CauseRequest  Cause = "request"  // a file given with -f
	CauseRetry    Cause = "retry"    // `abide retry`, or once more after an interruption
)

// Run is the durable record of one run; its JSON is what /v1/runs answers.
type Run struct {
	ID         string    `json:"id"`
	Pipeline   string    `json:"pipeline"`
	Source     string    `json:"source,omitempty"`
	Revision   string    `json:"revision,omitempty"`
	File       string    `json:"file,omitempty"`
	Digest     string    `json:"digest,omitempty"` // the want that this run fulfils; empty for a trigger
	Cause      Cause     `json:"cause"`
	By         string    `json:"by,omitempty"` // who asked, for a trigger or retry
	State      State     `json:"state"`
	Reason     string    `json:"reason,omitempty"` // why it is not succeeded, as a sentence
	ExitCode   int       `json:"exit_code"`        // the first failed job's, in workflow order
	Created    time.Time `json:"created"`
	Started    time.Time `json:"started,omitzero"`
	Ended      time.Time `json:"ended,omitzero"`
	DockerHost string    `json:"docker_host,omitempty"`
	Jobs       []JobRun  `json:"jobs"`
	Text       []byte    `json:"text,omitempty"` // the pipeline's YAML, kept until the run ended
}

// JobRun is one job's part of a Run.
type JobRun struct {
	Name       string    `json:"name"`
	State      State     `json:"state"`
	Reason     string    `json:"reason,omitempty"`
	ExitCode   int       `json:"exit_code"`
	Attempt    int       `json:"attempt,omitempty"`
	Image      string    `json:"image,omitempty"`
	Container  string    `json:"container_id,omitempty"` // present while it exists
	TreeDigest string    `json:"tree_digest,omitempty"`
	Artifact   string    `json:"artifact,omitempty"` // where artifactPath was put
	Started    time.Time `json:"started,omitzero"`
	Ended      time.Time `json:"ended,omitzero"`
}
