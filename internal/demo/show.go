package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// show is the stage: the built command, the agent, and what is printed.
type show struct {
	dir    string // everything the demo makes is below it
	out    io.Writer
	flags  []string // of the agent, and of whatever stands for it
	server string
	agent  *exec.Cmd // nil when there is none
	log    *os.File
	placed bool // there may be units, which outlive the agent
}

func (s *show) say(format string, args ...any) {
	fmt.Fprintf(s.out, "\n== "+format+"\n", args...)
}

func (s *show) note(format string, args ...any) { fmt.Fprintf(s.out, "   "+format+"\n", args...) }

func (s *show) state() string  { return filepath.Join(s.dir, "state") }
func (s *show) binary() string { return filepath.Join(s.dir, "abide") }

func (s *show) build(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", s.binary(), "./cmd/abide")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("abide can't be built: %w", err)
	}
	return nil
}

// command makes a call of abide that asks the demo's own agent, whatever the
// environment says.
func (s *show) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.binary(), args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "ABIDE_") })
	if s.server != "" {
		cmd.Env = append(cmd.Env, "ABIDE_SERVER="+s.server)
	}
	cmd.Stderr = os.Stderr
	return cmd
}

// abide prints a command line and what it prints, and fails when its exit code
// is none of those that are right.
func (s *show) abide(ctx context.Context, codes []int, args ...string) error {
	fmt.Fprintln(s.out, "$ abide "+strings.Join(args, " "))
	cmd := s.command(ctx, args...)
	cmd.Stdout = s.out
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		return err
	} else if ok && !slices.Contains(codes, exit.ExitCode()) || err == nil && !slices.Contains(codes, 0) {
		return fmt.Errorf("abide %s ended with exit code %d, not %v", args[0], cmd.ProcessState.ExitCode(), codes)
	}
	return nil
}

// start starts the agent on a free port and waits until it answers.
func (s *show) start(ctx context.Context, repo string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	if s.log, err = os.Create(filepath.Join(s.dir, "agent.log")); err != nil {
		return err
	}
	args := append([]string{"apply", "--daemon", "--git", repo, "--branch", "main", "--port", port, "--state", s.state()}, s.flags...)
	fmt.Fprintln(s.out, "$ abide "+strings.Join(args, " ")+" &")
	s.agent = s.command(context.WithoutCancel(ctx), args...) // it is stopped as users stop it: SIGTERM
	s.agent.Stdout, s.agent.Stderr = s.log, s.log
	if err := s.agent.Start(); err != nil {
		s.agent = nil
		return err
	}
	s.placed = true
	s.server = "http://127.0.0.1:" + port
	return s.until(ctx, "the agent answers", func() (bool, error) {
		resp, err := http.Get(s.server + "/health")
		if err != nil {
			return false, nil
		}
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	})
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// stop ends the agent, and shows its log when it did not end well.
func (s *show) stop() error {
	if s.agent == nil {
		return nil
	}
	err := s.agent.Process.Signal(syscall.SIGTERM)
	err = errors.Join(err, s.agent.Wait())
	if err != nil {
		log, _ := os.ReadFile(s.log.Name())
		err = fmt.Errorf("the agent did not end well: %w; its log:\n%s", err, log)
	}
	s.agent = nil
	return errors.Join(err, s.log.Close())
}

// end takes everything away that is still there, however the show went.
func (s *show) end() error {
	err := s.stop()
	if s.placed {
		// What it prints on its standard output is not part of the show any more.
		if failed := s.command(context.Background(), s.purging()...).Run(); failed != nil {
			return errors.Join(err, fmt.Errorf("units may be left, and %s with what is known of them: %w", s.dir, failed))
		}
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
