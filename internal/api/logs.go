package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/abide-agent/abide/sse"
)

// logFormat writes the events of a run in one of the formats.
type logFormat struct {
	mime   string
	beat   string // what shows in a silence that the connection is alive
	append func(b []byte, l LogLine) ([]byte, error)
}

// logFormats: text is for people: what the jobs printed, each line with its job
// in front as the clients of pin show it, and what went wrong. json (one object
// a line, with its `id`) and sse have every event of the run.
var logFormats = map[string]logFormat{
	"":     {"text/plain; charset=utf-8", "", appendText},
	"text": {"text/plain; charset=utf-8", "", appendText},
	"json": {"application/x-ndjson", "", appendJSON},
	"sse":  {"text/event-stream", ":\n\n", appendFrame},
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
	out := newLineWriter(w, format.beat)
	if q.Follow {
		out.begin()
	}
	var buf []byte
	for line, err := range s.o.Agent.Logs(r.Context(), q) {
		if err == nil {
			buf, err = format.append(buf[:0], line)
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

func appendText(b []byte, l LogLine) ([]byte, error) {
	var e struct{ Level, Message string }
	if err := json.Unmarshal(l.Data, &e); err != nil {
		return b, err
	}
	if !l.Output && e.Level != sse.Error && e.Level != sse.Warning {
		return b, nil
	}
	if l.Job != "" {
		b = append(b, '[')
		b = append(b, l.Job...)
		b = append(b, "] "...)
	}
	b = append(b, strings.TrimRight(e.Message, "\n")...)
	return append(b, '\n'), nil
}

func appendJSON(b []byte, l LogLine) ([]byte, error) {
	return append(append(b, l.Data...), '\n'), nil
}

func appendFrame(b []byte, l LogLine) ([]byte, error) {
	if l.ID != 0 { // a notice for this reader alone has none
		b = append(b, "id: "...)
		b = strconv.AppendUint(b, l.ID, 10)
		b = append(b, '\n')
	}
	b = append(b, "data: "...)
	b = append(b, l.Data...)
	return append(b, "\n\n"...), nil
}
