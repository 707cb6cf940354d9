package docker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/output"
)

// errOutput marks an output stream that broke: the connection is lost, whatever
// the reason reads like.
var errOutput = fmt.Errorf("the output stream broke: %w", io.ErrUnexpectedEOF)

// ended is how a container ended, or why nobody can say.
type ended struct {
	code int
	err  error
}

// wait asks for a container's end. It returns as soon as the engine has noted
// the question; the answer arrives in the channel, which nobody has to read.
func (g *engine) wait(ctx context.Context, id string, until container.WaitCondition) <-chan ended {
	out := make(chan ended, 1)
	answer, failure := g.api.ContainerWait(ctx, id, until)
	go func() { // the client's answer must be taken, or its own goroutine stays
		select {
		case a := <-answer:
			if a.Error != nil && a.Error.Message != "" {
				out <- ended{int(a.StatusCode), errors.New(a.Error.Message)}
				return
			}
			out <- ended{code: int(a.StatusCode)}
		case err := <-failure:
			out <- ended{err: err}
		}
	}()
	return out
}

// The engine sends both streams over one connection in frames: a byte for the
// stream, three of zero, four for the length (big endian), then the bytes.
const (
	frameHead   = 8
	frameStdout = 1
	frameStderr = 2
	frameSystem = 3 // the engine itself reports an error
)

// demux reads frames to the end of r and hands on what is in them as it comes.
// Unlike the client's own it doesn't keep a frame in memory.
func demux(r io.Reader, lines *output.Lines) error {
	var head [frameHead]byte
	buf := make([]byte, 32<<10)
	for {
		if _, err := io.ReadFull(r, head[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		left := int(binary.BigEndian.Uint32(head[4:]))
		for left > 0 {
			n, err := r.Read(buf[:min(len(buf), left)])
			left -= n
			switch head[0] {
			case frameStdout, 0:
				lines.Write(runner.Stdout, buf[:n])
			case frameStderr:
				lines.Write(runner.Stderr, buf[:n])
			case frameSystem:
				lines.Narrate("error", "The engine reports: "+string(buf[:n]))
			default:
				return fmt.Errorf("the engine sent a frame of kind %d, which doesn't exist", head[0])
			}
			if err != nil && left > 0 {
				return io.ErrUnexpectedEOF
			}
		}
	}
}

// pump is a goroutine that moves output; done gives its end once, over is
// closed after that.
type pump struct {
	done chan error
	over chan struct{}
}

func pumping(f func() error) pump {
	p := pump{done: make(chan error, 1), over: make(chan struct{})}
	go func() {
		defer close(p.over)
		p.done <- f()
	}()
	return p
}

// drain waits for the rest of the output. When it doesn't come to its end in
// time, closing the connection ends it: a process that escaped the container's
// end must not keep the job.
func drain(p pump, conn interface{ Close() }) {
	timer := time.NewTimer(drainTimeout)
	defer timer.Stop()
	select {
	case <-p.over:
	case <-timer.C:
		conn.Close()
		<-p.over
	}
}
