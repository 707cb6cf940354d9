package forge

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// State is how a commit fares.
type State string

// The states, in the words of the status API. Broken off is what became of a
// commit that another one took the place of before it was done.
const (
	Pending   State = "pending"
	Success   State = "success"
	Failure   State = "failure"
	BrokenOff State = "error"
)

// Status is what is told of one commit.
type Status struct {
	Commit      string // its whole hash
	State       State
	Description string // for people, one line, without any secret
	Target      string // a URL with more, or empty
}

// ReporterOptions are what a Reporter is made of.
type ReporterOptions struct {
	Source     string
	API        string // as Locate gives it
	Repository string // OWNER/NAME
	TokenFile  string // read anew for every status
	CAFile     string // authorities (PEM) that alone may sign the server's certificate; empty: those of the system
	Context    string // tells the statuses of one agent from those of others
	Note       func(string)
	Rand       func() float64 // in [0,1), spreads retries
	Client     *http.Client   // nil: one of its own
}

// Reporter sends the statuses of one source's commits. Only the newest counts:
// one that could not be sent yet makes way for it.
type Reporter struct {
	o      ReporterOptions
	client *http.Client
	wake   chan struct{} // capacity 1: there is something else to tell

	mu     sync.Mutex
	wanted Status

	// What follows belongs to Run.
	told  Status // last, to the forge
	posts int    // of that commit
	fails int    // in a row
	noted string
}

// NewReporter makes a reporter. It sends nothing before Run. Its error is that of
// the CAFile.
func NewReporter(o ReporterOptions) (*Reporter, error) {
	r := &Reporter{o: o, client: o.Client, wake: make(chan struct{}, 1)}
	if r.o.Rand == nil {
		r.o.Rand = rand.Float64
	}
	if r.client != nil {
		return r, nil
	}
	var err error
	r.client, err = newClient(o.CAFile)
	return r, err
}

// Set says how the newest commit fares. It never blocks.
func (r *Reporter) Set(s Status) {
	r.mu.Lock()
	same := r.wanted == s
	r.wanted = s
	r.mu.Unlock()
	if same {
		return
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

const (
	leastPause = time.Second
	mostPause  = 10 * time.Minute
)

// Run sends what there is to tell until ctx ends. What fails is tried again,
// each time after twice as long or what the server asks for. Many statuses of
// one commit come ever more slowly, since GitHub takes a thousand in all.
func (r *Reporter) Run(ctx context.Context) {
	defer r.client.CloseIdleConnections()
	for {
		s, ok := r.next()
		if !ok {
			select {
			case <-ctx.Done():
				return
			case <-r.wake:
			}
			continue
		}
		pause := leastPause
		if err := r.post(ctx, s); err != nil {
			if ctx.Err() != nil {
				return
			}
			pause = r.failed(err)
		} else {
			pause = r.done(s)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// next gives what has to be told now. A commit that was done once is not called
// pending again: a scheduled run or a repair is told about when it has ended.
func (r *Reporter) next() (Status, bool) {
	r.mu.Lock()
	want := r.wanted
	r.mu.Unlock()
	switch {
	case want.Commit == "":
		return want, false
	case want.Commit != r.told.Commit:
		if r.told.State == Pending {
			return Status{Commit: r.told.Commit, State: BrokenOff, Description: "superseded by " + want.Commit[:min(len(want.Commit), 12)], Target: want.Target}, true
		}
		return want, true
	}
	return want, want.State != r.told.State && want.State != Pending
}

// done notes what was sent, and gives the pause after it.
func (r *Reporter) done(s Status) time.Duration {
	if s.Commit != r.told.Commit {
		r.posts = 0
	}
	r.told, r.fails, r.noted = s, 0, ""
	r.posts++
	return doubled(r.posts - 1)
}

// failed tells the operator about an error that is new, and gives the pause
// before the next try.
func (r *Reporter) failed(err error) time.Duration {
	pause := doubled(r.fails)
	pause += time.Duration(r.o.Rand() * float64(pause) / 4)
	if answer, ok := errors.AsType[*refused](err); ok {
		pause = max(pause, answer.wait)
	}
	r.fails++
	if text := err.Error(); text != r.noted && r.o.Note != nil {
		r.noted = text
		r.o.Note("status of source " + r.o.Source + ": " + text)
	}
	return pause
}

// doubled gives the least pause doubled n times, within bounds.
func doubled(n int) time.Duration { return min(leastPause<<min(n, 10), mostPause) }
