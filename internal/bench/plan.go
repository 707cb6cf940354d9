package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/abide-agent/abide/reconcile"
)

// measurePlan measures looks at large sources that find little or nothing to do.
func measurePlan(ctx context.Context, r *rig) ([]row, error) {
	rows, err := largeRepository(ctx, r)
	if err != nil {
		return rows, err
	}
	more, err := manyPipelines(ctx, r)
	return append(rows, more...), err
}

// largeRepository has one pipeline whose inputs are all files but some, so that
// the plan has to look at the name of every file, and can't take the hash of the
// tree for all of them.
func largeRepository(ctx context.Context, r *rig) (rows []row, err error) {
	files := r.rounds(10_000, 2_000)
	repo, err := r.repository()
	if err != nil {
		return nil, err
	}
	if err := repo.fill(files, 256); err != nil {
		return nil, err
	}
	if err := repo.put("pipelines/p.yaml", pipeline(r.series(1, "copyFiles: true\ncopyIgnore: '\\.log$'", "true")...)); err != nil {
		return nil, err
	}
	if _, err := repo.commit("begin"); err != nil {
		return nil, err
	}
	state, err := r.fresh("state")
	if err != nil {
		return nil, err
	}
	if _, err := r.abide(ctx, "apply", "--git", repo.dir, "--state", state, "--baseline"); err != nil {
		return nil, err
	}
	change := func() error {
		if err := repo.put("d001/f00050.txt", r.name("changed")); err != nil {
			return err
		}
		_, err := repo.commit("one file")
		return err
	}
	command := func(ctx context.Context) (time.Duration, error) {
		if err := change(); err != nil {
			return 0, err
		}
		began := time.Now()
		out, err := r.abide(ctx, "plan", "--git", repo.dir, "--state", state)
		took := time.Since(began)
		if err == nil || !strings.Contains(out, "changed since") {
			return 0, fmt.Errorf("the plan does not say what changed: %s: %w", out, err)
		}
		return took, nil
	}
	s, err := interleave(ctx, r.rounds(9, 3), command)
	if err != nil {
		return nil, err
	}
	d, err := r.startOn(ctx, state, nil, "--git", repo.dir, "--baseline", "--interval", "1h")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	if err := d.get(ctx, "/v1/plan", nil); err != nil { // it has looked once
		return nil, err
	}
	if err := d.post(ctx, "/v1/suspend", "application/json", `{"reason":"to plan only"}`, nil); err != nil {
		return nil, err
	}
	asked := func(ctx context.Context) (time.Duration, error) {
		if err := change(); err != nil {
			return 0, err
		}
		var plan reconcile.Plan
		began := time.Now()
		err := d.get(ctx, "/v1/plan", &plan)
		took := time.Since(began)
		if err == nil && (len(plan.Changes) != 1 || !strings.Contains(plan.Changes[0].Reason, "changed since")) {
			err = fmt.Errorf("the plan does not say what changed: %v", plan.Changes)
		}
		return took, err
	}
	t, err := interleave(ctx, r.rounds(9, 3), asked)
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("plan of a repository of %d files after a commit of one, ", files)
	return []row{
		within(what+"`abide plan` as a whole", s[0].median(), 200*time.Millisecond, ""),
		within(what+"GET /v1/plan of a daemon", t[0].median(), 200*time.Millisecond, ""),
	}, nil
}

// manyPipelines are all done already.
func manyPipelines(ctx context.Context, r *rig) (rows []row, err error) {
	const n = 1000
	repo, err := r.repository()
	if err != nil {
		return nil, err
	}
	dir, err := r.fresh("watched")
	if err != nil {
		return nil, err
	}
	for i := range n {
		name, text := fmt.Sprintf("p%04d.yaml", i), pipeline(r.series(1, "", "echo hi")...)
		err := errors.Join(repo.put("pipelines/"+name, text), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
		if err != nil {
			return nil, err
		}
	}
	if _, err := repo.commit("begin"); err != nil {
		return nil, err
	}
	for _, source := range [][2]string{{"--git", repo.dir}, {"-f", dir}} {
		state, err := r.fresh("state")
		if err != nil {
			return rows, err
		}
		if _, err := r.abide(ctx, "apply", source[0], source[1], "--state", state, "--baseline"); err != nil {
			return rows, err
		}
		s, err := interleave(ctx, r.rounds(9, 3), stopwatch(func(ctx context.Context) error {
			out, err := r.abide(ctx, "apply", source[0], source[1], "--state", state)
			if err == nil && !strings.Contains(out, "Nothing to do") {
				err = fmt.Errorf("there was something to do: %s", out)
			}
			return err
		}))
		if err != nil {
			return rows, err
		}
		rows = append(rows, within(fmt.Sprintf("reconcile of %d pipelines that are all done, `abide apply %s` as a whole", n, source[0]), s[0].median(), 300*time.Millisecond, ""))
	}
	return rows, nil
}
