package terminal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/reconcile"
)

// Plan prints a plan: one line for each change, sorted by kind and name, with
// its reason, what will stand in the way, and the difference; then the sums.
func Plan(s Screen, p reconcile.Plan) error {
	w := &planWriter{s: s}
	for _, src := range p.Sources {
		w.source(src)
	}
	for _, h := range p.Holds {
		where := "everything"
		if h.Source != "" {
			where = "source " + h.Source
		}
		what := "held: "
		if h.Revision != "" {
			what, where = "pinned: ", where+" to "+ShortRevision(h.Revision)
		}
		w.line(s.Paint(Yellow, what+Clean(where, false)), " by ", Clean(h.By, false), ": ", Clean(h.Reason, false))
	}
	changes := slices.Clone(p.Changes)
	slices.SortStableFunc(changes, func(a, b reconcile.Change) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	for _, c := range changes {
		w.change(c)
	}
	for _, d := range p.Devices {
		w.device(d)
	}
	w.problems("", p.Problems)
	for _, ignored := range p.Ignored {
		w.line(s.Paint(Dim, "ignored: "+Clean(ignored, false)))
	}
	w.line(s.Paint(Bold, planSums(p)))
	_, err := s.W.Write([]byte(w.b.String()))
	return err
}

type planWriter struct {
	s Screen
	b strings.Builder
}

func (w *planWriter) line(parts ...string) {
	for _, p := range parts {
		w.b.WriteString(p)
	}
	w.b.WriteByte('\n')
}

func (w *planWriter) source(src reconcile.SourceStatus) {
	revision := ShortRevision(src.Revision)
	if src.Subject != "" {
		revision += " " + Clean(src.Subject, false)
	}
	w.line(w.s.Paint(Dim, strings.TrimRight("source "+src.Name+" "+src.Location+" "+revision, " ")))
	if src.Error != "" {
		w.line(w.s.Paint(Red, "! source "+src.Name), " ", Clean(src.Error, false))
	}
}

// Comparison prints what two revisions of a source differ in.
func Comparison(s Screen, c reconcile.Comparison) error {
	w := &planWriter{s: s}
	w.line(s.Paint(Dim, fmt.Sprintf("source %s from %s to %s", c.Source, ShortRevision(c.From), ShortRevision(c.To))))
	for _, change := range c.Changes {
		w.change(change)
	}
	w.problems("", c.Problems)
	if len(c.Changes) == 0 {
		w.line(s.Paint(Bold, "No resource differs."))
	} else {
		w.line(s.Paint(Bold, plural(len(c.Changes))))
	}
	_, err := s.W.Write([]byte(w.b.String()))
	return err
}

func plural(n int) string {
	if n == 1 {
		return "1 resource differs."
	}
	return fmt.Sprintf("%d resources differ.", n)
}

// sign is the mark before a change: + new, ~ changed, - removed, = recorded as
// done, … waiting, ! broken, · for what stays as it is.
func sign(c reconcile.Change) (mark, verb string, color Color) {
	switch {
	case c.Problems.Err() != nil && !c.Pending():
		return "!", "broken", Red
	case c.Operation == reconcile.OpRemove:
		return "-", "remove", Red
	case c.Operation == reconcile.OpAdopt:
		return "=", "adopt", Blue
	case c.Operation == reconcile.OpWait:
		return "…", "wait", Yellow
	case c.Operation == reconcile.OpRun && c.Observed != "":
		return "~", "run", Yellow
	case c.Operation == reconcile.OpRun:
		return "+", "run", Green
	case c.Operation == reconcile.OpAdd:
		return "+", "new", Green
	case c.Operation == reconcile.OpChange:
		return "~", "changed", Yellow
	}
	return "·", "", Dim
}

func (w *planWriter) change(c reconcile.Change) {
	mark, verb, color := sign(c)
	name := c.Kind + "/" + c.Name
	if verb == "" {
		w.line(w.s.Paint(Dim, mark+" "+Clean(name, false)+reasonOf(c)))
	} else {
		w.line(w.s.Paint(color, mark+" "+verb), " ", w.s.Paint(Bold, Clean(name, false)), reasonOf(c))
	}
	for _, d := range c.Details {
		w.line("    ", Clean(d, false))
	}
	if len(c.Next) > 0 {
		w.line("    next: ", Times(c.Next))
	}
	w.problems("    ", c.Problems)
	w.diff(c.Diff)
}

// device shows what the changes of services send to one device.
func (w *planWriter) device(d reconcile.DevicePlan) {
	switch {
	case d.Error != "":
		w.line(w.s.Paint(Red, "! device "+Clean(d.Device, false)), " ", Clean(d.Error, false))
	case d.Diff == "":
		w.line(w.s.Paint(Dim, "· device "+Clean(d.Device, false)+": nothing to send"))
	default:
		w.line(w.s.Paint(Bold, "device "+Clean(d.Device, false)), fmt.Sprintf(": %d to change", len(d.Changes)))
		w.diff(d.Diff)
	}
}

// DevicePlan prints what would be sent to one device.
func DevicePlan(s Screen, d reconcile.DevicePlan) error {
	w := &planWriter{s: s}
	w.device(d)
	_, err := s.W.Write([]byte(w.b.String()))
	return err
}

// PlanXML prints what a plan sends to devices: for each its name in a comment,
// and the <config> of the edit-config, byte for byte, but for masked secrets.
func PlanXML(s Screen, p reconcile.Plan) error {
	var b strings.Builder
	for _, d := range p.Devices {
		name := strings.ReplaceAll(Clean(d.Device, false), "--", "- -")
		switch {
		case d.Error != "":
			fmt.Fprintf(&b, "<!-- device %s: %s -->\n", name, strings.ReplaceAll(Clean(d.Error, false), "--", "- -"))
		case d.XML == "":
			fmt.Fprintf(&b, "<!-- device %s: nothing to send -->\n", name)
		default:
			fmt.Fprintf(&b, "<!-- device %s -->\n%s\n", name, d.XML)
		}
	}
	_, err := s.W.Write([]byte(b.String()))
	return err
}

// Times gives moments in local time, the zone once, at the end.
func Times(list []time.Time) string {
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = t.Local().Format("2006-01-02 15:04:05")
		if _, now := t.Local().Zone(); i == len(list)-1 || now != offset(list[i+1]) {
			out[i] += t.Local().Format("Z07:00")
		}
	}
	return strings.Join(out, ", ")
}

