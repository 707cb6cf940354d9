package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// machine is where units are measured: a box with systemd, seen from inside.
type machine struct {
	*rig
	bus *systemBus
}

func newMachine(ctx context.Context, quick bool, binary string) (*machine, error) {
	bus, err := openSystemBus(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "abide-bench-")
	return &machine{rig: &rig{dir: dir, binary: binary, quick: quick, mark: "bench"}, bus: bus}, err
}

func (m *machine) close() error { return errors.Join(m.bus.close(), os.RemoveAll(m.dir)) }

// service is an agent that systemd runs.
type service struct {
	*daemon
	m *machine
}

const serviceName = "abide.service"

// agent starts the agent as a service, on a state that may be there already,
// and waits until it answers.
func (m *machine) agent(ctx context.Context, state string, args ...string) (*service, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	command := append([]string{m.binary, "apply", "--daemon", "--state", state, "--port", port}, args...)
	text := "[Unit]\nAfter=dbus.service\n[Service]\nExecStart=" + strings.Join(command, " ") + "\n"
	if err := os.WriteFile(filepath.Join(unitDir, serviceName), []byte(text), 0o644); err != nil {
		return nil, err
	}
	if err := m.bus.call(ctx, managerFace+"Reload").Err; err != nil {
		return nil, err
	}
	s := &service{newDaemon(port), m}
	s.state = state
	s.tail = func() string {
		out, _ := exec.Command("journalctl", "-u", serviceName, "-n", "20", "--no-pager", "-o", "cat").CombinedOutput()
		return string(out)
	}
	if err := m.bus.all(ctx, "StartUnit", serviceName); err != nil {
		return nil, s.explain(err)
	}
	pid, err := property[uint32](ctx, m.bus, serviceName, serviceFace, "MainPID")
	if err != nil {
		return nil, err
	}
	s.process = int(pid)
	if err := s.answers(ctx, func() error { return nil }); err != nil {
		return nil, errors.Join(s.explain(err), s.stop(ctx))
	}
	return s, nil
}

func (s *service) stop(ctx context.Context) error {
	s.http.CloseIdleConnections()
	return s.m.bus.all(ctx, "StopUnit", serviceName)
}

// unitNames gives n names that nobody has heard of yet.
func (m *machine) unitNames(n int) []string {
	out := make([]string, n)
	round := m.name("u")
	for i := range out {
		out[i] = fmt.Sprintf("%s-%04d.service", round, i)
	}
	return out
}

// unitText is a unit that runs until it is stopped. The variant makes it
// another unit that does the same.
func unitText(variant int) string {
	return fmt.Sprintf("[Service]\nEnvironment=VARIANT=%d\nExecStart=/bin/sleep infinity\n", variant)
}

// unitBody is the same as fleet's clients send it.
func unitBody(name, desired string, variant int) string {
	return fmt.Sprintf(`{"name":%q,"desiredState":%q,"options":[{"section":"Service","name":"Environment","value":"VARIANT=%d"},`+
		`{"section":"Service","name":"ExecStart","value":"/bin/sleep infinity"}]}`, name, desired, variant)
}

// callers is how many send requests at the same time where many are sent.
const callers = 16

// putAll creates or changes units over the fleet API.
func (s *service) putAll(ctx context.Context, desired string, variant int, names ...string) error {
	return s.eachCaller(ctx, callers, len(names), func(c *caller, i int) error {
		return c.expect(http.StatusCreated, http.MethodPut, "/fleet/v1/units/"+names[i], unitBody(names[i], desired, variant))
	})
}

// deleteAll destroys units over the fleet API.
func (s *service) deleteAll(ctx context.Context, names ...string) error {
	return s.eachCaller(ctx, callers, len(names), func(c *caller, i int) error {
		return c.expect(http.StatusNoContent, http.MethodDelete, "/fleet/v1/units/"+names[i], "")
	})
}

// gone waits until systemd has stopped all units and no file of them is left.
func (m *machine) gone(ctx context.Context, stopped *awaited, names []string) error {
	if _, err := stopped.end(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	i := 0
	return until(ctx, 500*time.Microsecond, func() (bool, error) {
		for ; i < len(names); i++ {
			if _, err := os.Lstat(filepath.Join(unitDir, names[i])); err == nil {
				return false, nil
			}
		}
		return true, nil
	})
}
