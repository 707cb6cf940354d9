package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// measureIdle measures the agent that has nothing to do: how large it is, how
// fast it is there, and what it costs to have it.
func measureIdle(ctx context.Context, r *rig) ([]row, error) {
	info, err := os.Stat(r.binary)
	if err != nil {
		return nil, err
	}
	rows := []row{below("the binary, static and stripped", megabytes(info.Size()), 30, " MB", "")}

	state, err := r.fresh("state")
	if err != nil {
		return rows, err
	}
	begin := func(ctx context.Context) (time.Duration, error) {
		d, err := r.startOn(ctx, state, nil)
		if err != nil {
			return 0, err
		}
		took := time.Since(d.began)
		return took, d.stop()
	}
	floor := stopwatch(func(ctx context.Context) error {
		_, err := r.abide(ctx, "version")
		return err
	})
	s, err := interleave(ctx, r.rounds(15, 5), begin, floor)
	if err != nil {
		return rows, err
	}
	rows = append(rows, within("daemon: start of the process to its first /health", s[0].median(), 50*time.Millisecond,
		"`abide version`, the whole process: "+span(s[1].median())))

	resting, err := r.resting(ctx)
	return append(rows, resting...), err
}

// resting watches an agent that follows a repository and a directory, has run
// what is in them, and has one client that listens.
func (r *rig) resting(ctx context.Context) (rows []row, err error) {
	repo, err := r.repository()
	if err != nil {
		return nil, err
	}
	if err := repo.put("pipelines/p.yaml", pipeline(r.series(1, "", "echo hi")...)); err != nil {
		return nil, err
	}
	if _, err := repo.commit("begin"); err != nil {
		return nil, err
	}
	dir, err := r.fresh("watched")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "q.yaml"), []byte(pipeline(r.series(1, "", "echo hi")...)), 0o644); err != nil {
		return nil, err
	}
	d, err := r.start(ctx, nil, "--git", repo.dir, "-f", dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	client, err := d.follow(ctx, "")
	if err != nil {
		return nil, err
	}
	defer client.close()
	if err := d.settled(ctx, 2); err != nil {
		return nil, err
	}
	before, err := cpu(d.pid())
	if err != nil {
		return nil, err
	}
	period := time.Duration(r.rounds(30, 5)) * time.Second
	select {
	case <-time.After(period):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	after, err := cpu(d.pid())
	if err != nil {
		return nil, err
	}
	rss, err := resident(d.pid())
	return []row{
		below("idle daemon (a repository, a directory, a client): memory", megabytes(rss), 30, " MB", ""),
		below("the same: processor, of one core over "+span(period), 100*(after-before).Seconds()/period.Seconds(), 0.5, " %", ""),
	}, err
}
