package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// measureChange measures how fast the agent notices a change and acts upon it:
// to the moment at which it asks the engine for a container, seen by a proxy
// before the engine.
func measureChange(ctx context.Context, r *rig) (rows []row, err error) {
	p, err := r.newProxy()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	rounds := r.rounds(15, 5)
	commits, err := r.commits(ctx, p, rounds)
	if err != nil {
		return nil, err
	}
	drops, err := r.drops(ctx, p, rounds)
	if err != nil {
		return nil, err
	}
	return []row{
		within("branch of a local repository moved → container create call, p50", commits.median(), 100*time.Millisecond,
			"slowest of "+fmt.Sprint(rounds)+": "+span(commits.quantile(1))),
		within("file dropped into a watched directory → container create call, p50", drops.median(), 300*time.Millisecond,
			"slowest of "+fmt.Sprint(rounds)+": "+span(drops.quantile(1))+"; 100 ms of it is the settle time"),
	}, nil
}

// commits measures from the renaming of a ref's lock file, the last thing that
// `git commit` does to the repository.
func (r *rig) commits(ctx context.Context, p *proxy, rounds int) (out samples, err error) {
	repo, err := r.repository()
	if err != nil {
		return nil, err
	}
	next := func() (time.Time, error) {
		if err := repo.put("pipelines/p.yaml", pipeline(r.series(1, "", "echo hi")...)); err != nil {
			return time.Time{}, err
		}
		return repo.commit("change")
	}
	if _, err := next(); err != nil {
		return nil, err
	}
	return r.reactions(ctx, p, rounds, next, "--git", repo.dir)
}

// drops measures from the call that puts a whole file into the directory.
func (r *rig) drops(ctx context.Context, p *proxy, rounds int) (samples, error) {
	dir, err := r.fresh("watched")
	if err != nil {
		return nil, err
	}
	next := func() (time.Time, error) {
		text := pipeline(r.series(1, "", "echo hi")...)
		began := time.Now()
		return began, os.WriteFile(filepath.Join(dir, r.name("p")+".yaml"), []byte(text), 0o644)
	}
	if _, err := next(); err != nil {
		return nil, err
	}
	return r.reactions(ctx, p, rounds, next, "-f", dir)
}

// reactions makes changes one after the other, each when the run of the one
// before has ended.
func (r *rig) reactions(ctx context.Context, p *proxy, rounds int, next func() (time.Time, error), source ...string) (out samples, err error) {
	d, err := r.start(ctx, []string{"DOCKER_HOST=" + p.host()}, source...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	if _, err := p.next(ctx); err != nil { // the first sight
		return nil, d.explain(err)
	}
	for i := range rounds {
		if err := d.settled(ctx, i+1); err != nil {
			return nil, err
		}
		began, err := next()
		if err != nil {
			return nil, err
		}
		asked, err := p.next(ctx)
		if err != nil {
			return nil, d.explain(err)
		}
		out = append(out, asked.Sub(began))
	}
	return out, d.settled(ctx, rounds+1)
}
