package sse

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxFrame is what one frame on the wire stays below, in bytes, with its lines
// for id, event and data. A client that reads lines with Go's bufio.Scanner as
// it comes dies at 64 KiB, and pin's reference prints such a client.
const MaxFrame = 60 << 10

const (
	// maxBody bounds the JSON of an event less its id; what is left of
	// MaxFrame holds the lines' names, the id twice and the type.
	maxBody = MaxFrame - 1024
	// maxFields bounds what a type's own fields take of it, and maxName each
	// name (job, pipeline and the like), so that every part of a long message
	// carries a good piece even if all of them need escapes.
	maxFields = maxBody / 4
	maxName   = 512
	maxType   = 64
)

// tidy bounds what stands in front of an event's message. The type stands
// bare in a stream, so it must not hold a blank or a newline.
func tidy(e *Event) {
	e.Type = cleanType(e.Type)
	for _, s := range []*string{&e.Run, &e.Job, &e.Stream, &e.Level, &e.Pipeline, &e.Revision, &e.Source} {
		*s = truncate(*s, maxName)
	}
}

// encode gives the JSON of a tidy event without its opening brace and id, in
// as many parts as its message needs. Most events are one part, which is
// written over buf; the rest is for the odd ones.
func encode(buf []byte, e *Event) [][]byte {
	head := appendHead(buf[:0], e)
	tail := encodeFields(e.Fields, maxFields)
	budget := maxBody - len(head) - len(tail) - len(`"","part":1000000,"parts":1000000}`)
	pieces := splitMessage(e.Message, budget)
	if len(pieces) == 1 {
		head = appendString(head, e.Message)
		head = append(head, tail...)
		return [][]byte{append(head, '}')}
	}
	parts := make([][]byte, len(pieces))
	for i, piece := range pieces {
		part := make([]byte, 0, maxBody)
		part = appendString(append(part, head...), piece)
		part = append(part, tail...)
		parts[i] = fmt.Appendf(part, `,"part":%d,"parts":%d}`, i+1, len(pieces))
	}
	return parts
}

// cleanType keeps a type on one line and short: it stands bare in a stream.
func cleanType(typ string) string {
	for i := range len(typ) {
		if c := typ[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			typ = strings.Map(func(r rune) rune {
				if r <= ' ' || r >= 0x7f || r == '"' || r == '\\' {
					return '_'
				}
				return r
			}, typ)
			break
		}
	}
	return typ[:min(len(typ), maxType)]
}

// splitMessage cuts s at rune boundaries into pieces whose encoded form fits
// the budget. It gives at least one piece.
func splitMessage(s string, budget int) []string {
	if len(s)*6 <= budget { // the longest escape of a byte has six
		return []string{s}
	}
	var pieces []string
	start, used := 0, 0
	for i := 0; i < len(s); {
		encoded, size := encodedLen(s[i:])
		if used+encoded > budget {
			pieces = append(pieces, s[start:i])
			start, used = i, 0
		}
		used += encoded
		i += size
	}
	return append(pieces, s[start:])
}

// truncate cuts s to about limit bytes and says so in the text.
func truncate(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%s… (truncated, %d bytes in all)", s[:cut], len(s))
}

// encodeFields writes an event's own fields within about limit bytes. Where
// they are too large, each gets an equal share and what is longer becomes a
// visibly truncated string of its JSON; where they are too many, the rest is
// counted in `fields_dropped`.
func encodeFields(fields map[string]any, limit int) []byte {
	var out []byte
	keys := sortedKeys(fields)
	for _, k := range keys {
		out = appendField(out, k, encodeValue(fields[k]))
	}
	if len(out) <= limit {
		return out
	}
	out = out[:0]
	share := max(limit/len(keys)/3, 64)
	for i, k := range keys {
		before := len(out)
		out = appendField(out, truncate(k, maxName), shortValue(fields[k], share))
		if len(out) > limit {
			return fmt.Appendf(out[:before], `,"fields_dropped":%d`, len(keys)-i)
		}
	}
	return out
}

// shortValue encodes v in at most a few times limit bytes.
func shortValue(v any, limit int) []byte {
	value := encodeValue(v)
	if len(value) <= limit {
		return value
	}
	if s, ok := v.(string); ok {
		return appendString(nil, truncate(s, limit))
	}
	return appendString(nil, truncate(string(value), limit))
}
