package executortest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/abide-agent/abide/runner"
)

// Recorder is an observer that writes down what it is told. It is safe for
// concurrent use, and notices when an executor isn't orderly.
type Recorder struct {
	// FailCreated is what Created gives.
	FailCreated error

	busy    atomic.Int32
	mu      sync.Mutex
	changed chan struct{} // closed and renewed at each call
	id      string
	image   string
	started bool
	steps   []string
	lines   map[runner.Stream][]string
	open    map[runner.Stream]bool // the last line is unfinished
	fault   string
}

// NewRecorder gives an empty Recorder.
func NewRecorder() *Recorder {
	return &Recorder{changed: make(chan struct{}), lines: map[runner.Stream][]string{}, open: map[runner.Stream]bool{}}
}

// call does f as one call of the contract's.
func (r *Recorder) call(what string, f func()) {
	if r.busy.Add(1) > 1 {
		r.blame(what + " while another call was under way")
	}
	defer r.busy.Add(-1)
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *Recorder) blame(fault string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fault == "" {
		r.fault = fault
	}
}

// Narrate implements runner.Observer.
func (r *Recorder) Narrate(level, message string) {
	r.call("Narrate", func() { r.steps = append(r.steps, level+": "+message) })
}

// Created implements runner.Observer.
func (r *Recorder) Created(id, image string) error {
	r.call("Created", func() {
		if r.id != "" || id == "" {
			r.fault = fmt.Sprintf("Created(%q) after %q", id, r.id)
		}
		r.id, r.image = id, image
	})
	return r.FailCreated
}

// Started implements runner.Observer.
func (r *Recorder) Started(id, _ string) {
	r.call("Started", func() {
		if r.id != id || r.started {
			r.fault = fmt.Sprintf("Started(%q) after Created(%q), started before: %v", id, r.id, r.started)
		}
		r.started = true
	})
}

// Line implements runner.Observer.
func (r *Recorder) Line(s runner.Stream, text string, more bool) {
	r.call("Line", func() {
		if len(text) > runner.MaxLine {
			r.fault = fmt.Sprintf("a line of %d bytes", len(text))
		}
		if strings.Contains(text, "\n") {
			r.fault = fmt.Sprintf("a line with a newline in it: %q", text)
		}
		if r.id != "" && !r.started {
			r.fault = "a line before Started"
		}
		if r.open[s] {
			r.lines[s][len(r.lines[s])-1] += text
		} else {
			r.lines[s] = append(r.lines[s], text)
		}
		r.open[s] = more
	})
}

// ID gives what Created was told.
func (r *Recorder) ID() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.id
}

// Fault says what wasn't orderly, or "".
func (r *Recorder) Fault() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fault == "" && (r.open[runner.Stdout] || r.open[runner.Stderr]) {
		return "the last line never ended"
	}
	return r.fault
}

// Lines gives what one stream printed, line by line, the pieces of long lines
// put together.
func (r *Recorder) Lines(s runner.Stream) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.lines[s]...)
}

// Narrated gives all narration that contains text.
func (r *Recorder) Narrated(text string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, s := range r.steps {
		if strings.Contains(s, text) {
			out = append(out, s)
		}
	}
	return out
}

// Await waits until a line of either stream contains text, finished or not.
func (r *Recorder) Await(ctx context.Context, text string) error {
	for {
		r.mu.Lock()
		changed := r.changed
		for _, lines := range r.lines {
			for _, l := range lines {
				if strings.Contains(l, text) {
					r.mu.Unlock()
					return nil
				}
			}
		}
		r.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("no line with %q came: %w\n%s", text, ctx.Err(), r)
		}
	}
}

// String shows everything, for a failed test.
func (r *Recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, s := range r.steps {
		fmt.Fprintf(&b, "  | %s\n", s)
	}
	for stream, lines := range r.lines {
		for _, l := range lines[:min(len(lines), 50)] {
			fmt.Fprintf(&b, "  %s> %.200s\n", stream, l)
		}
	}
	return b.String()
}
