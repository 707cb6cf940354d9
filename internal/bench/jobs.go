package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// measureJobs measures pipelines given to the command against the same
// containers given to Docker's own client.
func measureJobs(ctx context.Context, r *rig) (rows []row, err error) {
	for _, part := range []func(context.Context, *rig) ([]row, error){oneJob, tenSequential, tenParallel, soloItems} {
		more, err := part(ctx, r)
		rows = append(rows, more...)
		if err != nil {
			return rows, err
		}
	}
	left, err := r.containers(ctx)
	return append(rows, none("containers left behind by all of these", left, left, "containers")), err
}

// apply is a timed call of `abide apply -f` on a pipeline.
func (r *rig) apply(text string) (timed, error) {
	file, err := r.file("p", text)
	return stopwatch(func(ctx context.Context) error {
		_, err := r.abide(ctx, "apply", "-f", file)
		return err
	}), err
}

// dockerRun is the peer: `docker run --rm` of a script in an image, whatever
// the image's own entry point.
func (r *rig) dockerRun(image, script string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := r.docker(ctx, "run", "--rm", "--entrypoint", "/bin/sh", image, "-c", script)
		return err
	}
}

// oneJob takes each variant of an image: what pin needed of an image, and
// abide must not.
func oneJob(ctx context.Context, r *rig) (rows []row, err error) {
	variants := r.images.All()
	names := slices.Sorted(maps.Keys(variants))
	var things []timed
	for _, name := range names {
		ours, err := r.apply(pipeline(job{name: r.name("j"), image: variants[name], script: []string{"echo hi"}}))
		if err != nil {
			return nil, err
		}
		things = append(things, ours, stopwatch(r.dockerRun(variants[name], "echo hi")))
	}
	s, err := interleave(ctx, r.rounds(7, 3), things...)
	if err != nil {
		return nil, err
	}
	about := map[string]string{
		"cmd": "CMD /bin/sh", "entry": "an ENTRYPOINT that fails", "user": "USER 1000", "named": "USER job",
		"nohome": "neither /home nor /root", "none": "no CMD",
	}
	for i, name := range names {
		rows = append(rows, ratio("1 job `echo hi`, image with "+about[name], s[2*i], "`docker run --rm`", s[2*i+1], 1.05))
	}
	return rows, nil
}

func tenSequential(ctx context.Context, r *rig) ([]row, error) {
	ours, err := r.apply(pipeline(r.series(10, "", "echo hi")...))
	if err != nil {
		return nil, err
	}
	one := r.dockerRun(r.images.Cmd, "echo hi")
	peer := stopwatch(func(ctx context.Context) error {
		for range 10 {
			if err := one(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	s, err := interleave(ctx, r.rounds(5, 1), ours, peer)
	if err != nil {
		return nil, err
	}
	return []row{ratio("10 jobs, one after the other", s[0], "10 × `docker run --rm`", s[1], 1.0)}, nil
}

func tenParallel(ctx context.Context, r *rig) ([]row, error) {
	ours, err := r.apply(pipeline(r.series(10, "parallel: true", "echo hi")...))
	if err != nil {
		return nil, err
	}
	one := r.dockerRun(r.images.Cmd, "echo hi")
	peer := stopwatch(func(ctx context.Context) error {
		var wg sync.WaitGroup
		errs := make([]error, 10)
		for i := range errs {
			wg.Go(func() { errs[i] = one(ctx) })
		}
		wg.Wait()
		return firstError(errs)
	})
	s, err := interleave(ctx, r.rounds(5, 1), ours, peer)
	if err != nil {
		return nil, err
	}
	return []row{ratio("10 jobs, `parallel: true`", s[0], "10 × `docker run --rm` at once", s[1], 1.1)}, nil
}

func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// soloItems measures what one more item costs: a shell of its own, by the
// difference between many items and one.
func soloItems(ctx context.Context, r *rig) ([]row, error) {
	const items = 200
	script := func(n int) []string { return slices.Repeat([]string{"echo hi"}, n) }
	few, err := r.apply(pipeline(job{r.name("j"), r.images.Cmd, script(1), "soloExecution: true"}))
	if err != nil {
		return nil, err
	}
	many, err := r.apply(pipeline(job{r.name("j"), r.images.Cmd, script(1 + items), "soloExecution: true"}))
	if err != nil {
		return nil, err
	}
	shells := func(n int) timed { // the floor: shells in a shell, without us
		text := ""
		for range n {
			text += "/bin/sh -c 'echo hi'\n"
		}
		return stopwatch(r.dockerRun(r.images.Cmd, text))
	}
	s, err := interleave(ctx, r.rounds(5, 2), few, many, shells(1), shells(1+items))
	if err != nil {
		return nil, err
	}
	each := func(few, many samples) time.Duration { // by rounds, as a ratio is
		var more samples
		for i := range few {
			more = append(more, many[i]-few[i])
		}
		return more.median() / items
	}
	return []row{within("one more `soloExecution` item", each(s[0], s[1]), 5*time.Millisecond,
		fmt.Sprintf("`sh -c` in a `docker run`: %s", span(each(s[2], s[3]))))}, nil
}
