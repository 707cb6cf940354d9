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

	"github.com/abide-agent/abide/internal/testkit/systemdbox"
)

// Where things are in a box. What is measured lies on the engine's own file
// system: /tmp and /run are in memory there, and all else may be in layers.
const (
	boxBench  = "/usr/local/bin/bench"
	boxBinary = "/usr/local/bin/abide"
	boxDir    = "/srv"
	unitDir   = "/etc/systemd/system"
)

// insides are the parts that are measured inside of a box.
var insides = map[string]func(context.Context, *machine) ([]row, error){
	"units":     measureUnits,
	"fleet-api": measureFleetAPI,
}

// said is what a part of this program that runs in a box says at its end.
type said struct {
	Rows  []row
	Error string
}

// inBox measures a part inside of a container whose PID 1 is systemd: the agent
// is a service there, and this very program runs beside it, so that nothing is
// between the two but what a user's own program would have.
func inBox(name string) func(context.Context, *rig) ([]row, error) {
	return func(ctx context.Context, r *rig) ([]row, error) {
		box, err := systemdbox.Boot(ctx, boxDir, unitDir)
		if errors.Is(err, systemdbox.ErrMissing) {
			return nil, &notRun{err}
		}
		if err != nil {
			return nil, err
		}
		defer box.Stop()
		self, err := r.self(ctx)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(box.Copy(ctx, self, boxBench, 0o755), box.Copy(ctx, r.binary, boxBinary, 0o755)); err != nil {
			return nil, err
		}
		var out bytes.Buffer
		env := []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR=" + boxDir}
		err = box.Stream(ctx, env, &out, os.Stderr, boxBench, "-inside", name, "-binary", boxBinary, fmt.Sprintf("-quick=%v", r.quick))
		if err != nil {
			return nil, err
		}
		var s said
		if err := json.Unmarshal(out.Bytes(), &s); err != nil {
			return nil, err
		}
		if s.Error != "" {
			err = errors.New(s.Error)
		}
		return s.Rows, err
	}
}

// self builds this program so that it runs anywhere.
func (r *rig) self(ctx context.Context) (string, error) {
	out := filepath.Join(r.dir, "bench")
	if _, err := os.Stat(out); err == nil {
		return out, nil
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", out, "./internal/bench")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	_, err := finish(cmd)
	return out, err
}

// measureInside measures one part in the box where it runs.
func measureInside(ctx context.Context, name string, quick bool, binary string) error {
	part := insides[name]
	if part == nil {
		return fmt.Errorf("nothing called %q is measured inside of a container", name)
	}
	m, err := newMachine(ctx, quick, binary)
	if err != nil {
		return err
	}
	rows, err := part(ctx, m)
	s := said{Rows: rows}
	if err = errors.Join(err, m.close()); err != nil {
		s.Error = err.Error()
	}
	return json.NewEncoder(os.Stdout).Encode(s)
}
