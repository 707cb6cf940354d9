package sse

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// reserved are the keys of an event's JSON that a publisher's Fields never
// replace.
func reserved(key string) bool {
	switch key {
	case "id", "type", "run", "job", "stream", "level", "timestamp",
		"pipeline", "revision", "source", "message":
		return true
	}
	return false
}

// appendHead writes all keys but id and Fields, up to and without the value of
// the message. What a filter looks at comes first, so that the reader of a
// segment finds it without decoding the line.
func appendHead(out []byte, e *Event) []byte {
	level := e.Level
	if level == "" {
		level = Info
	}
	out = append(out, `"type":`...)
	out = appendString(out, e.Type)
	out = appendSet(out, `,"run":`, e.Run)
	out = appendSet(out, `,"job":`, e.Job)
	out = appendSet(out, `,"stream":`, e.Stream)
	out = append(out, `,"level":`...)
	out = appendString(out, level)
	out = append(out, `,"timestamp":"`...)
	out = e.Time.UTC().AppendFormat(out, time.RFC3339Nano)
	out = append(out, '"')
	out = appendSet(out, `,"pipeline":`, e.Pipeline)
	out = appendSet(out, `,"revision":`, e.Revision)
	out = appendSet(out, `,"source":`, e.Source)
	return append(out, `,"message":`...)
}

func appendSet(out []byte, key, value string) []byte {
	if value == "" {
		return out
	}
	return appendString(append(out, key...), value)
}

// appendField writes one of an event's own fields, whose value is encoded.
func appendField(out []byte, key string, value []byte) []byte {
	out = append(out, ',')
	out = appendString(out, key)
	out = append(out, ':')
	return append(out, value...)
}

// sortedKeys gives the keys of an event's own fields in their order in JSON.
func sortedKeys(fields map[string]any) []string {
	keys := make([]string, 0, len(fields))
	for k := range maps.Keys(fields) {
		if !reserved(k) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// encodeValue never fails: an event must not be lost because one of its fields
// holds something that JSON does not know. The field then says so.
func encodeValue(v any) []byte {
	switch v := v.(type) {
	case string:
		return appendString(nil, v)
	case int:
		return strconv.AppendInt(nil, int64(v), 10)
	case uint64:
		return strconv.AppendUint(nil, v, 10)
	case bool:
		return strconv.AppendBool(nil, v)
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return appendString(nil, fmt.Sprintf("(a value of type %T that JSON cannot hold)", v))
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

const hex = "0123456789abcdef"

// appendString writes s as a JSON string on one line. Bytes that are not UTF-8
// become U+FFFD, as encoding/json does; unlike it, < > & stay as they are:
// these are logs, and nobody reads them as HTML before decoding them.
func appendString(out []byte, s string) []byte {
	out = append(out, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		out = append(out, s[start:i]...)
		out = appendEscape(out, c)
		i++
		start = i
	}
	out = append(out, s[start:]...)
	return append(out, '"')
}

// appendEscape writes one byte that cannot stand in a JSON string as it is.
func appendEscape(out []byte, c byte) []byte {
	switch {
	case c == '"' || c == '\\':
		return append(out, '\\', c)
	case c == '\n':
		return append(out, `\n`...)
	case c == '\r':
		return append(out, `\r`...)
	case c == '\t':
		return append(out, `\t`...)
	case c >= utf8.RuneSelf:
		return append(out, `\ufffd`...)
	default:
		return append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
	}
}

// encodedLen is how many bytes the first rune of s takes in appendString, and
// how many it takes in s.
func encodedLen(s string) (encoded, size int) {
	c := s[0]
	switch {
	case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t':
		return 2, 1
	case c < 0x20:
		return 6, 1
	case c < utf8.RuneSelf:
		return 1, 1
	}
	r, size := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && size == 1 {
		return 6, 1
	}
	return size, size
}
