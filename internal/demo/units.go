package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/abide-agent/abide/sse"
)

// clock is the unit that is changed, broken and removed; greeter is the one
// that nothing of that may touch.
const (
	clock   = "clock.service"
	greeter = "greeter@world.service"

	clockFile = "units/" + clock
	dropIns   = clockFile + ".d"
)

// units takes the units of the repository through their life.
func (s *show) units(ctx context.Context, repo *repository, first string) error {
	s.say("The repository holds systemd units, too")
	s.note("The agent was told to run them itself (--units process), as it does where there is no systemd.")
	before, err := s.started(ctx, first, clock)
	if err != nil {
		return err
	}
	untouched, err := s.started(ctx, first, greeter)
	if err != nil {
		return err
	}
	if err := s.abide(ctx, []int{0}, "units"); err != nil {
		return err
	}
	s.note("%s is process %d, %s is process %d.", clock, before, greeter, untouched)

	s.say("Change a drop-in of %s: it alone is restarted", clock)
	revision, err := s.edit(repo, dropIns+"/every.conf", "[Service]\nEnvironment=EVERY=30\n", "Tell the time more often")
	if err != nil {
		return err
	}
	after, err := s.started(ctx, revision, clock)
	if err != nil {
		return err
	}
	if after == before || alive(before) || !alive(untouched) {
		return fmt.Errorf("%s was process %d and is %d, %s was %d and that is alive: %t", clock, before, after, greeter, untouched, alive(untouched))
	}
	s.note("%s was process %d and is process %d, %s still is process %d.", clock, before, after, greeter, untouched)
	last, err := s.mishap(ctx, repo)
	if err != nil {
		return err
	}
	if err := s.network(ctx, repo); err != nil {
		return err
	}
	return s.farewell(ctx, repo, last, untouched)
}

// mishap breaks a unit and takes that back, and gives its process after it.
func (s *show) mishap(ctx context.Context, repo *repository) (pid int, err error) {
	s.say("Break it")
	good, err := os.ReadFile(filepath.Join(repo.dir, clockFile))
	if err != nil {
		return 0, err
	}
	revision, err := s.edit(repo, clockFile, strings.ReplaceAll(string(good), "/bin/sh", "/bin/no-such-shell"), "Use another shell")
	if err != nil {
		return 0, err
	}
	if _, err := s.told(ctx, revision, clock, sse.TypeUnitFailed); err != nil {
		return 0, err
	}
	if err := s.abide(ctx, []int{0}, "units", "status", clock); err != nil {
		return 0, err
	}
	s.say("Take that back")
	if revision, err = s.edit(repo, clockFile, string(good), "Revert \"Use another shell\""); err != nil {
		return 0, err
	}
	if pid, err = s.started(ctx, revision, clock); err != nil {
		return 0, err
	}
	s.note("%s runs again, as process %d.", clock, pid)
	return pid, s.abide(ctx, []int{0}, "units")
}

// farewell removes one unit from the repository and all others by a purge.
func (s *show) farewell(ctx context.Context, repo *repository, removed, untouched int) error {
	s.say("Remove %s: it is stopped, and its files go", clock)
	for _, name := range []string{clockFile, dropIns} {
		if err := repo.remove(name); err != nil {
			return err
		}
	}
	if _, err := s.commit(repo, "Do without a clock"); err != nil {
		return err
	}
	if _, err := s.told(ctx, "", clock, sse.TypeUnitRemoved); err != nil {
		return err
	}
	if err := s.abide(ctx, []int{0}, "units"); err != nil {
		return err
	}

	s.say("Stopping the agent stops no unit; abide purge does")
	if err := s.stop(); err != nil {
		return err
	}
	if !alive(untouched) {
		return fmt.Errorf("the end of the agent ended %s", greeter)
	}
	s.note("The agent has ended. %s still is process %d.", greeter, untouched)
	if err := s.abide(ctx, []int{0}, s.purging()...); err != nil {
		return err
	}
	s.placed = false
	return s.nothingLeft(removed, untouched)
}

// purging is the call that takes away all units.
func (s *show) purging() []string {
	return []string{"purge", "--yes", "--units", "process", "--state", s.state()}
}

// edit writes a file and commits it.
func (s *show) edit(repo *repository, name, text, message string) (revision string, err error) {
	if err := repo.write(name, text); err != nil {
		return "", err
	}
	return s.commit(repo, message)
}

func (s *show) commit(repo *repository, message string) (revision string, err error) {
	if revision, err = repo.commit(message); err == nil {
		s.note("commit %s: %s", revision[:12], message)
	}
	return revision, err
}

// started waits until a unit runs as a commit wants it, and gives its process.
func (s *show) started(ctx context.Context, revision, unit string) (pid int, err error) {
	return s.told(ctx, revision, unit, sse.TypeUnitStarted)
}

// told waits for the event of a unit and a commit, if one is given, and gives
// the process in it.
func (s *show) told(ctx context.Context, revision, unit, typ string) (pid int, err error) {
	err = s.read(ctx, []string{"events", "--json", "--since", "0", "--types", typ}, func(line string) (bool, error) {
		var e struct {
			Revision, Unit string
			PID            int
		}
		err := json.Unmarshal([]byte(line), &e)
		pid = e.PID
		return e.Unit == unit && (e.Revision == revision || revision == ""), err
	})
	return pid, err
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// nothingLeft fails when a process is left of the program that the demo built:
// each running unit has one.
func (s *show) nothingLeft(units ...int) error {
	for _, pid := range units {
		if alive(pid) {
			return fmt.Errorf("process %d of a unit is left", pid)
		}
	}
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return err
	}
	for _, link := range links {
		if program, err := os.Readlink(link); err == nil && strings.HasPrefix(program, s.dir) {
			return fmt.Errorf("process %s is left, of %s", filepath.Base(filepath.Dir(link)), program)
		}
	}
	return nil
}
