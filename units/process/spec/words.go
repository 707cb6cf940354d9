package spec

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

const blanks = " \t\n\r"

// scanner takes words off a line as systemd does: quotes of both kinds are
// removed, C escapes become what they stand for, and an escape that systemd
// doesn't know stays as it is.
type scanner struct{ rest string }

var errQuote = errors.New("a quote is not closed; close it, or write \\\" or \\' for a literal one")

// next gives the next word; ok is false at the end of the line.
func (s *scanner) next() (word string, ok bool, err error) {
	s.skip()
	if s.rest == "" {
		return "", false, nil
	}
	var b strings.Builder
	var quote byte
	i := 0
	for i < len(s.rest) {
		c := s.rest[i]
		switch {
		case c == '\\':
			if quote != 0 && i+1 == len(s.rest) {
				return "", false, errQuote
			}
			i += unescape(&b, s.rest[i:])
			continue
		case quote == 0 && strings.IndexByte(blanks, c) >= 0:
			s.rest = s.rest[i:]
			return b.String(), true, nil
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		default:
			b.WriteByte(c)
		}
		i++
	}
	if quote != 0 {
		return "", false, errQuote
	}
	s.rest = ""
	return b.String(), true, nil
}

func (s *scanner) skip() { s.rest = strings.TrimLeft(s.rest, blanks) }

// bare takes the given token off the line if it stands there alone.
func (s *scanner) bare(token string) bool {
	s.skip()
	after, ok := strings.CutPrefix(s.rest, token)
	if !ok || after != "" && strings.IndexByte(blanks, after[0]) < 0 {
		return false
	}
	s.rest = after
	return true
}

// Words splits a line into unquoted words.
func Words(line string) ([]string, error) {
	var out []string
	s := scanner{line}
	for {
		word, ok, err := s.next()
		if !ok {
			return out, err
		}
		out = append(out, word)
	}
}

var simpleEscapes = map[byte]byte{
	'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v',
	'\\': '\\', '"': '"', '\'': '\'', 's': ' ',
}

// unescape writes what the escape at the start of s stands for, and gives its
// length.
func unescape(b *strings.Builder, s string) int {
	if len(s) < 2 {
		b.WriteByte('\\')
		return 1
	}
	if c, ok := simpleEscapes[s[1]]; ok {
		b.WriteByte(c)
		return 2
	}
	digits, base, from := 0, 16, 2
	switch s[1] {
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	case '0', '1', '2', '3', '4', '5', '6', '7':
		digits, base, from = 3, 8, 1
	}
	if digits > 0 && len(s) >= from+digits {
		text := s[from : from+digits]
		v, err := strconv.ParseUint(text, base, 32)
		switch {
		case err != nil || v == 0:
		case digits <= 3 && v < 256:
			b.WriteByte(byte(v))
			return from + digits
		case digits > 3 && utf8.ValidRune(rune(v)):
			b.WriteRune(rune(v))
			return from + digits
		}
	}
	b.WriteByte('\\')
	return 1
}
