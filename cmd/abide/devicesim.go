package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/netconf/sim"
	"github.com/abide-agent/abide/netconf/tree"
)

// simOptions are the flags of `abide device-sim`.
type simOptions struct {
	yang, listen, mode string
	devices            int
	user               string
	passwordFile       string
	authorizedKeys     string
	startup, dir       string
	faults             []string
}

func deviceSimCmd(p *process) *cobra.Command {
	name := programName(p.args)
	var o simOptions
	cmd := &cobra.Command{
		Use:   "device-sim",
		Short: "Run simulated NETCONF devices",
		Long: `Device-sim runs NETCONF devices that hold a configuration and do nothing with it,
for trials and tests: with a candidate, confirmed commits, locks, notifications and
get-schema, over SSH. It prints the inventory document that reaches them, and runs
until it is interrupted.

With no model given the devices have two small ones, openconfig-system and
openconfig-interfaces. With no password and no keys given it makes a key that lets in
whoever has its file; that, the host key and known_hosts are in a directory that goes
when it ends, or in --dir, where they stay.

With --devices the ports count up from that of --listen, or each device has the one
address that {n} in it makes.`,
		Example: example(name, `
%s device-sim
%s device-sim --devices 3 --dir /tmp/lab > inventory.xml
%s device-sim --devices 50 --listen 127.0.2.{n}:8830 --yang models --mode running`),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.deviceSim(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.yang, "yang", "", "the `DIR` with the models, as NAME.yang files")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8830", "the `ADDRESS` of the first device")
	f.IntVar(&o.devices, "devices", 1, "how many devices")
	f.StringVar(&o.mode, "mode", "candidate", "what is edited: `candidate|running`; with running there is a startup configuration")
	f.StringVar(&o.user, "user", "admin", "who may log in")
	f.StringVar(&o.passwordFile, "password-file", "", "the `FILE` with the password")
	f.StringVar(&o.authorizedKeys, "authorized-keys", "", "the `FILE` with the public keys that may log in")
	f.StringVar(&o.startup, "startup", "", "the `FILE` with the configuration to begin with, where what lasts is saved; of several devices each saves to FILE.NAME")
	f.StringVar(&o.dir, "dir", "", "where keys and known_hosts are kept")
	f.StringArrayVar(&o.faults, "fault", nil, "let something go wrong: [DEVICE:]OP=KIND[*TIMES][:DETAIL]")
	_ = f.MarkHidden("fault")
	return cmd
}

// simulated is one device that is to run.
type simulated struct {
	name   string
	addr   string // as --listen says it
	device *sim.Device
	l      net.Listener
}

func (p *process) deviceSim(ctx context.Context, o simOptions) (err error) {
	devices, err := o.addresses()
	if err != nil {
		return err
	}
	base, err := p.simBase(o)
	if err != nil {
		return err
	}
	files, err := openSimFiles(o.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	if base.HostKey, _, err = files.key("host_key"); err != nil {
		return err
	}
	keyFile := ""
	if base.Password == "" && base.AuthorizedKeys == nil {
		keyFile = files.path("id")
		if _, base.AuthorizedKeys, err = files.key("id"); err != nil {
			return err
		}
	}
	for _, d := range devices {
		if err := d.make(base, o.startup, len(devices) > 1); err != nil {
			return err
		}
	}
	if err := setFaults(devices, o.faults); err != nil {
		return err
	}
	for _, d := range devices {
		if d.l, err = net.Listen("tcp", d.addr); err != nil {
			return fmt.Errorf("%s can't listen: %w; name another address with --listen", d.name, err)
		}
		defer func() { _ = d.l.Close() }()
	}
	if err := files.known(devices); err != nil {
		return err
	}
	p.announce(devices)
	if _, err := io.WriteString(p.out, inventory(o, devices, keyFile, files.path("known_hosts"))); err != nil {
		return err
	}
	return serveAll(ctx, devices)
}

// serveAll runs until the context ends, or one of the devices can't go on.
func serveAll(ctx context.Context, devices []*simulated) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(devices))
	var all sync.WaitGroup
	for i, d := range devices {
		all.Go(func() {
			if errs[i] = d.device.Serve(ctx, d.l); errs[i] != nil {
				cancel()
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// addresses says where each device listens.
func (o simOptions) addresses() ([]*simulated, error) {
	const most = 1000
	if o.devices < 1 || o.devices > most {
		return nil, usage("--devices: there may be 1 to %d, not %d", most, o.devices)
	}
	host, port, err := net.SplitHostPort(o.listen)
	first, numErr := strconv.Atoi(port)
	each := strings.Contains(host, "{n}")
	if err != nil || numErr != nil || first < 0 || first > 65535 || !each && first > 0 && first+o.devices-1 > 65535 {
		return nil, usage("--listen: %q is no address for %s; give HOST:PORT", o.listen, count(o.devices, "device"))
	}
	var out []*simulated
	for n := 1; n <= o.devices; n++ {
		at := first
		if !each && first > 0 {
			at += n - 1
		}
		out = append(out, &simulated{
			name: fmt.Sprintf("sim%d", n),
			addr: net.JoinHostPort(strings.ReplaceAll(host, "{n}", strconv.Itoa(n)), strconv.Itoa(at)),
		})
	}
	return out, nil
}

// simBase is what all devices have in common, but for the keys.
func (p *process) simBase(o simOptions) (sim.Options, error) {
	base := sim.Options{User: o.user}
	switch o.mode {
	case "candidate":
	case "running":
		base.Mode = sim.WithStartup
	default:
		return base, usage("--mode: %q is neither candidate nor running", o.mode)
	}
	if o.yang != "" {
		models, warnings, err := sim.LoadModels(os.DirFS(o.yang))
		for _, w := range warnings {
			p.warn(o.yang + ": " + w.String())
		}
		if err != nil {
			return base, fmt.Errorf("%s: %w", o.yang, err)
		}
		base.Models = models
	}
	if o.passwordFile != "" {
		text, err := os.ReadFile(o.passwordFile)
		if err != nil {
			return base, fmt.Errorf("the password can't be read: %w", err)
		}
		if base.Password = strings.TrimRight(string(text), "\r\n"); base.Password == "" {
			return base, fmt.Errorf("the file %s holds no password; write one into it", o.passwordFile)
		}
	}
	if o.authorizedKeys != "" {
		text, err := os.ReadFile(o.authorizedKeys)
		if err != nil {
			return base, fmt.Errorf("the authorized keys can't be read: %w", err)
		}
		base.AuthorizedKeys = text
	}
	return base, nil
}

// setFaults reads faults, and gives each to the device that it names, or to all.
func setFaults(devices []*simulated, faults []string) error {
	for _, text := range faults {
		only, rest, named := strings.Cut(text, ":")
		if !named || strings.Contains(only, "=") {
			only, rest = "", text
		}
		f, err := sim.ParseFault(rest)
		if err != nil {
			return usage("--fault: %v", err)
		}
		found := false
		for _, d := range devices {
			if only == "" || only == d.name {
				d.device.Fail(f)
				found = true
			}
		}
		if !found {
			return usage("--fault: there is no device %q; they are sim1 to sim%d", only, len(devices))
		}
	}
	return nil
}

// announce says what runs where; nothing of it belongs to the inventory.
func (p *process) announce(devices []*simulated) {
	for _, d := range devices {
		fmt.Fprintf(p.err, "%s listens on %s, host key %s\n", d.name, d.l.Addr(), d.device.Fingerprint())
	}
}

// inventory writes the document that reaches the devices.
func inventory(o simOptions, devices []*simulated, keyFile, knownHosts string) string {
	const space = "http://clicon.org/controller"
	node := func(name, value string, children ...*tree.Node) *tree.Node {
		return &tree.Node{Name: tree.Name{Space: space, Local: name}, Value: value, Children: children}
	}
	profile := node("device-profile", "", node("name", "sim"), node("user", o.user))
	switch {
	case keyFile != "":
		profile.Children = append(profile.Children, node("private-key-file", keyFile))
	case o.passwordFile != "":
		profile.Children = append(profile.Children, node("password-file", absolute(o.passwordFile)))
	default:
		profile.Children = append(profile.Children, node("ssh-agent", "true"))
	}
	profile.Children = append(profile.Children, node("known-hosts-file", knownHosts))
	root := node("devices", "", profile)
	for _, d := range devices {
		host, port, _ := net.SplitHostPort(d.l.Addr().String())
		root.Children = append(root.Children, node("device", "", node("name", d.name), node("addr", host), node("port", port), node("device-profile", "sim")))
	}
	return root.Pretty()
}
