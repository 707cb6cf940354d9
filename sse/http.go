package sse

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// ServeHTTP streams the log as Server-Sent Events: live from now on, or with
// Last-Event-ID or ?since=N everything after event N first. ?types=a,b, ?run=
// and ?job= select; ?named=true adds the `event:` lines that clients of pin's
// binary dispatch on, at the price that a browser's onmessage sees nothing.
// Who may read is the business of whoever mounts it.
func (l *Log) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		fail(w, http.StatusMethodNotAllowed, "method_not_allowed", "Events are read with GET", nil)
		return
	}
	q, err := parseQuery(r)
	if bad, ok := errors.AsType[*badQuery](err); ok {
		fail(w, http.StatusBadRequest, "bad_request", bad.Error(), map[string]any{"field": bad.field})
		return
	}
	s, ok := l.streams.add(w, r, l.opts.WriteTimeout)
	if !ok {
		fail(w, http.StatusServiceUnavailable, "shutting_down", "The agent is shutting down; connect again in a moment", nil)
		return
	}
	defer l.streams.remove(s)

	// The cursor is taken before the client can know that it is connected:
	// what it causes from then on, it sees.
	if q.live {
		q.since = l.LastID()
	}
	reader := l.Read(q.since, q.Filter)
	defer reader.Close()
	reader.quit = l.streams.quit

	head := w.Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("Cache-Control", "no-cache")
	head.Set("X-Accel-Buffering", "no") // nginx would collect events
	w.WriteHeader(http.StatusOK)
	s.named, s.heartbeat = q.named, l.opts.Heartbeat
	if s.send(batch{frames: []Frame{l.connection()}}) != nil {
		return
	}
	s.follow(reader)
}

// connection is the first frame of each stream.
func (l *Log) connection() Frame {
	to := "abide"
	if l.opts.Version != "" {
		to += " " + l.opts.Version
	}
	return unnumbered(Event{
		Type: TypeConnection, Message: "Connected to " + to, Time: time.Now(),
		Fields: map[string]any{"clientId": clientID()},
	})
}

// clientID gives a random UUID (RFC 9562, version 4), which is what pin's
// clients get.
func clientID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// fail answers in the one shape that errors of the API have.
func fail(w http.ResponseWriter, status int, code, message string, details map[string]any) {
	if details == nil {
		details = map[string]any{}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": code, "message": message, "details": details})
}
