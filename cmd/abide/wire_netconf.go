package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/abide-agent/abide/internal/api"
	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/device"
	"github.com/abide-agent/abide/netconf/service"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/sse"
)

// serviceParts is what the family of services adds to an agent.
type serviceParts struct {
	kind     *reconcile.Services
	devices  *reconcile.Devices
	manager  *device.Manager
	handlers *service.Server // nil: nobody can reach this process
	away     absences
}

// serviceSocket is where the service API listens in the state directory.
const serviceSocket = "services.sock"

// openServices makes the kinds of services and devices, and what they drive.
func (a *parts) openServices(ctx context.Context, daemon, dry bool) (*serviceParts, error) {
	s := a.settings.NETCONF
	p := &serviceParts{}
	manager, err := device.New(ctx, device.Config{
		Held: func(owner string) bool { return p.kind.Held(owner) },
		Dial: dialDevice, Keep: deviceKeeper{a.store}, Tell: func(e device.Event) { a.tellDevice(p, e) },
		Parallel: s.Parallel, ConfirmTimeout: s.ConfirmTimeout,
		Timeout: s.ConfirmTimeout, // a device that takes longer for one answer has undone what waits for it
	})
	if err != nil {
		return nil, err
	}
	p.manager = manager
	a.onClose(func() error { manager.Close(); return nil })
	c := reconcile.ServiceConfig{
		Devices: manager, Mode: device.Mode(s.Atomic), Publish: a.publish, Timeout: s.ServiceTimeout,
		Parallel: s.Parallel, Wait: serviceWait,
	}
	if !daemon {
		c.Wait = 2 * s.ConfirmTimeout // nobody comes back to it later
	}
	if daemon && !dry {
		p.handlers = service.NewServer(service.Options{
			Timeout: s.ServiceTimeout, Warn: a.warn, Committer: committer{p},
			View:     func() service.View { return p.kind.View() },
			Handlers: func() { a.agent.Soon(reconcile.ServiceKind) },
		})
		c.Handlers = p.handlers
	}
	p.kind, p.devices = reconcile.NewServices(c)
	return p, nil
}

// committer hands commits of operators to the kind, which is made after it.
type committer struct{ *serviceParts }

// Commit implements [service.Committer].
func (c committer) Commit(ctx context.Context, r service.CommitRequest) (service.CommitResult, error) {
	return c.kind.Commit(ctx, r)
}

// beginServices has devices looked after and handlers served until the function
// that it gives is called.
func (a *parts) beginServices(ctx context.Context) (end func() error, err error) {
	if a.services == nil {
		return func() error { return nil }, nil
	}
	var l net.Listener
	if a.services.handlers != nil {
		path := a.socketPath()
		if l, err = api.ListenUnix(path); err != nil {
			if a.settings.NETCONF.Socket != "" {
				return nil, fmt.Errorf("the service API can't be served: %w", err)
			}
			a.warn("no handler can reach the service API: " + err.Error() + "; name a place with --netconf-socket")
			l = nil
		}
	}
	return a.services.begin(ctx, l), nil
}

// begin has the devices looked after and, in a daemon, handlers served, until
// the function that it gives is called.
func (p *serviceParts) begin(ctx context.Context, l net.Listener) (end func() error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	errs := make(chan error, 2)
	go func() { errs <- p.manager.Run(ctx) }()
	if l != nil {
		go func() { errs <- p.handlers.Serve(ctx, l) }()
	}
	return func() error {
		cancel()
		err := <-errs
		if l != nil {
			err = errors.Join(err, <-errs)
		}
		return err
	}
}

// serviceWait is how long a batch waits for devices before others go on.
const serviceWait = 5 * time.Second

// socketPath is where the service API listens.
func (a *parts) socketPath() string {
	if path := a.settings.NETCONF.Socket; path != "" {
		return path
	}
	return filepath.Join(a.dir, serviceSocket)
}

// dialDevice opens a session with a device.
func dialDevice(ctx context.Context, d device.Device) (device.Session, error) {
	t := d.Target
	s, err := netconf.Dial(ctx, netconf.Target{
		Addr: t.Addr, User: t.User, Auth: netconf.Auth{KeyFiles: t.KeyFiles, PasswordFile: t.PasswordFile, Agent: t.Agent},
		KnownHosts: t.KnownHosts, InsecureHostKey: t.InsecureHostKey,
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// keyDevices is where the manager keeps what it knows of the devices. It is in
// no repository, so the store backs it up.
const keyDevices = "netconf/"

// deviceKeeper lets the manager write to the agent's store.
type deviceKeeper struct{ store store.Store }

// Load implements [device.Keeper].
func (k deviceKeeper) Load(ctx context.Context) ([]device.Write, error) {
	entries, _, err := k.store.List(ctx, keyDevices, "", 0)
	out := make([]device.Write, len(entries))
	for i, e := range entries {
		out[i] = device.Write{Key: strings.TrimPrefix(e.Key, keyDevices), Value: e.Value}
	}
	return out, err
}

// Commit implements [device.Keeper].
func (k deviceKeeper) Commit(ctx context.Context, writes ...device.Write) error {
	ops := make([]store.Op, len(writes))
	for i, w := range writes {
		if w.Value == nil {
			ops[i] = store.Delete(keyDevices + w.Key)
		} else {
			ops[i] = store.Put(keyDevices+w.Key, w.Value)
		}
	}
	_, err := k.store.Commit(ctx, ops...)
	return err
}

// longAway is how long a device must have been away for its return to be worth a
// try of what waits. One that comes and goes, perhaps because of what is tried,
// has to take the times of the loop.
const longAway = 10 * time.Second

// absences says whether a device is back from a long absence. The zero value is
// ready for use, by several goroutines.
type absences struct {
	mu    sync.Mutex
	since map[string]time.Time // when a device was lost
}

func (s *absences) isBack(e device.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	since, lost := s.since[e.Device]
	switch e.Type {
	case device.DeviceLost:
		if s.since == nil {
			s.since = map[string]time.Time{}
		}
		s.since[e.Device] = time.Now()
	case device.DeviceConnected:
		return !lost || time.Since(since) > longAway
	}
	return false
}

// tellDevice makes an event of what the manager tells.
func (a *parts) tellDevice(p *serviceParts, e device.Event) {
	if p.away.isBack(e) && a.agent != nil {
		a.agent.Soon(reconcile.ServiceKind)
	}
	fields := map[string]any{}
	if e.Device != "" {
		fields["device"] = e.Device
	}
	if len(e.Owners) > 0 {
		fields["services"] = e.Owners
	}
	for k, v := range e.Fields {
		fields[k] = v
	}
	a.publish(sse.Event{Type: e.Type, Level: string(e.Level), Message: e.Message, Fields: fields})
}
