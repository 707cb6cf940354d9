// Package output turns the bytes that a job prints into the lines that an
// observer is told, live. It knows newlines, stalls, limits and UTF-8. It never
// knows which engine the bytes came from, nor who reads the lines.
package output

import (
	"bytes"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/abide-agent/abide/runner"
)

// Stall is how long the beginning of a line waits for its end before it is
// delivered as it stands: long enough that a program which writes a line in
// pieces isn't cut, short enough that a prompt is seen.
const Stall = 200 * time.Millisecond

// Lines delivers what a job prints to an observer. Every line ends with exactly
// one call that has more unset; calls that have it set carry the beginning of a
// line that is too long, or that stalled. "\r\n" ends a line like "\n"; a lone
// "\r" is part of the text. Invalid UTF-8 becomes U+FFFD. Memory is bounded by
// a few [runner.MaxLine] a stream, whatever is printed.
//
// Lines is safe for concurrent use, and calls the observer from one goroutine
// at a time.
type Lines struct {
	mu      sync.Mutex
	obs     runner.Observer
	steps   *Steps
	streams map[runner.Stream]*stream
}

// stream is what is pending on one of the two streams.
type stream struct {
	name    runner.Stream
	lines   *Lines
	skip    int    // lines yet to be swallowed, after an adoption
	done    int    // lines that ended, swallowed ones included
	pending []byte // the unfinished line, less what was delivered of it
	open    bool   // the last delivered call had more set
	timer   *time.Timer
	armed   bool      // the timer runs
	since   time.Time // when the first pending byte came
}

// New gives the Lines of one attempt. The first skip[s] lines of stream s are
// swallowed, because an earlier life has delivered them; steps may be nil.
func New(obs runner.Observer, skip map[runner.Stream]int, steps *Steps) *Lines {
	l := &Lines{obs: obs, steps: steps, streams: map[runner.Stream]*stream{}}
	for _, name := range []runner.Stream{runner.Stdout, runner.Stderr} {
		l.streams[name] = &stream{name: name, lines: l, skip: skip[name]}
	}
	return l
}

// Narrate passes a step on to the observer, in order with the lines.
func (l *Lines) Narrate(level, message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.obs.Narrate(level, message)
}

// Done counts the lines of each stream that need no delivery any more, for
// whoever reads the same output again from its start.
func (l *Lines) Done() map[runner.Stream]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[runner.Stream]int{}
	for name, s := range l.streams {
		out[name] = s.done + s.skip
	}
	return out
}

// Write takes the next bytes of a stream. It returns when the observer has
// been told: a slow observer slows the job, nothing is buffered without bound.
func (l *Lines) Write(name runner.Stream, p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.streams[name]
	fresh := len(s.pending) == 0
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			s.extend(p)
			break
		}
		s.end(p[:i])
		p = p[i+1:]
		fresh = true
	}
	s.watch(fresh)
}

// Close delivers what is pending and ends the last line of each stream. No
// observer is called after it returns.
func (l *Lines) Close() { l.close(true) }

// Abandon is Close for an output that is read again from its start: what is
// pending is not delivered, since it will come again.
func (l *Lines) Abandon() { l.close(false) }

func (l *Lines) close(deliver bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range []runner.Stream{runner.Stdout, runner.Stderr} {
		s := l.streams[name]
		if !deliver {
			s.pending = s.pending[:0]
		}
		if len(s.pending) > 0 || s.open {
			s.end(nil)
		}
		if s.timer != nil {
			s.timer.Stop()
		}
		s.armed = false
	}
}

// extend adds to the unfinished line, delivering what makes it too long.
func (s *stream) extend(p []byte) {
	for len(s.pending)+len(p) > runner.MaxLine {
		room := runner.MaxLine - len(s.pending)
		s.pending = append(s.pending, p[:room]...)
		p = p[room:]
		s.flush()
	}
	s.pending = append(s.pending, p...)
}

// end finishes the line that rest completes.
func (s *stream) end(rest []byte) {
	s.extend(rest)
	text := bytes.TrimSuffix(s.pending, []byte{'\r'})
	if printed, message, ok := s.lines.steps.find(text); ok {
		if len(printed) > 0 || s.open {
			s.finish(printed)
		}
		if s.skip == 0 {
			s.lines.obs.Narrate("info", message)
		}
	} else {
		s.finish(text)
	}
	s.pending = s.pending[:0]
}

// finish delivers the end of a line.
func (s *stream) finish(text []byte) {
	s.deliver(text, false)
	s.done++
	s.skip = max(s.skip-1, 0)
}

// flush delivers the unfinished line as far as it goes, but neither half a
// rune nor a "\r" that may belong to a newline.
func (s *stream) flush() {
	n := len(s.pending)
	if n > 0 && s.pending[n-1] == '\r' {
		n--
	}
	n -= incomplete(s.pending[:n])
	if n <= 0 {
		return
	}
	s.deliver(s.pending[:n], true)
	s.pending = append(s.pending[:0], s.pending[n:]...)
}

// deliver tells the observer, in calls of at most MaxLine bytes each: replacing
// invalid bytes can make a text longer than it came.
func (s *stream) deliver(p []byte, more bool) {
	if s.skip > 0 {
		return
	}
	text := strings.ToValidUTF8(string(p), "\uFFFD")
	for len(text) > runner.MaxLine {
		n := runner.MaxLine
		for !utf8.RuneStart(text[n]) {
			n--
		}
		s.lines.obs.Line(s.name, text[:n], true)
		text = text[n:]
	}
	s.lines.obs.Line(s.name, text, more)
	s.open = more
}

// incomplete counts the bytes at the end of p that begin a rune without ending it.
func incomplete(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		if b := p[len(p)-n]; utf8.RuneStart(b) {
			if b >= utf8.RuneSelf && !utf8.FullRune(p[len(p)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// watch starts the clock of an unfinished line. It runs from the line's first
// byte on, so that a progress bar of "\r"s is shown while it moves.
func (s *stream) watch(fresh bool) {
	if len(s.pending) == 0 {
		return
	}
	if fresh {
		s.since = time.Now()
	}
	if s.armed {
		return // when it fires, it looks at since
	}
	s.armed = true
	if s.timer == nil {
		s.timer = time.AfterFunc(Stall, s.stalled)
	} else {
		s.timer.Reset(Stall)
	}
}

func (s *stream) stalled() {
	s.lines.mu.Lock()
	defer s.lines.mu.Unlock()
	if !s.armed || len(s.pending) == 0 {
		s.armed = false
		return
	}
	if left := Stall - time.Since(s.since); left > 0 {
		s.timer.Reset(left)
		return
	}
	s.armed = false
	s.flush()
}
