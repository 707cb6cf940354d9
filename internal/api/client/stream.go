package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sse"
)

// EventQuery selects events.
type EventQuery struct {
	// Since is the id to go on after; "0" is the beginning of what is kept, ""
	// what comes from now on.
	Since string
	Types []string // empty: all
	Run   string
}

// Events yields events as they come, until ctx ends or the caller stops. When
// the connection breaks it connects anew and goes on after the last event, so
// that none is missed or seen twice. It ends with an error when the first
// attempt fails or when the agent refuses a later one.
func (c *Client) Events(ctx context.Context, q EventQuery) iter.Seq2[sse.Event, error] {
	v := url.Values{}
	set(v, "run", q.Run)
	set(v, "types", strings.Join(q.Types, ","))
	s := &stream{c: c, path: []string{"events"}, query: v, since: q.Since, endless: true}
	return s.events(ctx)
}

// Logs yields the events of one run in order: what its jobs printed, and how it
// ended. With follow it goes on until the run has ended, over broken
// connections too.
func (c *Client) Logs(ctx context.Context, id string, follow bool) iter.Seq2[sse.Event, error] {
	v := url.Values{"format": {"sse"}}
	if follow {
		v.Set("follow", "true")
	}
	s := &stream{c: c, path: []string{"v1", "runs", id, "logs"}, query: v, once: !follow}
	if follow {
		s.over = func(ctx context.Context) (bool, error) {
			run, err := c.Run(ctx, id)
			return run.State.Final(), err
		}
	}
	return s.events(ctx)
}

// Wait gives a run once it has ended.
func (c *Client) Wait(ctx context.Context, id string) (runner.Run, error) {
	for n := 0; ; n++ {
		run, err := c.Run(ctx, id)
		if err != nil || run.State.Final() {
			return run, err
		}
		for _, err := range c.Logs(ctx, id, true) {
			if err != nil {
				return run, err
			}
		}
		if n > 0 { // the log ended, and the record lags behind it
			if err := c.sleep(ctx, backoff(min(n, 4))); err != nil {
				return run, err
			}
		}
	}
}

// stream is one subscription over any number of connections.
type stream struct {
	c       *Client
	path    []string
	query   url.Values
	since   string // where to begin, until an event was seen
	last    uint64 // the last event that was yielded
	endless bool   // an end of the stream is never its real end
	once    bool   // the first end is
	over    func(context.Context) (bool, error)
	retry   time.Duration
}

// errStop means that the caller wants no more.
var errStop = errors.New("stop")

func (s *stream) events(ctx context.Context) iter.Seq2[sse.Event, error] {
	return func(yield func(sse.Event, error) bool) {
		s := *s // iterating again begins again
		connected := false
		for failures := 0; ; {
			got, err := s.connection(ctx, yield)
			switch {
			case errors.Is(err, errStop):
				return
			case ctx.Err() != nil:
				yield(sse.Event{}, ctx.Err())
				return
			case err == nil && !s.endless:
				done, overErr := s.done(ctx)
				if done {
					return
				}
				err = overErr
			}
			if err != nil && (!connected && !got || fatal(err)) {
				yield(sse.Event{}, err)
				return
			}
			connected = true
			if got {
				failures = 0
			}
			if err := s.c.sleep(ctx, max(backoff(failures), s.retry)); err != nil {
				yield(sse.Event{}, err)
				return
			}
			failures++
		}
	}
}

// done says whether a stream that ended cleanly is really over. Behind a proxy
// that speaks HTTP/1.0 a broken stream looks the same.
func (s *stream) done(ctx context.Context) (bool, error) {
	if s.once || s.over == nil {
		return true, nil
	}
	return s.over(ctx)
}

// fatal says whether another attempt can't help.
func fatal(err error) bool {
	if errors.Is(err, errLongFrame) || errors.Is(err, errNoStream) {
		return true
	}
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status < 500 && e.Status != http.StatusTooManyRequests && e.Status != http.StatusRequestTimeout
}

var errQuiet = errors.New("the daemon was silent for too long; look at its log")

var errNoStream = errors.New("the answer is not a stream of events")

// connection reads one connection to its end. got says whether the agent
// answered; a clean end gives no error.
func (s *stream) connection(ctx context.Context, yield func(sse.Event, error) bool) (got bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	q := url.Values{}
	for k, v := range s.query {
		q[k] = v
	}
	if s.last == 0 {
		set(q, "since", s.since)
	}
	r, err := s.c.request(ctx, http.MethodGet, s.path, q, nil, "")
	if err != nil {
		return false, err
	}
	r.Header.Set("Accept", "text/event-stream")
	if s.last != 0 {
		r.Header.Set("Last-Event-ID", strconv.FormatUint(s.last, 10))
	}
	// A connection that died without a word is noticed by its silence.
	quiet := time.AfterFunc(s.c.quiet, func() { cancel(errQuiet) })
	defer quiet.Stop()
	resp, err := s.c.send(r)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if t := resp.Header.Get("Content-Type"); !strings.HasPrefix(t, "text/event-stream") {
		return true, fmt.Errorf("%w: %s answered with %q; check the address given with --server", errNoStream, s.c.server, t)
	}
	in := newFrames(&watched{resp.Body, quiet, s.c.quiet})
	for {
		f, err := in.next()
		s.retry = min(in.retry, longWait)
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return true, err
		}
		if !s.deliver(f, yield) {
			return true, errStop
		}
	}
}

// deliver yields an event, unless it was yielded before. After `stale` ids may
// begin anew, because the agent's log did.
func (s *stream) deliver(f frame, yield func(sse.Event, error) bool) bool {
	var e sse.Event
	if err := json.Unmarshal(f.data, &e); err != nil {
		return yield(sse.Event{}, fmt.Errorf("an event of %s can't be read: %w", s.c.server, err))
	}
	e.ID = 0
	if id, err := strconv.ParseUint(f.id, 10, 64); err == nil {
		e.ID = id
	}
	switch {
	case e.Type == sse.TypeStale:
		s.last = 0
	case e.ID != 0 && e.ID <= s.last:
		return true
	case e.ID != 0:
		s.last = e.ID
	}
	return yield(e, nil)
}

// watched puts a timer off whenever something arrives.
type watched struct {
	io.Reader
	timer *time.Timer
	after time.Duration
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.timer.Reset(w.after)
	}
	return n, err
}
