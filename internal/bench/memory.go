package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/abide-agent/abide/runner"
)

// measureMemory measures what large input and long use cost.
func measureMemory(ctx context.Context, r *rig) (rows []row, err error) {
	for _, part := range []func(context.Context, *rig, *daemon) ([]row, error){largeBody, largeOutput, manyRuns} {
		d, err := r.start(ctx, nil)
		if err != nil {
			return rows, err
		}
		more, err := part(ctx, r, d)
		rows = append(rows, more...)
		if err = errors.Join(err, d.stop()); err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// letters is a body of any size that costs its sender nothing.
type letters struct{ left int64 }

func (l *letters) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), l.left))
	for i := range n {
		p[i] = 'x'
	}
	l.left -= int64(n)
	return n, nil
}

// largeBody sends what no pipeline is, with its length said before and without.
func largeBody(ctx context.Context, r *rig, d *daemon) (rows []row, err error) {
	const size = 300_000_000
	before, err := resident(d.pid())
	if err != nil {
		return nil, err
	}
	for _, known := range []bool{true, false} {
		what := "a body of 300 MB, its length said before: time to the 413"
		if !known {
			what = "the same without a length (chunked)"
		}
		s, err := interleave(ctx, r.rounds(5, 2), stopwatch(func(ctx context.Context) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.base+"/trigger", &letters{size})
			if err != nil {
				return err
			}
			if known {
				req.ContentLength = size
			}
			req.Header.Set("Content-Type", "application/yaml")
			resp, err := d.http.Do(req)
			if err != nil {
				return err
			}
			if resp.StatusCode != http.StatusRequestEntityTooLarge {
				err = fmt.Errorf("the answer was %s", resp.Status)
			}
			return errors.Join(err, resp.Body.Close())
		}))
		if err != nil {
			return rows, err
		}
		rows = append(rows, within(what, s[0].median(), 100*time.Millisecond, "slowest: "+span(s[0].quantile(1))))
	}
	most, err := peak(d.pid())
	return append(rows, below("growth of memory by these", megabytes(most-before), 16, " MB", "")), err
}

// largeOutput has a job that prints very much, with nobody listening and with a
// client that reads it all.
func largeOutput(ctx context.Context, r *rig, d *daemon) ([]row, error) {
	size := r.rounds(200, 50) * 1_000_000
	began := time.Now()
	run, err := d.triggerAndWait(ctx, pipeline(r.series(1, "", fmt.Sprintf("spew %d", size))...))
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	alone, err := peak(d.pid())
	if err != nil {
		return nil, err
	}
	resp, err := d.http.Get(d.base + "/v1/runs/" + run.ID + "/logs")
	if err != nil {
		return nil, err
	}
	n, err := io.Copy(io.Discard, resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	if n < int64(size) {
		return nil, fmt.Errorf("the log of the run has %d bytes of %d", n, size)
	}
	read, err := peak(d.pid())
	what := fmt.Sprintf("%d MB of job output: memory, at most", size/1_000_000)
	return []row{
		below(what, megabytes(alone), 64, " MB", "took "+span(took)),
		below("the same, its log read back", megabytes(read), 64, " MB", ""),
	}, err
}

// manyRuns has runs whose every job is skipped: what is left is the agent's own.
func manyRuns(ctx context.Context, r *rig, d *daemon) ([]row, error) {
	n := r.rounds(10_000, 1_000)
	text := pipeline(job{r.name("j"), r.images.Cmd, []string{"true"}, never})
	began := time.Now()
	var last string
	err := side(8, n, func(i int) error {
		id, err := d.trigger(ctx, text)
		if i == n-1 {
			last = id
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, err := d.wait(ctx, last, runner.Skipped); err != nil {
		return nil, err
	}
	if err := d.settled(ctx, 0); err != nil {
		return nil, err
	}
	took := time.Since(began)
	select { // a burst is over when nothing has followed it
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	rss, err := resident(d.pid())
	return []row{below(fmt.Sprintf("memory 2 s after %d runs without a container", n), megabytes(rss), 40, " MB",
		fmt.Sprintf("%s, %.0f runs a second", span(took), float64(n)/took.Seconds()))}, err
}
