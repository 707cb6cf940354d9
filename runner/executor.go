package runner

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"
)

// Labels say whose a container is. They are written on it, so that the next
// start finds it after a crash.
type Labels struct {
	Agent    string // id of the state directory; "" for a run that keeps no state
	Source   string
	Revision string
	Run      string
	Job      string
	Attempt  int // from 1
}

// Spec is one attempt of one job, complete: an executor looks nothing else up.
type Spec struct {
	Labels     Labels
	Job        *Job
	DockerHost string // empty: the executor's own
	// Tree gives what copyFiles and dockerfile read, when they are set; nil
	// means that this run has none. It is called at most once.
	Tree func(context.Context) (fs.FS, error)
}

// Stream is where a job printed a line.
type Stream string

// The two streams of a job.
const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
)

// Observer is told what an attempt does, while it does it. Calls come in order
// from one goroutine at a time; text is the observer's to keep.
type Observer interface {
	// Narrate reports a step in words: level is one of sse's levels.
	Narrate(level, message string)
	// Created is called when the workload exists and before it starts. An error
	// (the journal can't be written) ends the attempt without starting it.
	Created(id, image string) error
	// Started is called when the workload runs.
	Started(id, image string)
	// Line is one line that the job printed, without its newline, as soon as
	// it was printed. A line above MaxLine comes in several calls, all but the
	// last with more set. Output that stalls without a newline is flushed too.
	Line(s Stream, text string, more bool)
}

// MaxLine bounds one line of output, in bytes.
const MaxLine = 16 << 10

// Result is how an attempt ended by itself. A script that fails is a Result,
// not an error.
type Result struct {
	ID       string // the workload, for Artifact and Remove
	ExitCode int
	OOM      bool
	Duration time.Duration // of the script, without create and copy
	// TreeDigest identifies what copyFiles really streamed, "" when nothing was.
	TreeDigest string
}

// Workload is a container or process group that an earlier life of this agent left.
type Workload struct {
	ID      string
	Labels  Labels
	Running bool
	Started bool // false: created and never started
	// Stranded: never started, and made for a process other than this one. Such
	// a process has ended, so nobody will ever start it; an engine goes on with
	// a request to create whose sender was killed.
	Stranded bool
}

// The errors that a caller can act on; all others mean that this attempt failed.
var (
	// ErrUnavailable wraps "the engine can't be reached": nothing ran.
	ErrUnavailable = errors.New("the container engine can't be reached")
	// ErrGone means that the workload to adopt or remove no longer exists.
	ErrGone = errors.New("the workload no longer exists")
)

// Executor runs jobs. Implementations pass the suite in runner/executortest and
// are safe for concurrent use. When ctx ends, Run and Adopt end the workload at
// once (SIGKILL, no grace) and give ctx's error. Neither removes it: the caller
// records the outcome and then calls Remove, on every path on which Created was
// called; a workload for which Created was never called is removed by Run itself.
type Executor interface {
	Name() string
	// Ping says whether the engine answers: nil, or ErrUnavailable wrapped in a
	// sentence that says what to do.
	Ping(ctx context.Context) error
	// Run performs one attempt: image, workload, files, start, output, exit.
	Run(ctx context.Context, spec Spec, obs Observer) (Result, error)
	// Adopt goes on with a workload that an earlier life started: it delivers
	// the output after the first skip[stream] lines and waits for the end. A
	// workload that was created and not started gives ErrGone after removal.
	Adopt(ctx context.Context, id string, spec Spec, skip map[Stream]int, obs Observer) (Result, error)
	// Artifact streams path of an ended workload as a tar archive.
	Artifact(ctx context.Context, id, path string) (io.ReadCloser, error)
	// List gives the workloads that carry this agent's label.
	List(ctx context.Context, agent string) ([]Workload, error)
	// Remove ends and removes a workload; it is no error when it is gone.
	Remove(ctx context.Context, id string) error
	Close() error
}
