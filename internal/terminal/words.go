package terminal

import (
	"fmt"
	"strings"

	"github.com/abide-agent/abide/sse"
)

// mark gives the sign and colour that an event is shown with.
func mark(e sse.Event) (string, Color) {
	switch e.Type {
	case sse.TypeJobCompleted, sse.TypePipelineComplete:
		return "✔", Green
	case sse.TypeJobFailed, sse.TypePipelineError:
		return "✘", Red
	case sse.TypeJobSkipped, sse.TypePipelineSkipped:
		return "○", Dim
	case sse.TypeJobCancelled, sse.TypePipelineCancelled, sse.TypePipelineInterrupted:
		return "◌", Yellow
	}
	switch e.Level {
	case sse.Error:
		return "✘", Red
	case sse.Warning:
		return "!", Yellow
	case sse.Success:
		return "✔", Green
	}
	return "⚉", Cyan
}

// quiet tells the events that say nothing a person at the terminal asked for.
func quiet(e sse.Event) bool {
	switch e.Type {
	case sse.TypeConnection, sse.TypeGap:
		return true
	case sse.TypeSourceUpdated, sse.TypePlan:
		return e.Message == ""
	}
	return false
}

// Message is what an event says, with the time it took and the exit code where
// they are given and not said already.
func Message(e sse.Event) string {
	text := e.Message
	if text == "" {
		text = e.Type
	}
	if code, ok := e.Fields["exit_code"]; ok && e.Type == sse.TypeJobFailed {
		text = withMore(text, fmt.Sprintf("exit code %v", code))
	}
	for _, key := range []string{"duration", "total_duration"} {
		if d, ok := e.Fields[key].(string); ok && d != "" {
			text = withMore(text, d)
		}
	}
	return Clean(text, false)
}

func withMore(text, more string) string {
	if strings.Contains(text, more) {
		return text
	}
	return text + " (" + more + ")"
}

// ended says whether the event ends its job, or (with no job) its pipeline.
func ended(e sse.Event) bool {
	switch e.Type {
	case sse.TypeJobCompleted, sse.TypeJobFailed, sse.TypeJobSkipped, sse.TypeJobCancelled,
		sse.TypePipelineComplete, sse.TypePipelineError, sse.TypePipelineCancelled,
		sse.TypePipelineInterrupted, sse.TypePipelineSkipped:
		return true
	}
	return false
}
