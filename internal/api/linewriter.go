package api

import (
	"net/http"
	"sync"
	"time"
)

// lineWriter writes lines and sends them soon: those that come within
// flushEvery share one packet, so that a chatty run costs few system calls and
// a quiet one is seen at once.
type lineWriter struct {
	mu     sync.Mutex // ResponseWriter is for one goroutine at a time
	w      http.ResponseWriter
	rc     *http.ResponseController
	beat   string // sent when there was nothing else for beatEvery
	timer  *time.Timer
	dirty  bool // something waits to be sent, and the timer is set for it
	begun  bool // something was written or sent
	closed bool
	err    error
}

func newLineWriter(w http.ResponseWriter, beat string) *lineWriter {
	l := &lineWriter{w: w, rc: http.NewResponseController(w), beat: beat}
	l.timer = time.AfterFunc(time.Hour, l.tick)
	l.timer.Stop()
	return l
}

// begin has the headers sent, after a moment in which an error can still take
// their place.
func (l *lineWriter) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.begun {
		l.dirty = true
		l.timer.Reset(beginAfter)
	}
}

// write takes whole lines.
func (l *lineWriter) write(p []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	if !l.dirty || !l.begun {
		l.rc.SetWriteDeadline(time.Now().Add(stallTime))
		l.timer.Reset(flushEvery)
	}
	l.dirty, l.begun = true, true
	_, l.err = l.w.Write(p)
	return l.err
}

// tick sends what waits, or else the beat.
func (l *lineWriter) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.err != nil {
		return
	}
	l.rc.SetWriteDeadline(time.Now().Add(stallTime))
	if !l.dirty {
		_, l.err = l.w.Write([]byte(l.beat))
	}
	l.dirty, l.begun = false, true
	if err := l.rc.Flush(); err != nil && l.err == nil {
		l.err = err
	}
	if l.beat != "" && l.err == nil {
		l.timer.Reset(beatEvery)
	}
}

// close ends the timer's use of the ResponseWriter, and says whether anything
// of the answer went out.
func (l *lineWriter) close() (begun bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.timer.Stop()
	return l.begun
}
