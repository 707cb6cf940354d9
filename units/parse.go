package units

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxLine is the first length of a line, in bytes without its end, that fleet
// refuses.
const MaxLine = 2048

// ErrLineTooLong refuses a line of [MaxLine] bytes or more, in fleet's words.
var ErrLineTooLong = errors.New("line too long (max 2048 bytes)")

// Parse reads a unit file as fleet does, whose API and hash need just this:
// comments are dropped, and what stands before the first section; a value that
// is continued keeps its backslashes and newlines; a line that ends in a
// backslash is always continued, a comment too. systemd reads some of this
// differently, see [Read]. The errors have fleet's texts.
func Parse(text string) ([]Option, error) {
	var options []Option
	section, begun := "", false
	lineStart := true
	for rest := text; ; {
		if lineStart && tooLong(rest) {
			return nil, ErrLineTooLong
		}
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case size == 0:
			return options, nil
		case r == '[':
			name, after, err := cutSection(rest[1:])
			if err != nil {
				return nil, err
			}
			section, begun, lineStart, rest = name, true, true, after
		case r == '#' || r == ';':
			lineStart, rest = true, afterComment(rest)
		case !begun || unicode.IsSpace(r):
			lineStart, rest = r == '\n', rest[size:]
		default:
			o, after, err := cutOption(rest)
			if err != nil {
				return nil, err
			}
			o.Section = section
			options = append(options, o)
			lineStart, rest = true, after
		}
	}
}

// tooLong says whether a line that begins here is longer than fleet takes.
func tooLong(rest string) bool {
	return len(rest) >= MaxLine && !strings.ContainsAny(rest[:MaxLine], "\r\n")
}

// cutLine cuts the first line off. A carriage return at its end is left to
// whoever trims, except at the end of the text: there fleet takes it away.
func cutLine(text string) (line, after string, ended bool) {
	line, after, ended = strings.Cut(text, "\n")
	if !ended {
		line = strings.TrimSuffix(line, "\r")
	}
	return line, after, ended
}

// cutSection cuts the rest of a section's header off. The name goes up to the
// next bracket, wherever that is.
func cutSection(text string) (name, after string, err error) {
	name, after, ok := strings.Cut(text, "]")
	if !ok {
		return "", "", errors.New("unable to find end of section")
	}
	garbage, after, _ := cutLine(after)
	if garbage = strings.TrimSpace(garbage); garbage != "" {
		return "", "", fmt.Errorf("found garbage after section name : %v", []byte(garbage))
	}
	return name, after, nil
}

// afterComment skips a comment, which goes on while lines end in a backslash
// and at most one blank.
func afterComment(text string) string {
	for {
		line, after, _ := cutLine(text)
		if !strings.HasSuffix(strings.TrimSuffix(line, " "), `\`) {
			return after
		}
		text = after
	}
}

// cutOption cuts an assignment off.
func cutOption(text string) (o Option, after string, err error) {
	i := strings.IndexAny(text, "=\r\n")
	switch {
	case i < 0:
		return o, "", io.EOF
	case text[i] != '=':
		return o, "", errors.New("unexpected newline encountered while parsing option name")
	}
	o.Name = strings.TrimSpace(string([]rune(text[:i])))
	o.Value, after, err = cutValue(text[i+1:])
	return o, after, err
}

// cutValue cuts a value off, with the lines that continue it.
func cutValue(text string) (value, after string, err error) {
	var b strings.Builder
	for {
		line, rest, ended := cutLine(text)
		text = rest
		if strings.TrimSpace(line) == "" {
			break
		}
		b.WriteString(line)
		if !strings.HasSuffix(line, `\`) {
			break
		}
		if ended {
			b.WriteByte('\n')
		}
		if tooLong(text) {
			return "", "", ErrLineTooLong
		}
	}
	value = b.String()
	if strings.HasSuffix(value, "\n") { // continued by an empty line: the backslash keeps its newline
		return strings.TrimSpace(value) + "\n", text, nil
	}
	return strings.TrimSpace(value), text, nil
}
