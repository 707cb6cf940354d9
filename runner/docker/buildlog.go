package docker

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/docker/docker/pkg/jsonmessage"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sse"
)

// classicLog narrates what the classic builder prints, line by line.
type classicLog struct {
	obs  runner.Observer
	rest string
	pull layers
}

func (l *classicLog) message(m jsonmessage.JSONMessage) {
	if m.ID != "" { // a base image is being pulled
		if l.pull.tell == nil {
			l.pull.name, l.pull.tell = "the base image", func(s string) { l.obs.Narrate(sse.Info, s) }
		}
		l.pull.message(m)
		return
	}
	text := l.rest + m.Stream
	for {
		line, rest, ok := strings.Cut(text, "\n")
		if !ok && len(text) < runner.MaxLine {
			l.rest = text
			return
		}
		narrateLine(l.obs, line)
		text = rest
	}
}

func narrateLine(obs runner.Observer, line string) {
	line = strings.ToValidUTF8(strings.TrimRight(line, "\r\n "), "\uFFFD")
	if line != "" {
		obs.Narrate(sse.Info, "build: "+line[:min(len(line), runner.MaxLine)])
	}
}

// buildkitLog narrates a BuildKit build. Its progress comes as protocol buffers
// (moby.buildkit.v1.StatusResponse) in the aux field; of these only a step's
// name and its output matter here, so that a dozen lines replace a library.
type buildkitLog struct {
	obs   runner.Observer
	names map[string]string // of the steps, by digest
}

const traceID = "moby.buildkit.trace"

func (l *buildkitLog) message(m jsonmessage.JSONMessage) {
	if m.ID != traceID || m.Aux == nil {
		return
	}
	var text string
	if json.Unmarshal(*m.Aux, &text) != nil {
		return
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return
	}
	for num, value := range fields(raw) {
		switch num {
		case 1:
			l.vertex(value)
		case 3:
			l.output(value)
		}
	}
}

// vertex is a step: 1 digest, 3 name, 4 cached, 7 error.
func (l *buildkitLog) vertex(raw []byte) {
	var digest, name, cached string
	for num, value := range fields(raw) {
		switch num {
		case 1:
			digest = string(value)
		case 3:
			name = string(value)
		case 4:
			cached = " (cached)"
		}
	}
	if name == "" || l.names[digest] == name+cached || len(l.names) > 10_000 {
		return
	}
	if _, known := l.names[digest]; !known || cached != "" {
		narrateLine(l.obs, name+cached)
	}
	l.names[digest] = name + cached
}

// output is what a step printed: 4 bytes.
func (l *buildkitLog) output(raw []byte) {
	for num, value := range fields(raw) {
		if num != 4 {
			continue
		}
		for line := range strings.Lines(string(value)) {
			narrateLine(l.obs, line)
		}
	}
}

// fields walks the fields of a protocol buffer: of those of varying length the
// bytes, of integers the little-endian varint as it stands. It stops at the
// first byte that makes no sense.
func fields(raw []byte) func(yield func(int, []byte) bool) {
	return func(yield func(int, []byte) bool) {
		for len(raw) > 0 {
			key, n := binary.Uvarint(raw)
			if n <= 0 {
				return
			}
			raw = raw[n:]
			value, rest, err := take(raw, key&7)
			if err != nil || !yield(int(key>>3), value) {
				return
			}
			raw = rest
		}
	}
}

// take splits one value off raw, by its wire type.
func take(raw []byte, wire uint64) (value, rest []byte, err error) {
	size := 0
	switch wire {
	case 0:
		_, size = binary.Uvarint(raw)
	case 1:
		size = 8
	case 5:
		size = 4
	case 2:
		length, n := binary.Uvarint(raw)
		if n <= 0 || length > uint64(len(raw)-n) {
			return nil, nil, fmt.Errorf("a field of %d bytes in %d", length, len(raw))
		}
		raw, size = raw[n:], int(length)
	default:
		return nil, nil, fmt.Errorf("wire type %d", wire)
	}
	if size < 0 || size == 0 && wire != 2 || size > len(raw) {
		return nil, nil, fmt.Errorf("a field is cut off")
	}
	return raw[:size], raw[size:], nil
}
