package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/abide-agent/abide/sse"
)

// measureCopy measures the step in which a job's tree goes into its container,
// from "Start creating container" to "Starting the container", so that the
// creation is counted against us, and `docker cp` of the same tree into a
// container that is there already.
func measureCopy(ctx context.Context, r *rig) (rows []row, err error) {
	files := r.rounds(5000, 1000)
	dir, err := r.fresh("tree")
	if err != nil {
		return nil, err
	}
	err = spread(files, 4096, func(name, text string) error {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return err
		}
		return os.WriteFile(full, []byte(text), 0o644)
	})
	if err != nil {
		return nil, err
	}
	repo, err := r.repository()
	if err != nil {
		return nil, err
	}
	if err := repo.fill(files, 4096); err != nil {
		return nil, err
	}
	byDir, err := r.newCopier(ctx, "-f", dir, func(text string) error {
		return os.WriteFile(filepath.Join(dir, "p.yaml"), []byte(text), 0o644)
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, byDir.d.stop()) }()
	byGit, err := r.newCopier(ctx, "--git", repo.dir, func(text string) error {
		if err := repo.put("pipelines/p.yaml", text); err != nil {
			return err
		}
		_, err := repo.commit("change")
		return err
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, byGit.d.stop()) }()
	s, err := interleave(ctx, r.rounds(5, 3), byDir.step, byGit.step, func(ctx context.Context) (time.Duration, error) { return r.dockerCp(ctx, dir) })
	if err != nil {
		return nil, err
	}
	const peer = "`docker cp` of the same"
	rows = []row{
		ratio("copyFiles of "+number(float64(files))+" files of 4 KiB from a directory, with the container's creation", s[0], peer, s[2], 1.0),
		ratio("the same from a commit", s[1], peer, s[2], 1.0),
		below("growth of memory while copying, from a directory", megabytes(byDir.growth), 16, " MB", "20 MB tree"),
		below("the same, from a commit", megabytes(byGit.growth), 16, " MB", "20 MB tree"),
	}
	large, err := r.largeFile(ctx)
	return append(rows, large...), err
}

// copier is an agent on a source whose one pipeline copies it.
type copier struct {
	r      *rig
	d      *daemon
	put    func(pipeline string) error
	events *stream
	growth int64 // the largest that was seen
}

func (r *rig) newCopier(ctx context.Context, flag, source string, put func(string) error) (*copier, error) {
	c := &copier{r: r, put: put}
	_, text := c.next()
	if err := put(text); err != nil {
		return nil, err
	}
	var err error
	if c.d, err = r.start(ctx, nil, flag, source); err != nil {
		return nil, err
	}
	if err = c.d.settled(ctx, 1); err == nil { // the first run warms nothing that a later one would not
		c.events, err = c.d.follow(ctx, "")
	}
	if err != nil {
		err = errors.Join(err, c.d.stop())
	}
	return c, err
}

// next is a pipeline that copies the source, with a job that is new.
func (c *copier) next() (job, text string) {
	jobs := c.r.series(1, "copyFiles: true\nworkDir: /tree", "true")
	return jobs[0].name, pipeline(jobs...)
}

// step changes the pipeline and measures the copying of the run that follows.
func (c *copier) step(ctx context.Context) (time.Duration, error) {
	before, err := resident(c.d.pid())
	if err != nil {
		return 0, err
	}
	name, text := c.next()
	if err := errors.Join(resetPeak(c.d.pid()), c.put(text)); err != nil {
		return 0, err
	}
	var from, to time.Time
	run := ""
	end, err := c.events.await(func(e sse.Event) bool {
		switch {
		case e.Job == name && e.Message == "Start creating container":
			from, run = e.Time, e.Run
		case e.Job == name && e.Message == "Starting the container":
			to = e.Time
		}
		return e.Run == run && sse.TerminalRun(e.Type)
	})
	if err != nil {
		return 0, err
	}
	if end.Type != sse.TypePipelineComplete {
		return 0, c.d.explain(errors.New(end.Message))
	}
	most, err := peak(c.d.pid())
	c.growth = max(c.growth, most-before)
	return to.Sub(from), err
}

// dockerCp measures the peer.
func (r *rig) dockerCp(ctx context.Context, dir string) (took time.Duration, err error) {
	out, err := r.docker(ctx, "create", "--workdir", "/tree", "--entrypoint", "/bin/sh", r.images.Cmd, "-c", "true")
	if err != nil {
		return 0, err
	}
	id := strings.TrimSpace(out)
	defer func() {
		_, rmErr := r.docker(context.WithoutCancel(ctx), "rm", "-f", id)
		err = errors.Join(err, rmErr)
	}()
	began := time.Now()
	_, err = r.docker(ctx, "cp", dir+"/.", id+":/tree")
	return time.Since(began), err
}

// largeFile measures the memory that one large file costs.
func (r *rig) largeFile(ctx context.Context) (rows []row, err error) {
	size := int64(r.rounds(400, 100)) * 1_000_000
	dir, err := r.fresh("large")
	if err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(dir, "large.bin"))
	if err != nil {
		return nil, err
	}
	block := []byte(strings.Repeat("not a hole", 100_000))
	for range size / int64(len(block)) {
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	c, err := r.newCopier(ctx, "-f", dir, func(text string) error {
		return os.WriteFile(filepath.Join(dir, "p.yaml"), []byte(text), 0o644)
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.d.stop(), os.RemoveAll(dir)) }()
	took, err := c.step(ctx)
	return []row{below("growth of memory while copying one file of "+number(megabytes(size))+" MB", megabytes(c.growth), 16, " MB", "took "+span(took))}, err
}
