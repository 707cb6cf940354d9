package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/abide-agent/abide/internal/atomicfile"
	"github.com/abide-agent/abide/netconf/sim"
	"github.com/abide-agent/abide/netconf/tree"
)

// simFiles is the directory with the keys of simulated devices.
type simFiles struct {
	dir  string
	temp bool // it goes when the devices end
}

func openSimFiles(dir string) (*simFiles, error) {
	if dir == "" {
		dir, err := os.MkdirTemp("", "abide-device-sim-")
		return &simFiles{dir, true}, err
	}
	dir = absolute(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the directory of --dir can't be made: %w", err)
	}
	return &simFiles{dir: dir}, nil
}

func (f *simFiles) Close() error {
	if f.temp {
		return os.RemoveAll(f.dir)
	}
	return nil
}

func (f *simFiles) path(name string) string { return filepath.Join(f.dir, name) }

// key gives the key of that name, which is made if it isn't there.
func (f *simFiles) key(name string) (private, public []byte, err error) {
	private, err = os.ReadFile(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		if private, err = sim.NewKey(); err == nil {
			err = atomicfile.WriteFile(f.path(name), private, 0o600)
		}
	}
	if err == nil {
		public, err = sim.PublicKey(private)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("no key %s: %w", f.path(name), err)
	}
	return private, public, nil
}

// known writes known_hosts.
func (f *simFiles) known(devices []*simulated) error {
	var b strings.Builder
	for _, d := range devices {
		b.WriteString(d.device.KnownHosts(d.l.Addr().String()) + "\n")
	}
	return atomicfile.WriteFile(f.path("known_hosts"), []byte(b.String()), 0o644)
}

// make makes the device, with its startup file if there is one.
func (d *simulated) make(o sim.Options, startup string, several bool) (err error) {
	if startup != "" {
		own := startup
		if several {
			own += "." + d.name
		}
		if o.Startup, err = readStartup(own); errors.Is(err, fs.ErrNotExist) && several {
			o.Startup, err = readStartup(startup)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		o.Save = func(config *tree.Node) error { return atomicfile.WriteFile(own, []byte(config.Pretty()), 0o600) }
	}
	if d.device, err = sim.New(o); err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	return nil
}

// readStartup reads a configuration; its root may have any name.
func readStartup(name string) (*tree.Node, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	config, err := tree.Parse(f, tree.Limits{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return config, nil
}

// absolute makes a file name that means the same from everywhere.
func absolute(name string) string {
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}
