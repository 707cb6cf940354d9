package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/abide-agent/abide/sse"
)

// measureSSE measures /events under many, slow and returning clients.
func measureSSE(ctx context.Context, r *rig) (rows []row, err error) {
	for _, part := range []func(context.Context, *rig) ([]row, error){fanOut, manyPublishers, stalledClient} {
		more, err := part(ctx, r)
		rows = append(rows, more...)
		if err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// manyPublishers has 200 clients at a daemon that 16 callers send triggers at
// the same time: what made pin drop all of its clients.
func manyPublishers(ctx context.Context, r *rig) (rows []row, err error) {
	const clients, callers = 200, 16
	runs := r.rounds(2500, 400)
	d, err := r.start(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	audience := make([]*listener, clients)
	var wg sync.WaitGroup
	for i := range audience {
		s, err := d.follow(ctx, "")
		if err != nil {
			return nil, err
		}
		defer s.close()
		audience[i] = &listener{stream: s, timed: i == clients-1}
		wg.Go(audience[i].listen)
	}
	if err := resetPeak(d.pid()); err != nil {
		return nil, err
	}
	began := time.Now()
	text := pipeline(job{r.name("j"), r.images.Cmd, []string{"true"}, never})
	err = side(callers, runs, func(int) error {
		_, err := d.trigger(ctx, text)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := d.settled(ctx, runs); err != nil {
		return nil, err
	}
	if err := d.post(ctx, "/trigger?name="+lastRun, "application/yaml", text, nil); err != nil {
		return nil, err
	}
	wg.Wait()
	took := time.Since(began)
	most, err := peak(d.pid())
	lost, events := 0, audience[0].events
	for _, l := range audience {
		lost += l.lost
		err = errors.Join(err, l.err)
	}
	what := fmt.Sprintf("%d clients, %d callers of /trigger, %d events", clients, callers, events)
	rate := fmt.Sprintf("%s in all, %.0f events a second to each client", span(took), float64(events)/took.Seconds())
	late := audience[clients-1].late
	return []row{
		none(what+": lost", lost, events*clients, "deliveries"),
		within("the same: event → client, p99", late.quantile(.99), 100*time.Millisecond, rate),
		below("the same: memory, at most", megabytes(most), 64, " MB", ""),
	}, err
}

// lastRun is what the run is called after which nothing more is to come.
const lastRun = "the-last-one"

// listener is a client that counts what it misses.
type listener struct {
	*stream
	timed  bool // it also notes how late each event is
	events int
	lost   int
	late   samples
	err    error
}

func (l *listener) listen() {
	last := uint64(0)
	for {
		id, data, err := l.next()
		if err != nil {
			l.err = err
			return
		}
		if last != 0 && id != last+1 {
			l.lost += int(id - last - 1)
		}
		last = id
		l.events++
		if l.timed {
			l.late = append(l.late, time.Since(timestamp(data)))
		}
		if bytes.Contains(data, []byte(sse.TypePipelineSkipped)) && bytes.Contains(data, []byte(lastRun)) {
			return
		}
	}
}

// timestamp finds when an event was published without decoding all of it.
func timestamp(data []byte) time.Time {
	_, rest, _ := bytes.Cut(data, []byte(`"timestamp":"`))
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	t, _ := time.Parse(time.RFC3339Nano, string(text))
	return t
}

// side does n things from so many goroutines.
func side(goroutines, n int, do func(i int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, goroutines)
	for g := range goroutines {
		wg.Go(func() {
			for i := g; i < n && errs[g] == nil; i += goroutines {
				errs[g] = do(i)
			}
		})
	}
	wg.Wait()
	return firstError(errs)
}
