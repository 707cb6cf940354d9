package units

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/abide-agent/abide/internal/problem"
)

// Setting is one assignment of a unit file as systemd reads it, with its place.
// Line and Column count from 1 and point at the name; all three are unknown for
// an option that came over the API.
type Setting struct {
	Option
	File         string
	Line, Column int
}

// Read reads a unit file or a drop-in as systemd does (systemd.syntax(7)): a
// comment is one line and may stand within a continued value, whose lines are
// joined by blanks; a line is continued by an odd number of backslashes. file
// is for the problems only. What systemd would refuse, drop without a word or
// cut in two is an error of the list; the settings are those that are sound.
func Read(file, text string) ([]Setting, problem.List) {
	r := reader{file: file}
	if len(text) > MaxText {
		r.fault(0, 0, fmt.Sprintf("the file has %d bytes; a unit file has at most %d", len(text), MaxText), "put what is long into a file of its own")
		return nil, r.faults
	}
	text = strings.TrimPrefix(text, "\uFEFF") // systemd skips a byte order mark
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		r.line++
		r.physical(strings.TrimSuffix(line, "\r"))
	}
	if r.continued {
		r.logical(string(r.pending))
	}
	return r.settings, r.faults
}

// reader holds what is known between two lines.
type reader struct {
	file     string
	line     int
	settings []Setting
	faults   problem.List

	section string
	begun   bool // there was a section
	lost    bool // its header is broken: what follows belongs nowhere

	continued bool
	pending   []byte // what was read of a continued line
	from      int    // the line that it begins on
	column    int
}

// physical takes one line, without its end.
func (r *reader) physical(line string) {
	if !r.sound(line) {
		return
	}
	trimmed := strings.TrimLeft(line, blanks)
	if strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, ";") {
		return
	}
	if !r.continued {
		r.from, r.column = r.line, utf8.RuneCountInString(line[:len(line)-len(trimmed)])+1
		r.pending = r.pending[:0]
	}
	slashes := len(line) - len(strings.TrimRight(line, `\`))
	if r.continued = slashes%2 == 1; r.continued {
		r.pending = append(append(r.pending, line[:len(line)-1]...), ' ')
		return
	}
	r.logical(string(append(r.pending, line...)))
}

const blanks = " \t\r\n"

// sound checks what holds for any line, a comment too.
func (r *reader) sound(line string) bool {
	column := func(i int) int { return utf8.RuneCountInString(line[:i]) + 1 }
	if i := strings.IndexAny(line, "\r\x00"); i >= 0 {
		r.fault(r.line, column(i), fmt.Sprintf("the character %q ends a line for systemd and for nobody else", line[i]), "remove it")
		return false
	}
	if len(line) >= MaxLine {
		r.fault(r.line, 1, fmt.Sprintf("the line has %d bytes, fleet's API takes %d", len(line), MaxLine-1),
			`continue it on the next line with a \ at its end`)
		return false
	}
	return true
}

// logical takes one line with all that continues it.
func (r *reader) logical(line string) {
	line = strings.Trim(line, blanks)
	switch {
	case line == "":
	case line[0] == '[':
		r.header(line)
	default:
		r.assignment(line)
	}
}

func (r *reader) header(line string) {
	name, closed := strings.CutSuffix(line[1:], "]")
	r.begun, r.lost = true, true
	if !closed {
		r.fault(r.from, r.column, fmt.Sprintf("the section header %s does not end in ]", clip(line)), "write it as in [Service], with nothing behind it")
		return
	}
	if why := badSection(name); why != "" {
		r.fault(r.from, r.column, "the section header "+clip(line)+" "+why, "write it as in [Service]")
		return
	}
	r.section, r.lost = name, false
}

func (r *reader) assignment(line string) {
	name, value, ok := strings.Cut(line, "=")
	name = strings.TrimRight(name, blanks)
	switch {
	case !ok:
		r.fault(r.from, r.column, fmt.Sprintf("%s is no assignment, no section and no comment", clip(line)), "write it as in Name=value, or put a # before it")
	case name == "":
		r.fault(r.from, r.column, "there is no name before the =", "write the name of the option")
	case !r.begun:
		r.faults = append(r.faults, problem.Problem{
			Severity: problem.Warning, File: r.file, Line: r.from, Column: r.column,
			Message: clip(name) + "= stands before the first section, so systemd ignores it", Hint: "move it below a header such as [Service]",
		})
	case !r.lost:
		o := Option{Section: r.section, Name: name, Value: strings.TrimLeft(value, blanks)}
		r.settings = append(r.settings, Setting{Option: o, File: r.file, Line: r.from, Column: r.column})
	}
}

func (r *reader) fault(line, column int, message, hint string) {
	r.faults = append(r.faults, problem.Problem{
		Severity: problem.Error, File: r.file, Line: line, Column: column, Message: message, Hint: hint,
	})
}

// fault makes a problem of a setting.
func (s Setting) fault(severity problem.Severity, message, hint string) problem.Problem {
	return problem.Problem{
		Severity: severity, File: s.File, Line: s.Line, Column: s.Column,
		Field: s.Section + "." + s.Name, Message: message, Hint: hint,
	}
}

// badSection says what is wrong with the name of a section, or "".
func badSection(name string) string {
	switch {
	case name == "":
		return "has no name"
	case strings.ContainsAny(name, "[]"):
		return "has a bracket in its name"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "has a control character in its name"
	}
	return ""
}

// clip quotes what somebody wrote, and bounds it.
func clip(text string) string {
	const most = 60
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return fmt.Sprintf("%q", text)
}
