package terminal

import (
	"strings"
)

// Cell is one field of a table, with its colour.
type Cell struct {
	Text  string
	Color Color
}

// Text makes a cell without colour.
func Text(text string) Cell { return Cell{Text: text} }

// Table writes rows under a heading. Columns are padded before they are
// coloured, so that colours never move them. An empty table prints nothing.
type Table struct {
	Head []string
	Rows [][]Cell
}

// Add appends a row.
func (t *Table) Add(cells ...Cell) { t.Rows = append(t.Rows, cells) }

// Write prints the table; the last column is never padded.
func (t *Table) Write(s Screen) error {
	if len(t.Rows) == 0 {
		return nil
	}
	widths := make([]int, len(t.Head))
	for i, h := range t.Head {
		widths[i] = Width(h)
	}
	for _, row := range t.Rows {
		for i := range row {
			row[i].Text = Clean(row[i].Text, false)
			if i < len(widths) {
				widths[i] = max(widths[i], Width(row[i].Text))
			}
		}
	}
	var b strings.Builder
	line := func(cells []Cell) {
		for i, c := range cells {
			pad := ""
			if i < len(cells)-1 && i < len(widths) {
				pad = strings.Repeat(" ", widths[i]-Width(c.Text)+2)
			}
			b.WriteString(s.Paint(c.Color, c.Text) + pad)
		}
		b.WriteByte('\n')
	}
	head := make([]Cell, len(t.Head))
	for i, h := range t.Head {
		head[i] = Cell{h, Dim}
	}
	line(head)
	for _, row := range t.Rows {
		line(row)
	}
	_, err := s.W.Write([]byte(b.String()))
	return err
}

// StateColor gives the colour of a run's, job's or resource's state.
func StateColor(state string) Color {
	switch state {
	case "succeeded", "ready", "healthy":
		return Green
	case "failed", "broken", "degraded":
		return Red
	case "running":
		return Cyan
	case "pending", "waiting", "interrupted", "cancelled", "held":
		return Yellow
	}
	return Dim
}
