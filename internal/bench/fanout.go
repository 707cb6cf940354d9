package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/abide-agent/abide/sse"
)

// fanOut compares the event log behind net/http with the plainest server that
// can be: one loop per client that writes each frame, encoded beforehand, and
// flushes. The clients are the same and count as part of both.
func fanOut(ctx context.Context, r *rig) ([]row, error) {
	clients, events := r.rounds(1000, 200), 10_000
	rawEvents := events / 10 // its rate does not depend on how many there are
	var ours, raw samples
	for range r.rounds(3, 1) {
		took, err := rawLoop(ctx, clients, rawEvents)
		if err != nil {
			return nil, err
		}
		raw = append(raw, took)
		dir, err := r.fresh("events")
		if err != nil {
			return nil, err
		}
		if took, err = eventLog(ctx, dir, clients, events); err != nil {
			return nil, err
		}
		ours = append(ours, took)
	}
	rate := func(s samples, n int) float64 { return float64(clients) * float64(n) / s.median().Seconds() }
	times := rate(ours, events) / rate(raw, rawEvents)
	return []row{{
		What: fmt.Sprintf("/events, %d clients × %d events, in deliveries a second", clients, events),
		Got:  fmt.Sprintf("%.2f M/s", rate(ours, events)/1e6), Beside: fmt.Sprintf("a loop of write and flush: %.2f M/s", rate(raw, rawEvents)/1e6),
		Figure: fmt.Sprintf("%.1f ×", times), Goal: "≥ 3 ×", Met: times >= 3,
	}}, nil
}

// sample is an event as jobs cause them.
var sample = sse.Event{Type: sse.TypeLog, Message: "a line of the length that lines have, more or less", Job: "build", Run: "01jd5m3zk0abcdef", Pipeline: "pipelines/build"}

// rawLoop is the floor.
func rawLoop(ctx context.Context, clients, events int) (time.Duration, error) {
	text, err := sample.MarshalJSON()
	if err != nil {
		return 0, err
	}
	frame := []byte("id: 12345\ndata: " + string(text) + "\n\n")
	begin := make(chan struct{})
	handler := func(w http.ResponseWriter, _ *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.Flush()
		<-begin
		for range events {
			if _, err := w.Write(frame); err != nil || rc.Flush() != nil {
				return
			}
		}
	}
	return deliver(ctx, http.HandlerFunc(handler), clients, 3*events, func() { close(begin) })
}

// eventLog is the real thing, with its files.
func eventLog(ctx context.Context, dir string, clients, events int) (took time.Duration, err error) {
	log, err := sse.Open(sse.Options{Dir: dir})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	defer log.CloseStreams()
	return deliver(ctx, log, clients, 3*events+2, func() { // the first frame says hello, and has no id
		for range events {
			log.Publish(sample)
		}
	})
}

// deliver connects clients to a handler, begins, and measures until each has so
// many lines: a numbered frame is three.
func deliver(ctx context.Context, h http.Handler, clients, lines int, begin func()) (took time.Duration, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	server := &http.Server{Handler: h}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		err = errors.Join(err, server.Close())
		<-served
	}()
	var all sync.WaitGroup
	errs := make([]error, clients)
	for i := range clients {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return 0, err
		}
		defer c.Close()
		defer context.AfterFunc(ctx, func() { c.Close() })()
		if _, err := c.Write([]byte("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
			return 0, err
		}
		head := make([]byte, 64<<10)
		n, err := c.Read(head)
		if err != nil {
			return 0, err
		}
		all.Go(func() { errs[i] = count(c, head, n, lines) })
	}
	began := time.Now()
	begin()
	all.Wait()
	return time.Since(began), firstError(errs)
}

// count reads until so many lines were there. Those of a frame end in a bare
// line feed; what HTTP adds ends in CR LF.
func count(c net.Conn, buf []byte, n, lines int) error {
	for {
		lines -= bytes.Count(buf[:n], []byte{'\n'}) - bytes.Count(buf[:n], []byte{'\r'})
		if lines <= 0 {
			return nil
		}
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		var err error
		if n, err = c.Read(buf); err != nil {
			return fmt.Errorf("%d lines are missing: %w", lines, err)
		}
	}
}
