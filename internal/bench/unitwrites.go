package main

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/godbus/dbus/v5"
)

// writes counts what an agent asks of systemd, as a monitor of the bus sees it.
type writes struct {
	conn  *dbus.Conn
	wg    sync.WaitGroup
	count int // calls that may change something
	calls int // all of them
	names []string
}

// questions are the calls that change nothing.
var questions = []string{
	"Get", "GetAll", "GetUnit", "GetJob", "ListUnits", "ListUnitsByNames", "ListUnitsByPatterns", "ListJobs",
	"LoadUnit", "GetUnitFileState", "Ping", "Introspect", "Subscribe",
}

// watchWrites counts from now on until stop.
func (s *service) watchWrites(ctx context.Context) (w *writes, err error) {
	w = &writes{}
	if w.names, err = s.busNames(ctx); err != nil {
		return nil, err
	}
	if w.conn, err = dbus.ConnectSystemBus(); err != nil {
		return nil, err
	}
	rules := []string{"type='method_call',destination='" + systemdName + "'"}
	if err := w.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.Monitoring.BecomeMonitor", 0, rules, uint32(0)).Err; err != nil {
		return nil, errors.Join(err, w.conn.Close())
	}
	messages := make(chan *dbus.Message, 4096)
	w.conn.Eavesdrop(messages)
	w.wg.Go(func() {
		for msg := range messages {
			w.note(msg)
		}
	})
	return w, nil
}

func (w *writes) note(msg *dbus.Message) {
	sender, _ := msg.Headers[dbus.FieldSender].Value().(string)
	member, _ := msg.Headers[dbus.FieldMember].Value().(string)
	if msg.Type != dbus.TypeMethodCall || !slices.Contains(w.names, sender) {
		return
	}
	w.calls++
	if !slices.Contains(questions, member) {
		w.count++
	}
}

func (w *writes) stop() error {
	err := w.conn.Close() // which closes the channel
	w.wg.Wait()
	return err
}

// busNames gives what the bus calls the agent's connections.
func (s *service) busNames(ctx context.Context) (out []string, err error) {
	var all []string
	bus := s.m.bus.conn.BusObject()
	if err := bus.CallWithContext(ctx, "org.freedesktop.DBus.ListNames", 0).Store(&all); err != nil {
		return nil, err
	}
	for _, name := range all {
		var pid uint32
		err := bus.CallWithContext(ctx, "org.freedesktop.DBus.GetConnectionUnixProcessID", 0, name).Store(&pid)
		if err == nil && int(pid) == s.pid() && name[0] == ':' {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the agent has no connection to the bus")
	}
	return out, nil
}
