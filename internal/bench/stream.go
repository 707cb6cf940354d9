package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/abide-agent/abide/sse"
)

// stream is one client of /events that does as little as a client can: what it
// measures is the agent, not itself.
type stream struct {
	in   *bufio.Reader
	resp *http.Response
	data []byte // of the frame that is read, used again for the next one
}

// follow connects a client; query is as in "types=log&since=3". It returns when
// the agent's first frame is there: what is caused from then on is seen.
func (d *daemon) follow(ctx context.Context, query string) (*stream, error) {
	return follow(ctx, &http.Client{Transport: &http.Transport{DisableCompression: true}}, d.base+"/events?"+query)
}

func follow(ctx context.Context, c *http.Client, url string) (*stream, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("GET %s: %s", url, resp.Status), resp.Body.Close())
	}
	s := &stream{in: bufio.NewReaderSize(resp.Body, 64<<10), resp: resp}
	if _, _, err := s.next(); err != nil { // connection
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *stream) close() error { return s.resp.Body.Close() }

var (
	idField   = []byte("id: ")
	dataField = []byte("data: ")
)

// next reads one frame. data is valid until the next call; comments are passed
// over, and a frame without an id has the id 0.
func (s *stream) next() (id uint64, data []byte, err error) {
	for {
		line, err := s.in.ReadSlice('\n')
		if err != nil {
			return 0, nil, err
		}
		switch {
		case len(line) == 1:
			if data != nil {
				return id, data, nil
			}
		case bytes.HasPrefix(line, idField):
			if id, err = strconv.ParseUint(string(line[len(idField):len(line)-1]), 10, 64); err != nil {
				return 0, nil, err
			}
		case bytes.HasPrefix(line, dataField):
			s.data = append(s.data[:0], line[len(dataField):len(line)-1]...)
			data = s.data
		}
	}
}

// event reads one frame as an event.
func (s *stream) event() (e sse.Event, err error) {
	id, data, err := s.next()
	if err == nil {
		err = json.Unmarshal(data, &e)
		e.ID = id
	}
	return e, err
}

// await reads up to the event that ok says yes to.
func (s *stream) await(ok func(sse.Event) bool) (sse.Event, error) {
	for {
		if e, err := s.event(); err != nil || ok(e) {
			return e, err
		}
	}
}
