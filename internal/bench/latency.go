package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/abide-agent/abide/sse"
)

// measureLatency measures from the moment a job prints a line, which the line
// itself says, to the moment a client of /events has read it. Both are read
// from the same clock: a container shares its host's.
func measureLatency(ctx context.Context, r *rig) (rows []row, err error) {
	d, err := r.start(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	lines, each := r.rounds(200, 100), 10
	var ours, floor samples
	for range r.rounds(3, 1) {
		s, err := r.linesByEvents(ctx, d, lines, each)
		if err != nil {
			return nil, err
		}
		ours = append(ours, s...)
		if s, err = r.linesByAttach(ctx, lines, each); err != nil {
			return nil, err
		}
		floor = append(floor, s...)
	}
	const attach = "the engine's attach stream: "
	return []row{
		within(fmt.Sprintf("line printed in a container → client of /events, p50 of %d", len(ours)), ours.median(), 2*time.Millisecond, attach+span(floor.median())),
		within("the same, p99", ours.quantile(.99), 20*time.Millisecond, attach+span(floor.quantile(.99))),
	}, nil
}

// age gives how old a line is that holds when it was printed.
func age(line string, now time.Time) (time.Duration, error) {
	ns, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return now.Sub(time.Unix(0, ns)), err
}

func (r *rig) linesByEvents(ctx context.Context, d *daemon, lines, each int) (out samples, err error) {
	client, err := d.follow(ctx, "")
	if err != nil {
		return nil, err
	}
	defer client.close()
	id, err := d.trigger(ctx, pipeline(r.series(1, "", fmt.Sprintf("emit %d %d", lines, each))...))
	if err != nil {
		return nil, err
	}
	for {
		_, data, err := client.next()
		now := time.Now()
		if err != nil {
			return nil, err
		}
		var e sse.Event
		if err := json.Unmarshal(data, &e); err != nil {
			return nil, err
		}
		switch {
		case e.Run != id:
		case e.Stream == "stdout":
			a, err := age(e.Message, now)
			if err != nil {
				return nil, err
			}
			out = append(out, a)
		case sse.TerminalRun(e.Type):
			if len(out) != lines {
				return nil, fmt.Errorf("%d of %d lines came", len(out), lines)
			}
			return out, nil
		}
	}
}

// linesByAttach reads the same lines from the engine's own stream: no agent can
// be faster.
func (r *rig) linesByAttach(ctx context.Context, lines, each int) (out samples, err error) {
	made, err := r.engine.ContainerCreate(ctx, &container.Config{
		Image: r.images.Cmd, Entrypoint: []string{"/bin/sh"}, Cmd: []string{"-c", fmt.Sprintf("emit %d %d", lines, each)},
	}, nil, nil, nil, "")
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, r.engine.ContainerRemove(context.WithoutCancel(ctx), made.ID, container.RemoveOptions{Force: true}))
	}()
	conn, err := r.engine.ContainerAttach(ctx, made.ID, container.AttachOptions{Stream: true, Stdout: true})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := r.engine.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		return nil, err
	}
	pr, pw := io.Pipe()
	go func() {
		_, err := stdcopy.StdCopy(pw, io.Discard, conn.Reader)
		pw.CloseWithError(err)
	}()
	in := bufio.NewScanner(pr)
	for in.Scan() {
		a, err := age(in.Text(), time.Now())
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, in.Err()
}
