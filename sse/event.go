package sse

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
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

	TypeUnitStarted    = "unit_started"
	TypeUnitChanged    = "unit_changed" // placed, stopped, enabled: anything done that did not start it
	TypeUnitFailed     = "unit_failed"
	TypeUnitDrift      = "unit_drift"
	TypeUnitRepaired   = "unit_repaired"
	TypeUnitRemoved    = "unit_removed"
	TypeUnitRolledBack = "unit_rolled_back"

	TypeServiceApplied       = "service_applied"
	TypeServiceFailed        = "service_failed"
	TypeDeviceConnected      = "device_connected"
	TypeDeviceLost           = "device_lost"
	TypeDeviceUpdated        = "device_updated" // a push reached it
	TypeDeviceRefused        = "device_refused"
	TypeDeviceDrift          = "device_drift"
	TypeDeviceRepaired       = "device_repaired"
	TypeDeviceSchemaDegraded = "device_schema_degraded" // models that can't be had: keys are inferred
	TypeTransactionStarted   = "transaction_started"
	TypeTransactionCommitted = "transaction_committed"
	TypeTransactionAborted   = "transaction_aborted"
	TypeTransactionRecovered = "transaction_recovered" // what a crash left in the middle is at its end
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
func (e Event) Output() bool { return isOutput(e.Type, e.Run, e.Stream) }

func isOutput(typ, run, stream string) bool {
	return typ == TypeLog && stream != "" && validRun(run)
}

// maxRunName bounds a run's name, which becomes a key and part of a path.
const maxRunName = 128

// validRun says whether run can name a directory and nothing outside of it.
// Whatever else claims to be a run's output stays in the log of transitions.
func validRun(run string) bool {
	if run == "" || len(run) > maxRunName || run[0] == '.' {
		return false
	}
	for i := range len(run) {
		if c := run[i]; c <= ' ' || c >= 0x7f || c == '/' || c == '\\' {
			return false
		}
	}
	return true
}

// TerminalRun says whether an event of this type is the last transition of its
// run: nothing but late output lines can follow.
func TerminalRun(typ string) bool {
	switch typ {
	case TypePipelineComplete, TypePipelineError, TypePipelineCancelled,
		TypePipelineInterrupted, TypePipelineSkipped:
		return true
	}
	return false
}

// MarshalJSON gives the flat object that pin's clients read: `type`, `level`,
// `message` and `timestamp` always, everything else where it is set, `id` where
// the event has one. Keys come in a fixed order, Fields sorted after the rest.
func (e Event) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	if e.ID != 0 {
		out = append(strconv.AppendUint(append(out, `"id":`...), e.ID, 10), ',')
	}
	out = appendHead(out, &e)
	out = appendString(out, e.Message)
	for _, k := range sortedKeys(e.Fields) {
		out = appendField(out, k, encodeValue(e.Fields[k]))
	}
	return append(out, '}'), nil
}

// UnmarshalJSON reads what MarshalJSON wrote; keys that it does not know become
// Fields, with the types that encoding/json gives an `any`.
func (e *Event) UnmarshalJSON(data []byte) error {
	var known struct {
		ID        uint64    `json:"id"`
		Type      string    `json:"type"`
		Level     string    `json:"level"`
		Message   string    `json:"message"`
		Job       string    `json:"job"`
		Timestamp time.Time `json:"timestamp"`
		Run       string    `json:"run"`
		Pipeline  string    `json:"pipeline"`
		Revision  string    `json:"revision"`
		Source    string    `json:"source"`
		Stream    string    `json:"stream"`
	}
	if err := json.Unmarshal(data, &known); err != nil {
		return fmt.Errorf("this is not an event of abide: %w", err)
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	maps.DeleteFunc(all, func(k string, _ any) bool { return reserved(k) })
	if len(all) == 0 {
		all = nil
	}
	*e = Event{
		ID: known.ID, Type: known.Type, Level: known.Level, Message: known.Message,
		Job: known.Job, Time: known.Timestamp, Run: known.Run, Pipeline: known.Pipeline,
		Revision: known.Revision, Source: known.Source, Stream: known.Stream, Fields: all,
	}
	return nil
}
