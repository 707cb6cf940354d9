package runner

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// readable says whether text can be YAML at all, and reports why it can't:
// the library has no place for these faults, and no words a user would know.
func (p *parser) readable(text []byte) bool {
	switch {
	case len(text) > MaxPipelineBytes:
		p.fail(position{}, "", fmt.Sprintf("the file has %d bytes, and a pipeline may have %d", len(text), MaxPipelineBytes),
			"keep data and long scripts in files of their own and copy them with 'copyFiles'")
		return false
	case len(bytes.TrimSpace(text)) == 0:
		p.fail(position{}, "workflow", "the file is empty", "list the jobs to run under 'workflow:'")
		return false
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		p.fail(position{1, 1}, "", "the file is UTF-16", "save it as UTF-8")
		return false
	}
	line, column := 1, 1
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[i:])
		}
		switch {
		case r == 0:
			p.fail(position{line, column}, "", "the file is binary: it holds a NUL byte", "give a YAML file")
			return false
		case r == utf8.RuneError && size == 1:
			p.fail(position{line, column}, "", fmt.Sprintf("the file is not UTF-8: byte 0x%02x is no character", text[i]), "save it as UTF-8")
			return false
		case unprintable(r):
			p.fail(position{line, column}, "", fmt.Sprintf("the control character U+%04X is not allowed in YAML", r),
				`remove it, or write it as an escape within double quotes`)
			return false
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
		i += size
	}
	return true
}

// unprintable says whether YAML 1.2 (section 5.1) excludes the character.
func unprintable(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r', r == 0x85:
		return false
	}
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0xfffe || r == 0xffff
}

// syntax reports that the file is no YAML, with what its writer most likely
// has to do about it.
func (p *parser) syntax(text string, err error) {
	var s *syntaxError
	if !errors.As(err, &s) {
		p.fail(position{}, "", "the file can't be read as YAML: "+err.Error(), "check its syntax")
		return
	}
	message, hint := s.message, "check the indentation and the quotes on this line and the one before"
	at, c := s.at, charAt(text, s.at)
	switch {
	case strings.Contains(message, "cannot start any token") && c == '\t', strings.Contains(message, "tab character"):
		message, hint = "a tab can't be used for indentation", "indent with spaces"
	case strings.Contains(message, "cannot start any token"):
		message, hint = fmt.Sprintf("a value can't start with '%c'", c), "put the value in quotes"
	case strings.Contains(message, "mapping values are not allowed"):
		hint = "a value that holds a colon and a blank must stand in quotes; also check the indentation"
	case strings.Contains(message, "unknown anchor"), strings.Contains(message, "expected alphabetic or numeric"):
		hint = "a value that starts with '*' or '&' must stand in quotes"
	case strings.Contains(message, "did not find expected key") && (c == '=' || c == '!' || c == '&' || c == '|'):
		hint = "put the whole value in single quotes, since it starts with a double quote and goes on after it"
	case strings.Contains(lineAt(text, s.at), ": !"):
		hint = "a value that starts with '!' must stand in quotes"
	case strings.Contains(message, "unexpected end of stream"):
		hint = "a quote or bracket is not closed"
	case strings.Contains(message, "max depth"):
		message, hint = fmt.Sprintf("it is nested more than %d levels deep", maxYAMLDepth), "a pipeline needs four"
	case strings.Contains(message, "contains itself"), strings.Contains(message, "merge key"):
		hint = "write the values out"
	}
	p.fail(at, "", "the file is not valid YAML: "+message, hint)
}

// lineAt gives the line of a place.
func lineAt(text string, at position) string {
	for line := 1; line < at.line; line++ {
		_, text, _ = strings.Cut(text, "\n")
	}
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// charAt gives the character at a place, or a blank.
func charAt(text string, at position) rune {
	column := 1
	for _, r := range lineAt(text, at) {
		if column == at.column {
			return r
		}
		column++
	}
	return ' '
}
