package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"time"
)

// maxFrame bounds one event on the wire. The agent stays below 60 KiB.
const maxFrame = 1 << 20

var errLongFrame = errors.New("an event is longer than 1 MiB; check the address given with --server")

// frame is one event of a stream (WHATWG HTML, section 9.2.6).
type frame struct {
	id   string
	data []byte
}

// frames reads the events of a stream. It doesn't care how the bytes are cut
// into packets and chunks.
type frames struct {
	r     *bufio.Reader
	retry time.Duration // what the server asks for, 0 when it doesn't
	line  []byte
}

func newFrames(r io.Reader) *frames { return &frames{r: bufio.NewReaderSize(r, 64<<10)} }

// next gives the next event that has data. An event that the end cuts off is
// dropped, as the standard says.
func (f *frames) next() (frame, error) {
	var out frame
	seen := false
	for {
		line, err := f.readLine()
		if err != nil {
			return frame{}, err
		}
		if len(line) == 0 {
			if seen {
				return out, nil
			}
			out = frame{}
			continue
		}
		key, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimPrefix(value, []byte{' '})
		switch string(key) {
		case "data":
			if seen {
				out.data = append(out.data, '\n')
			}
			if len(out.data)+len(value) > maxFrame {
				return frame{}, errLongFrame
			}
			out.data = append(out.data, value...)
			seen = true
		case "id":
			out.id = string(value)
		case "retry":
			if ms, err := strconv.ParseUint(string(value), 10, 31); err == nil {
				f.retry = time.Duration(ms) * time.Millisecond
			}
		}
	}
}

// readLine gives a line without its end, good until the next call.
func (f *frames) readLine() ([]byte, error) {
	f.line = f.line[:0]
	for {
		part, err := f.r.ReadSlice('\n')
		if len(f.line)+len(part) > maxFrame {
			return nil, errLongFrame
		}
		f.line = append(f.line, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return bytes.TrimSuffix(bytes.TrimSuffix(f.line, []byte{'\n'}), []byte{'\r'}), nil
	}
}
