package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/abide-agent/abide/sse"
)

// stalledClient has a job that prints much, with one client that reads none of
// it until the others have all of it, and without.
func stalledClient(ctx context.Context, r *rig) (rows []row, err error) {
	d, err := r.start(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	size := r.rounds(10, 4) * 1_000_000
	lost, total := 0, 0
	watch := func(ctx context.Context) (time.Duration, error) {
		return r.watched(ctx, d, size)
	}
	withStalled := func(ctx context.Context) (time.Duration, error) {
		stalled, err := d.follow(ctx, "")
		if err != nil {
			return 0, err
		}
		took, err := r.watched(ctx, d, size)
		if err != nil {
			return 0, errors.Join(err, stalled.close())
		}
		events, missed, err := d.catchUp(ctx, stalled)
		lost, total = lost+missed, total+events
		return took, err
	}
	s, err := interleave(ctx, r.rounds(9, 2), watch, withStalled)
	if err != nil {
		return nil, err
	}
	resumed, err := resume(ctx, r, d)
	if err != nil {
		return nil, err
	}
	return append([]row{
		ratio(fmt.Sprintf("%d MB of job output to 4 clients beside one that is stalled", size/1_000_000), s[1], "the same without it", s[0], 1.1),
		none("the stalled client, when it reads on and then resumes by id: lost", lost, total, "events"),
	}, resumed...), nil
}

// watched runs a job that prints so many bytes, and measures until four clients
// have seen its end.
func (r *rig) watched(ctx context.Context, d *daemon, size int) (time.Duration, error) {
	const clients = 4
	text := pipeline(r.series(1, "", fmt.Sprintf("spew %d", size))...)
	var wg sync.WaitGroup
	errs := make([]error, clients)
	for i := range clients {
		s, err := d.follow(ctx, "")
		if err != nil {
			return 0, err
		}
		defer s.close()
		wg.Go(func() { _, _, errs[i] = toTheEnd(s, 0) })
	}
	began := time.Now()
	if _, err := d.trigger(ctx, text); err != nil {
		return 0, err
	}
	wg.Wait()
	return time.Since(began), firstError(errs)
}

// toTheEnd reads up to the end of the next run, and counts.
func toTheEnd(s *stream, last uint64) (events, lost int, err error) {
	complete := []byte(`"type":"` + sse.TypePipelineComplete + `"`)
	for {
		id, data, err := s.next()
		if err != nil {
			return events, lost, err
		}
		if last != 0 && id != last+1 {
			lost += int(id - last - 1)
		}
		last = id
		events++
		if bytes.Contains(data, complete) {
			return events, lost, nil
		}
	}
}

// catchUp lets a stalled client read on for a while, and then come back with
// the last id that it has, as clients do that the agent has given up.
func (d *daemon) catchUp(ctx context.Context, s *stream) (events, lost int, err error) {
	last := uint64(0)
	for ; events < 1000; events++ {
		id, _, err := s.next()
		if err != nil {
			return events, lost, errors.Join(err, s.close())
		}
		if last != 0 && id != last+1 {
			lost += int(id - last - 1)
		}
		last = id
	}
	if err := s.close(); err != nil {
		return events, lost, err
	}
	if s, err = d.follow(ctx, fmt.Sprintf("since=%d", last)); err != nil {
		return events, lost, err
	}
	defer s.close()
	more, missed, err := toTheEnd(s, last)
	return events + more, lost + missed, err
}

// resume measures a client that comes back for the last 1,000 events.
func resume(ctx context.Context, r *rig, d *daemon) ([]row, error) {
	const events = 1000
	run, err := d.triggerAndWait(ctx, pipeline(r.series(1, "", fmt.Sprintf("spew %d", 100*events))...))
	if err != nil {
		return nil, err
	}
	s, err := d.follow(ctx, "since=0&run="+run.ID)
	if err != nil {
		return nil, err
	}
	defer s.close()
	end, err := s.await(func(e sse.Event) bool { return sse.TerminalRun(e.Type) })
	if err != nil {
		return nil, err
	}
	last := end.ID
	c := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer c.CloseIdleConnections()
	again := stopwatch(func(ctx context.Context) error {
		s, err := follow(ctx, c, fmt.Sprintf("%s/events?since=%d", d.base, last-events))
		if err != nil {
			return err
		}
		defer s.close()
		for id := uint64(0); id < last; {
			if id, _, err = s.next(); err != nil {
				return err
			}
		}
		return nil
	})
	t, err := interleave(ctx, r.rounds(25, 5), again)
	if err != nil {
		return nil, err
	}
	return []row{within("a client that comes back for its last 1,000 events, p50", t[0].median(), 50*time.Millisecond, "slowest: "+span(t[0].quantile(1)))}, nil
}
