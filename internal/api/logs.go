package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/abide-agent/abide/sse"
)

// logFormat writes the events of a run in one of the formats.
type logFormat struct {
	mime   string
	append func(b []byte, e sse.Event) ([]byte, error)
}

// logFormats: text is for people: what the jobs printed, each line with its job
// in front as the clients of pin show it, and what went wrong. json (one object
// a line, with its `id`) and sse have every event of the run.
var logFormats = map[string]logFormat{
	"":     {"text/plain; charset=utf-8", appendText},
	"text": {"text/plain; charset=utf-8", appendText},
	"json": {"application/x-ndjson", appendJSON},
	"sse":  {"text/event-stream", appendFrame},
}

// logs answers with the log of one run. With `?follow=true` it goes on until
// the run has ended; an answer that ends any other way is cut, so that no
// client takes it for complete. `Last-Event-ID` or `?after=` skips what the
// caller has.
func (s *Server) logs(w http.ResponseWriter, r *http.Request) {
	q, format, f := logQuery(r)
	if f != nil {
		s.writeError(w, r, f)
		return
	}
	if _, err := s.o.Agent.Run(r.Context(), q.Run); err != nil {
		s.writeError(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", format.mime)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy must not hold lines back
	out := newLineWriter(w)
	if q.Follow {
		out.flushSoon() // the headers, before the first line
	}
	var buf []byte
	for e, err := range s.o.Agent.Logs(r.Context(), q) {
		if err == nil {
			buf, err = format.append(buf[:0], e)
		}
		if err == nil && len(buf) > 0 {
			err = out.write(buf)
		}
		if err != nil {
			s.endLog(w, r, out, err)
			return
		}
	}
	out.close()
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler)
	}
}

// endLog ends a log that can't be told to its end.
func (s *Server) endLog(w http.ResponseWriter, r *http.Request, out *lineWriter, err error) {
	if out.close() {
		s.log.Debug().Str("path", loggedPath(r)).Msg("the log ended early: " + err.Error())
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	h.Del("X-Accel-Buffering")
	s.writeError(w, r, err)
}

func logQuery(r *http.Request) (LogQuery, logFormat, *fault) {
	v := r.URL.Query()
	q := LogQuery{Run: r.PathValue("id")}
	format, ok := logFormats[v.Get("format")]
	if !ok {
		return q, format, invalid("%s is not a format of a log; use text, json or sse", shown(v.Get("format")))
	}
	switch f := v.Get("follow"); f {
	case "", "0", "false":
	case "1", "true":
		q.Follow = true
	default:
		return q, format, invalid("follow is true or false, not %s", shown(f))
	}
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = v.Get("after")
	}
	if after != "" {
		n, err := strconv.ParseUint(after, 10, 64)
		if err != nil {
			return q, format, invalid("the id %s to go on after is not a number; take one that an event had", shown(after))
		}
		q.After = n
	}
	return q, format, checkName("id", q.Run)
}

func appendText(b []byte, e sse.Event) ([]byte, error) {
	if !e.Output() && e.Level != sse.Error && e.Level != sse.Warning {
		return b, nil
	}
	if e.Job != "" {
		b = append(b, '[')
		b = append(b, e.Job...)
		b = append(b, "] "...)
	}
	b = append(b, strings.TrimRight(e.Message, "\n")...)
	return append(b, '\n'), nil
}

// appendJSON puts the id in front of the event's own object.
func appendJSON(b []byte, e sse.Event) ([]byte, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return b, err
	}
	b = append(b, `{"id":`...)
	b = strconv.AppendUint(b, e.ID, 10)
	if rest := bytes.TrimPrefix(data, []byte{'{'}); len(rest) > 1 {
		b = append(b, ',')
		b = append(b, rest...)
	} else {
		b = append(b, '}')
	}
	return append(b, '\n'), nil
}

func appendFrame(b []byte, e sse.Event) ([]byte, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return b, err
	}
	b = append(b, "id: "...)
	b = strconv.AppendUint(b, e.ID, 10)
	b = append(b, "\ndata: "...)
	b = append(b, data...)
	return append(b, "\n\n"...), nil
}

// lineWriter writes lines and sends them soon: those that come within
// flushEvery share one packet, so that a chatty run costs few system calls and
// a quiet one is seen at once.
type lineWriter struct {
	mu      sync.Mutex // ResponseWriter is for one goroutine at a time
	w       http.ResponseWriter
	rc      *http.ResponseController
	timer   *time.Timer
	pending bool // the timer runs
	begun   bool
	closed  bool
	err     error
}

func newLineWriter(w http.ResponseWriter) *lineWriter {
	l := &lineWriter{w: w, rc: http.NewResponseController(w)}
	l.timer = time.AfterFunc(time.Hour, l.flush)
	l.timer.Stop()
	return l
}

func (l *lineWriter) write(p []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	l.begun = true
	if !l.pending {
		l.rc.SetWriteDeadline(time.Now().Add(stallTime))
		l.pending = true
		l.timer.Reset(flushEvery)
	}
	_, l.err = l.w.Write(p)
	return l.err
}

// flushSoon sends what there is, be it the headers only.
func (l *lineWriter) flushSoon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.pending {
		l.pending = true
		l.timer.Reset(50 * flushEvery)
	}
}

func (l *lineWriter) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = false
	if l.closed {
		return
	}
	l.begun = true
	l.rc.SetWriteDeadline(time.Now().Add(stallTime))
	if err := l.rc.Flush(); err != nil && l.err == nil {
		l.err = err
	}
}

// close ends the use of the ResponseWriter by the timer, and says whether
// anything of the answer went out.
func (l *lineWriter) close() (begun bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.timer.Stop()
	return l.begun
}
