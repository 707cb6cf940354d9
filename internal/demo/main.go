// Command demo shows the whole way of a commit: it makes a Git repository out of
// examples/, starts an agent on it, commits a change, and shows the plan, the
// live log of the run and the events that came of it. Then it takes the units of
// the repository through their life, run by abide itself as on a machine without
// systemd, and brings services to two simulated network devices. It needs Go and, to run the jobs
// in containers, a Docker engine, and leaves nothing behind. It knows the abide command as its users do; it never
// knows anything of its inside.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/abide-agent/abide/internal/testimage"
)

// limit is how long the show may take once everything is built.
const limit = time.Minute

// publicImage is what the pipelines of examples/ name.
const publicImage = "alpine:latest"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := demo(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		stop()
		os.Exit(1)
	}
}

func demo(ctx context.Context) (err error) {
	if _, err := os.Stat("examples"); err != nil {
		return errors.New("there is no examples directory here; run it with `make demo` at the top of the project")
	}
	dir, err := os.MkdirTemp("", "abide-demo-")
	if err != nil {
		return err
	}
	s := &show{dir: dir, out: os.Stdout, flags: []string{"--units", "process"}}
	defer func() { err = errors.Join(err, s.end()) }()

	s.say("Building abide")
	if err := s.build(ctx); err != nil {
		return err
	}
	s.say("Looking for a Docker engine")
	image, err := s.chooseExecutor(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than %s; look at what it printed last", limit))
	defer cancel()
	began := time.Now()
	if err := s.play(ctx, image); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return errors.Join(cause, err)
		}
		return err
	}
	s.say("That took %s. Everything it made is gone again.", time.Since(began).Round(100*time.Millisecond))
	return nil
}

// chooseExecutor gives the image that stands in for the public one, or "" when
// the jobs are to run as plain processes because there is no engine.
func (s *show) chooseExecutor(ctx context.Context) (image string, err error) {
	images, err := testimage.Ensure(ctx)
	if errors.Is(err, testimage.ErrNoEngine) {
		s.note("There is none (%v).", err)
		s.note("So the jobs run as plain processes on this machine, which abide does only when it is told to: --executor host.")
		s.flags = append(s.flags, "--executor", "host")
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("the demo's image can't be made: %w", err)
	}
	s.note("It answers. No registry is needed: %s, made just now from this project's own code,", images.Cmd)
	s.note("stands in the demo's copy of the pipelines where examples/ says %s.", publicImage)
	return images.Cmd, nil
}

// play is the show itself.
func (s *show) play(ctx context.Context, image string) error {
	s.say("Making a Git repository out of examples/")
	repo, err := newRepository(s.dir, image)
	if err != nil {
		return err
	}
	first, err := repo.commit("Begin with the examples")
	if err != nil {
		return err
	}
	s.note("%s: commit %s", repo.dir, first[:12])

	s.say("What would abide do with it?")
	if err := s.abide(ctx, []int{2}, append([]string{"plan", "--git", repo.dir, "--state", s.state()}, s.flags...)...); err != nil {
		return err
	}
	s.say("Let it: an agent follows the repository from now on")
	if err := s.start(ctx, repo.dir); err != nil {
		return err
	}
	if err := s.settled(ctx, first); err != nil {
		return err
	}
	if err := s.abide(ctx, []int{0}, "runs"); err != nil {
		return err
	}
	if err := s.change(ctx, repo); err != nil {
		return err
	}
	return s.units(ctx, repo, first)
}

// change commits to the application and shows what comes of it. The source is
// held meanwhile: the agent would else have acted before its plan could be seen.
func (s *show) change(ctx context.Context, repo *repository) error {
	s.say("Now a change of the application, with the agent held back to look at its plan first")
	if err := s.abide(ctx, []int{0}, "suspend", "app", "--reason", "to see the plan"); err != nil {
		return err
	}
	last, err := s.lastEvent(ctx)
	if err != nil {
		return err
	}
	if err := repo.write("app/greeting.txt", "Hello again from a repository that abide follows.\n"); err != nil {
		return err
	}
	second, err := repo.commit("Greet once more")
	if err != nil {
		return err
	}
	s.note("commit %s changes app/greeting.txt, which only build copies", second[:12])
	if err := s.planned(ctx, second); err != nil {
		return err
	}
	if err := s.abide(ctx, []int{0, 2}, "plan"); err != nil {
		return err
	}
	s.say("Go on")
	if err := s.abide(ctx, []int{0}, "resume", "app"); err != nil {
		return err
	}
	run, err := s.runOf(ctx, second)
	if err != nil {
		return err
	}
	if err := s.abide(ctx, []int{0}, "logs", "-f", run); err != nil {
		return err
	}
	s.say("The events that came of it (curl -N %s/events shows them live)", s.server)
	if err := s.events(ctx, last); err != nil {
		return err
	}
	s.say("And where everything stands")
	return s.abide(ctx, []int{0}, "status")
}
