package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/abide-agent/abide/sse"
)

// branch holds the services of examples/network before the agent may see them.
const branch = "network"

// devices are two simulated devices that run until stop.
type devices struct {
	cmd       *exec.Cmd
	inventory *lockedBuffer // the document that reaches them
}

// lockedBuffer is written by a process and read meanwhile.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// network brings service instances to two simulated network devices.
func (s *show) network(ctx context.Context, repo *repository) (err error) {
	s.say("Two network devices join: abide device-sim simulates them")
	d, err := s.simulate(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	if err := repo.checkout(branch, true); err != nil {
		return err
	}
	if err := repo.copy("examples/network", ""); err != nil {
		return err
	}
	if err := repo.write("devices/lab.xml", d.inventory.String()); err != nil {
		return err
	}
	revision, err := s.commit(repo, "Let people log in to the devices")
	if err != nil {
		return err
	}
	s.note("It is on the branch %s, so nothing happens yet. What would?", branch)
	if err := s.abide(ctx, []int{2}, "plan", "--rev", branch); err != nil {
		return err
	}

	s.say("Merge it")
	if err := repo.forward("main", revision); err != nil {
		return err
	}
	for _, instance := range []string{"ssh-users[devs]", "ssh-users[ops]"} {
		if err := s.onDevices(ctx, revision, instance); err != nil {
			return err
		}
	}
	for _, call := range [][]string{{"devices"}, {"services"}, {"services", "blame", "--device", "sim1", "/openconfig-system:system/aaa/authentication/users/user[username='alice']"}} {
		if err := s.abide(ctx, []int{0}, call...); err != nil {
			return err
		}
	}
	s.note("Both instances want alice. When one of them goes, she stays.")

	s.say("Remove the instance ops: eric goes, alice stays")
	if err := repo.remove("services/ops.xml"); err != nil {
		return err
	}
	if _, err := s.commit(repo, "Do without ops"); err != nil {
		return err
	}
	if err := s.onDevices(ctx, "", "ssh-users[ops]"); err != nil {
		return err
	}
	return s.abide(ctx, []int{0}, "devices", "pull", "sim1")
}

// simulate starts two devices and waits until they can be reached.
func (s *show) simulate(ctx context.Context) (*devices, error) {
	d := &devices{inventory: &lockedBuffer{}}
	args := []string{"device-sim", "--devices", "2", "--listen", "127.0.0.1:0", "--dir", filepath.Join(s.dir, "sim")}
	fmt.Fprintln(s.out, "$ abide "+strings.Join(args, " ")+" > devices/lab.xml &")
	d.cmd = s.command(context.WithoutCancel(ctx), args...)
	d.cmd.Stdout, d.cmd.Stderr = d.inventory, nil
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	err := s.until(ctx, "the devices are there", func() (bool, error) {
		return strings.Contains(d.inventory.String(), "</devices>"), nil
	})
	if err != nil {
		return nil, errors.Join(err, d.stop())
	}
	return d, nil
}

// stop ends the devices as users end them.
func (d *devices) stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	err := d.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 128+int(syscall.SIGTERM) {
		return nil
	}
	return err
}

// onDevices waits until an instance of a commit, if one is given, is on its
// devices, or has left them.
func (s *show) onDevices(ctx context.Context, revision, instance string) error {
	last := ""
	return s.read(ctx, []string{"events", "--json", "--since", "0", "--types", sse.TypeServiceApplied + "," + sse.TypeServiceFailed}, func(line string) (bool, error) {
		var e struct{ Type, Revision, Service, Message string }
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Service != instance {
			return false, err
		}
		if e.Type == sse.TypeServiceFailed {
			return false, errors.New(e.Message)
		}
		last = e.Message
		return e.Revision == revision || revision == "" && strings.Contains(last, "has left"), nil
	})
}

// copy copies a directory of the project into the repository.
func (r *repository) copy(from, to string) error {
	return filepath.WalkDir(from, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		return r.write(filepath.ToSlash(filepath.Join(to, below)), string(text))
	})
}
