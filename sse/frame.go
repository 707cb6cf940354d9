package sse

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Frame is one encoded event. Frames are shared between all readers: nobody
// changes what Data returns.
type Frame struct {
	ID     uint64 // 0 for an event of one stream only: `connection`, `stale`
	Type   string
	Run    string
	Job    string
	Stream string // "stdout" or "stderr" on a line that a job printed

	data []byte
}

// Data gives the event's JSON: one object on one line, without a newline.
func (f Frame) Data() []byte { return f.data }

// Event decodes the frame.
func (f Frame) Event() (Event, error) {
	var e Event
	err := json.Unmarshal(f.data, &e)
	return e, err
}

// Output says whether the frame is a line that a job printed.
func (f Frame) Output() bool { return isOutput(f.Type, f.Run, f.Stream) }

const (
	wireID    = "id: "
	wireData  = "\ndata: "
	wireEvent = "event: "
)

// appendWire writes the frame as a client of /events reads it. A frame without
// an id leaves the client's last id as it was (WHATWG HTML, section 9.2.6).
func (f Frame) appendWire(out []byte, named bool) []byte {
	if named {
		out = append(append(append(out, wireEvent...), f.Type...), '\n')
	}
	if f.ID != 0 {
		out = strconv.AppendUint(append(out, wireID...), f.ID, 10)
		out = append(out, wireData...)
	} else {
		out = append(out, wireData[1:]...)
	}
	return append(append(out, f.data...), '\n', '\n')
}

// wireLen is at least what appendWire adds.
func (f Frame) wireLen() int {
	return len(f.data) + len(f.Type) + len(wireEvent+wireID+wireData) + 24
}

// unnumbered gives the frame of an event that only one stream sees.
func unnumbered(e Event) Frame {
	tidy(&e)
	body := encode(nil, &e)[0]
	return Frame{Type: e.Type, Run: e.Run, Job: e.Job, data: append([]byte{'{'}, body...)}
}

// lineDecoder reads the lines of a segment. It remembers the strings of the
// line before, since those of the next are mostly the same.
type lineDecoder struct{ last Frame }

// decode reads what a filter looks at from one line without its newline. It
// says no to a line that this package has not written; that the rest of the
// line is sound is not looked at. The frame keeps line.
func (d *lineDecoder) decode(line []byte) (Frame, bool) {
	id, rest, ok := decodeID(line)
	if !ok {
		return Frame{}, false
	}
	f := Frame{ID: id, data: line}
	if f.Type, rest, ok = decodeKey(rest, `"type":`, d.last.Type); !ok {
		return Frame{}, false
	}
	f.Run, rest, _ = decodeKey(rest, `,"run":`, d.last.Run)
	f.Job, rest, _ = decodeKey(rest, `,"job":`, d.last.Job)
	f.Stream, _, _ = decodeKey(rest, `,"stream":`, d.last.Stream)
	d.last = f
	d.last.data = nil
	return f, true
}

// sound says whether the whole of a frame from the disk is JSON.
func (f Frame) sound() bool { return json.Valid(f.data) }

// maxID is more than any log gives out: a larger one is damage. It is also the
// largest that JavaScript can count with.
const maxID = 1 << 53

// decodeID reads the head of a line, `{"id":N,`, and gives what follows.
func decodeID(line []byte) (id uint64, rest []byte, ok bool) {
	rest, ok = bytes.CutPrefix(line, []byte(`{"id":`))
	if !ok {
		return 0, nil, false
	}
	i := bytes.IndexByte(rest[:min(len(rest), 24)], ',')
	if i < 1 {
		return 0, nil, false
	}
	id, err := strconv.ParseUint(string(rest[:i]), 10, 64)
	if err != nil || id == 0 || id > maxID {
		return 0, nil, false
	}
	return id, rest[i+1:], true
}

// decodeKey reads a string value that stands next under key. It gives same in
// place of an equal string, to save a copy.
func decodeKey(in []byte, key, same string) (value string, rest []byte, ok bool) {
	rest, ok = bytes.CutPrefix(in, []byte(key))
	if !ok || len(rest) == 0 || rest[0] != '"' {
		return "", in, false
	}
	end := 1
	for end < len(rest) && rest[end] != '"' {
		if rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(rest) {
		return "", in, false
	}
	raw := rest[1:end]
	rest = rest[end+1:]
	if string(raw) == same {
		return same, rest, true
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw), rest, true
	}
	if err := json.Unmarshal(in[len(key):len(in)-len(rest)], &value); err != nil {
		return "", in, false
	}
	return value, rest, true
}
