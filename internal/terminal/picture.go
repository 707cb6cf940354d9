package terminal

import (
	"fmt"
	"strings"
	"time"

	"github.com/abide-agent/abide/sse"
)

var spinner = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

// draw prints the waiting lines and, on a terminal, the picture of the jobs
// under way below them, in one write, so that nothing flickers. p.mu is held.
func (p *Progress) draw() {
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", p.drawn) // up to its first line, clear to the end
	}
	b.WriteString(p.pending.String())
	p.pending.Reset()
	p.drawn = 0
	if p.s.Live {
		for _, line := range p.picture() {
			b.WriteString(line + "\n")
			p.drawn++
		}
	}
	if b.Len() > 0 {
		// A terminal or pipe that has gone away ends the process by itself.
		_, _ = p.s.W.Write([]byte(b.String()))
	}
}

// picture gives one line for each job under way, none wider than the terminal,
// and not more than half of its rows.
func (p *Progress) picture() []string {
	columns, rows := p.s.size()
	most := max(1, rows/2)
	var out []string
	for i, j := range p.jobs {
		if i == most-1 && len(p.jobs) > most {
			return append(out, p.s.Paint(Dim, cut(fmt.Sprintf("  and %d more jobs", len(p.jobs)-i), columns-1)))
		}
		name := j.job
		if p.several && j.pipeline != "" {
			name = j.pipeline + "/" + name
		}
		name = cut(Clean(name, false), columns/2)
		took := sse.Duration(p.now().Sub(j.since).Truncate(100 * time.Millisecond))
		room := columns - 1 - Width(name) - Width(took) - 4
		out = append(out, p.s.Paint(Cyan, spinner[p.frame%len(spinner)])+" "+p.s.Paint(Bold, name)+" "+
			p.s.Paint(Yellow, took)+" "+p.s.Paint(Dim, cut(strings.ReplaceAll(j.last, "\t", " "), room)))
	}
	return out
}
