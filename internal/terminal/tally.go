package terminal

import (
	"fmt"
	"strings"

	"github.com/abide-agent/abide/sse"
)

// tally counts what came of pipelines, units and services. A unit or an instance
// counts once, by what was said of it last.
type tally map[string]map[string]string // family → what → how it ended

// families and how their parts may end, in the order in which they are told.
var families = []struct {
	name string
	ends []string
}{
	{"Pipelines", []string{"succeeded", "failed", "cancelled", "interrupted", "skipped"}},
	{"Units", []string{"changed", "removed", "failed"}},
	{"Services", []string{"applied", "failed"}},
}

// ends says of an event how something ended, and in which family.
var ends = map[string][2]string{
	sse.TypePipelineComplete:    {"Pipelines", "succeeded"},
	sse.TypePipelineError:       {"Pipelines", "failed"},
	sse.TypePipelineCancelled:   {"Pipelines", "cancelled"},
	sse.TypePipelineInterrupted: {"Pipelines", "interrupted"},
	sse.TypePipelineSkipped:     {"Pipelines", "skipped"},
	sse.TypeUnitStarted:         {"Units", "changed"},
	sse.TypeUnitChanged:         {"Units", "changed"},
	sse.TypeUnitRepaired:        {"Units", "changed"},
	sse.TypeUnitRemoved:         {"Units", "removed"},
	sse.TypeUnitRolledBack:      {"Units", "failed"},
	sse.TypeUnitFailed:          {"Units", "failed"},
	sse.TypeServiceApplied:      {"Services", "applied"},
	sse.TypeServiceFailed:       {"Services", "failed"},
}

// note counts an event that tells an end.
func (t tally) note(e sse.Event) {
	end, ok := ends[e.Type]
	if !ok {
		return
	}
	if t[end[0]] == nil {
		t[end[0]] = map[string]string{}
	}
	what := e.Run
	if what == "" {
		what = e.Pipeline
	}
	t[end[0]][what] = end[1]
}

// String gives a sentence for each family, "" when nothing ended.
func (t tally) String() string {
	var out []string
	for _, f := range families {
		var parts []string
		for _, end := range f.ends {
			n := 0
			for _, how := range t[f.name] {
				if how == end {
					n++
				}
			}
			if n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n, end))
			}
		}
		if len(parts) > 0 {
			out = append(out, f.name+": "+strings.Join(parts, ", ")+".")
		}
	}
	return strings.Join(out, " ")
}

// Summary says what came of all that was shown, "" when nothing did.
func (p *Progress) Summary() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sums.String()
}
