package sse

import (
	"encoding/json"
	"time"
)

// The levels of an event, as pin's reference documents them for its clients.
const (
	Info    = "info"
	Success = "success"
	Warning = "warning"
	Error   = "error"
)

// The types of events. This list is append-only: clients filter on these words.
// The first block is pin's, whose clients dispatch on them; the rest is ours.
const (
	TypeConnection        = "connection" // per client, unnumbered
	TypeDaemonStart       = "daemon_start"
	TypePipelineTrigger   = "pipeline_trigger"
	TypeLog               = "log" // narration and, with Stream set, job output
	TypeJobContainerStart = "job_container_start"
	TypeJobCompleted      = "job_completed"
	TypeJobFailed         = "job_failed"
	TypePipelineComplete  = "pipeline_complete"
	TypePipelineError     = "pipeline_error"
	TypeDaemonStop        = "daemon_stop"

	TypePipelineStart       = "pipeline_start"
	TypePipelineCancelled   = "pipeline_cancelled"
	TypePipelineInterrupted = "pipeline_interrupted"
	TypePipelineSkipped     = "pipeline_skipped" // every job was skipped
	TypeJobSkipped          = "job_skipped"
	TypeJobRetry            = "job_retry"
	TypeJobCancelled        = "job_cancelled"
	TypeSourceUpdated       = "source_updated"
	TypeSourceError         = "source_error"
	TypeSourceRecovered     = "source_recovered"
	TypePlan                = "plan"
	TypeProblem             = "problem"
	TypeHold                = "hold"
	TypeResourceRemoved     = "resource_removed"
	TypeHealth              = "health"
	TypeStale               = "stale" // per client, unnumbered: what was asked for is gone
	TypeGap                 = "gap"   // ids that a crash may have swallowed
)

// Event is one entry of the log. ID and Time are given by [Log.Publish]; the
// rest is the publisher's. An Event is a value: nobody changes one that was
// published.
type Event struct {
	ID       uint64
	Type     string
	Level    string // info when empty
	Message  string
	Job      string
	Time     time.Time
	Run      string
	Pipeline string
	Revision string
	Source   string // the source's name, or pin's "http_endpoint" for a trigger
	Stream   string // "stdout" or "stderr" on a line that a job printed, else empty

	// Fields are what a type adds: container_id, duration, exit_code and the
	// like. A key equal to one of the above is ignored.
	Fields map[string]any
}

// Output says whether the event is a line that a job printed: such events are
// stored once, in their run's own log, so that they never evict transitions.
func (e Event) Output() bool { return e.Stream != "" && e.Run != "" }

// MarshalJSON gives the flat object that pin's clients read: `type`, `level`,
// `message` and `timestamp` always, everything else where it is set. Keys come
// in a fixed order, Fields sorted after the rest.
func (e Event) MarshalJSON() ([]byte, error) {
	out := make(map[string]any, len(e.Fields)+10)
	for k, v := range e.Fields {
		out[k] = v
	}
	set := func(k, v string) {
		if v != "" {
			out[k] = v
		} else {
			delete(out, k)
		}
	}
	level := e.Level
	if level == "" {
		level = Info
	}
	set("job", e.Job)
	set("run", e.Run)
	set("pipeline", e.Pipeline)
	set("revision", e.Revision)
	set("source", e.Source)
	set("stream", e.Stream)
	out["type"], out["level"], out["message"] = e.Type, level, e.Message
	out["timestamp"] = e.Time.UTC().Format(time.RFC3339Nano)
	return json.Marshal(out)
}