func offset(t time.Time) int {
	_, seconds := t.Local().Zone()
	return seconds
}

func reasonOf(c reconcile.Change) string {
	if c.Reason == "" {
		return ""
	}
	return ": " + Clean(c.Reason, false)
}

func (w *planWriter) problems(indent string, list problem.List) {
	for _, p := range list {
		color := Red
		if p.Severity == problem.Warning {
			color = Yellow
		}
		w.line(indent, w.s.Paint(color, Clean(p.String(), false)))
	}
}

func (w *planWriter) diff(text string) {
	if text == "" {
		return
	}
	for line := range strings.Lines(text) {
		line = Clean(line, false)
		color := Plain
		switch {
		case strings.HasPrefix(line, "+"):
			color = Green
		case strings.HasPrefix(line, "-"):
			color = Red
		case strings.HasPrefix(line, "@@"):
			color = Cyan
		}
		w.line("    ", w.s.Paint(color, line))
	}
}

func planSums(p reconcile.Plan) string {
	var run, remove, adopt, wait, broken int
	for _, c := range p.Changes {
		switch mark, _, _ := sign(c); mark {
		case "+", "~":
			run++
		case "-":
			remove++
		case "=":
			adopt++
		case "…":
			wait++
		case "!":
			broken++
		}
	}
	if p.Pending() == 0 && wait+broken == 0 && !p.Failed() {
		return "Nothing to do."
	}
	out := fmt.Sprintf("Plan: %d to run, %d to remove", run, remove)
	for _, more := range []struct {
		n    int
		text string
	}{{adopt, "to adopt"}, {wait, "waiting"}, {broken, "broken"}} {
		if more.n > 0 {
			out += fmt.Sprintf(", %d %s", more.n, more.text)
		}
	}
	return out + "."
}

// ShortRevision gives the first twelve letters of a commit hash or digest.
func ShortRevision(r string) string {
	rest, ok := strings.CutPrefix(r, "sha256:")
	if len(rest) > 12 {
		rest = rest[:12]
	}
	if ok {
		return "sha256:" + rest
	}
	return rest
}
