package terminal

import (
	"strings"
	"unicode/utf8"
)

// Clean makes a line that a job printed safe to show: cursor movement, titles,
// clipboards, links and every other control sequence is taken out, as is what
// turns the reading direction around. With sgr, colours stay. Of a line that
// was written over with carriage returns, the last state is shown.
func Clean(line string, sgr bool) string {
	line = strings.TrimRight(line, "\r\n")
	if plain(line) {
		return line
	}
	line = strings.ToValidUTF8(line, "\ufffd")
	var b strings.Builder
	colored := false
	for i := 0; i < len(line); {
		if line[i] == 0x1b {
			end, isSGR := sequence(line[i:])
			if isSGR && sgr {
				b.WriteString(line[i : i+end])
				colored = true
			}
			i += end
			continue
		}
		r, size := utf8.DecodeRuneInString(line[i:])
		switch {
		case r == '\r':
			b.Reset()
		case r == '\t':
			b.WriteByte('\t')
		case r < 0x20 || r >= 0x7f && r < 0xa0 || turnsAround(r):
		default:
			b.WriteString(line[i : i+size])
		}
		i += size
	}
	if colored {
		b.WriteString(reset)
	}
	return b.String()
}

// plain says whether a line needs no cleaning: printable ASCII and tabs.
func plain(line string) bool {
	for i := range len(line) {
		if c := line[i]; (c < 0x20 && c != '\t') || c >= 0x7f {
			return false
		}
	}
	return true
}

// sequence gives the length of the escape sequence that s begins with (ECMA-48)
// and whether it only sets colours and the like. One that doesn't end takes the
// rest of the line with it.
func sequence(s string) (length int, sgr bool) {
	if len(s) < 2 {
		return len(s), false
	}
	switch s[1] {
	case '[': // CSI: parameters, then one final byte
		for i := 2; i < len(s); i++ {
			if c := s[i]; c >= 0x40 && c <= 0x7e {
				return i + 1, c == 'm' && strings.Trim(s[2:i], "0123456789;:") == ""
			} else if c < 0x20 || c > 0x7e {
				return i, false
			}
		}
		return len(s), false
	case ']', 'P', 'X', '^', '_': // strings, up to BEL or ESC \
		for i := 2; i < len(s); i++ {
			if s[i] == 0x07 {
				return i + 1, false
			}
			if s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\' {
				return i + 2, false
			}
		}
		return len(s), false
	}
	i := 1
	for i < len(s) && s[i] >= 0x20 && s[i] <= 0x2f { // intermediate bytes
		i++
	}
	if i < len(s) && s[i] >= 0x30 && s[i] <= 0x7e {
		i++
	}
	return i, false
}

// turnsAround tells the bidirectional controls that can make a line read as
// something else than it says.
func turnsAround(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x061c
}

// Width is how many columns text takes: wide East Asian letters and emoji take
// two, combining marks none. Text must hold no control sequences.
func Width(text string) (n int) {
	for _, r := range text {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	switch {
	case r >= 0x300 && r <= 0x36f, r >= 0x200b && r <= 0x200d, r >= 0xfe00 && r <= 0xfe0f:
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3,
		r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60,
		r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}

// cut shortens text to at most columns, with an ellipsis where something went.
func cut(text string, columns int) string {
	if columns <= 0 {
		return ""
	}
	if Width(text) <= columns {
		return text
	}
	n := 0
	for i, r := range text {
		if n+runeWidth(r) > columns-1 {
			return text[:i] + "…"
		}
		n += runeWidth(r)
	}
	return text
}
