package terminal

import (
	"cmp"
	"strings"
	"sync"
	"time"

	"github.com/abide-agent/abide/sse"
)

// Progress shows what runs do, while they do it. In a pipe every event is one
// line; on a terminal the jobs under way stand below the lines with their times.
// It is safe for concurrent use. Close it, so that the terminal is left in order.
type Progress struct {
	s    Screen
	now  func() time.Time
	stop chan struct{}
	done chan struct{}

	mu      sync.Mutex
	closed  bool
	jobs    []*activity
	runs    map[string]*runView
	drawn   int // lines of the picture that stand on the terminal
	frame   int
	pending strings.Builder // lines to print above the picture
	sums    tally
	first   string // the pipeline that was told of first
	several bool   // there are others beside it, or will be
}

// activity is one job under way.
type activity struct {
	run, pipeline, job string
	since              time.Time
	last               string // what it said last
}

// runView is what is known of a run under way.
type runView struct {
	pipeline string
	withTime bool // `logsWithTime`: lines of output carry date and time
}

// frameTime is how often the times of the picture move.
const frameTime = 80 * time.Millisecond

// maxPending is how many bytes of lines wait for the next frame.
const maxPending = 64 << 10

// NewProgress begins to show events on s.
func NewProgress(s Screen) *Progress {
	p := newProgress(s, time.Now)
	if s.Live {
		p.stop, p.done = make(chan struct{}), make(chan struct{})
		go p.animate()
	}
	return p
}

func newProgress(s Screen, now func() time.Time) *Progress {
	return &Progress{s: s, now: now, runs: map[string]*runView{}, sums: tally{}}
}

func (p *Progress) animate() {
	defer close(p.done)
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.mu.Lock()
			p.frame++
			p.draw()
			p.mu.Unlock()
		}
	}
}

// Show takes one event, in the order in which they were published.
func (p *Progress) Show(e sse.Event) {
	if quiet(e) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.follow(e)
	p.print(e)
	p.forget(e)
	// A terminal is drawn at the pace of its frames, or a chatty job would spend
	// its time on redrawing the picture for every line.
	if !p.s.Live || p.pending.Len() > maxPending {
		p.draw()
	}
}

// Close takes the picture away. Nothing is shown after it.
func (p *Progress) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	p.jobs = nil
	p.draw()
	p.mu.Unlock()
	if p.stop != nil {
		close(p.stop)
		<-p.done
	}
}

// follow keeps the list of runs and jobs under way.
func (p *Progress) follow(e sse.Event) {
	p.sums.note(e)
	if n, ok := e.Fields["changes"].(int); ok && e.Type == sse.TypePlan && n > 1 {
		p.several = true
	}
	if e.Run == "" {
		return
	}
	view := p.runs[e.Run]
	if view == nil {
		view = &runView{}
		p.runs[e.Run] = view
	}
	if e.Pipeline != "" {
		view.pipeline = e.Pipeline
		p.first = cmp.Or(p.first, e.Pipeline)
		p.several = p.several || p.first != e.Pipeline || len(p.runs) > 1
	}
	if on, ok := e.Fields["logs_with_time"].(bool); ok {
		view.withTime = on
	}
	if e.Job == "" || ended(e) {
		return
	}
	job := p.job(e.Run, e.Job)
	if job == nil {
		since := e.Time
		if since.IsZero() {
			since = p.now()
		}
		job = &activity{run: e.Run, pipeline: view.pipeline, job: e.Job, since: since}
		p.jobs = append(p.jobs, job)
	}
	job.last = Clean(e.Message, false)
}

func (p *Progress) job(run, name string) *activity {
	for _, j := range p.jobs {
		if j.run == run && j.job == name {
			return j
		}
	}
	return nil
}

// forget takes what has ended off the list.
func (p *Progress) forget(e sse.Event) {
	if e.Run == "" || !ended(e) {
		return
	}
	kept := p.jobs[:0]
	for _, j := range p.jobs {
		if j.run != e.Run || e.Job != "" && j.job != e.Job {
			kept = append(kept, j)
		}
	}
	p.jobs = kept
	if e.Job == "" {
		delete(p.runs, e.Run)
	}
}

// print adds the event's line. Jobs are named by pipeline, too, as soon as there
// is more than one, and from then on: a line must not change its meaning.
func (p *Progress) print(e sse.Event) {
	label := e.Job
	if view := p.runs[e.Run]; view != nil && p.several && view.pipeline != "" {
		label = strings.TrimSuffix(view.pipeline+"/"+e.Job, "/")
	}
	label = Clean(label, false)
	if e.Stream != "" {
		p.pending.WriteString(p.s.Paint(jobColor(label), "["+label+"]") + " " + p.stamp(e) + Clean(e.Message, p.s.Color) + "\n")
		return
	}
	sign, color := mark(e)
	line := p.s.Paint(color, sign) + " "
	if label != "" {
		line += p.s.Paint(Bold, label) + " "
	}
	p.pending.WriteString(line + Message(e) + "\n")
}

// stamp is the date and time that `logsWithTime` puts before a line of output.
func (p *Progress) stamp(e sse.Event) string {
	if view := p.runs[e.Run]; view == nil || !view.withTime {
		return ""
	}
	return e.Time.Local().Format("2006/01/02 15:04:05 ")
}

// jobColor gives a job the same colour in all of its lines.
func jobColor(job string) Color {
	palette := []Color{Cyan, Blue, Green, Yellow, "35"}
	sum := 0
	for _, c := range []byte(job) {
		sum = sum*31 + int(c)
	}
	return palette[uint(sum)%uint(len(palette))]
}
