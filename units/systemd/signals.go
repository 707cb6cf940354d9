package systemd

import (
	"unique"

	"github.com/godbus/dbus/v5"
)

// signals takes what systemd says by itself on one connection. The library's
// own subscriptions would do it on channels that lose order or block; and
// SetSubStateSubscriber of go-systemd never stops asking about a dead unit.
type signals struct {
	engine    *Engine
	owner     chan struct{} // systemd came (back) to the bus
	reloading bool          // only for the goroutine that reads
}

var _ dbus.SignalHandler = (*signals)(nil)

// DeliverSignal is called by the goroutine that reads, one signal at a time. It
// must not call systemd.
func (s *signals) DeliverSignal(_, member string, sig *dbus.Signal) {
	switch member {
	case "PropertiesChanged":
		s.properties(sig)
	case "JobNew":
		s.jobNew(sig.Body)
	case "JobRemoved":
		s.jobRemoved(sig.Body)
	case "UnitNew", "UnitRemoved":
		s.inMemory(member == "UnitNew", sig.Body)
	case "Reloading":
		s.reload(sig.Body)
	case "UnitFilesChanged":
		s.engine.files.linksChanged()
	case "NameOwnerChanged":
		if len(sig.Body) == 3 && sig.Body[2] != "" {
			select {
			case s.owner <- struct{}{}:
			default:
			}
		}
	}
}

func (s *signals) jobNew(body []any) {
	var id uint32
	var path dbus.ObjectPath
	var name string
	if dbus.Store(body, &id, &path, &name) != nil {
		return
	}
	foreign := false
	s.engine.memory.signal(unitPath(name), func(u *unit) {
		u.run.jobPath, u.run.job = path, u.asked
		if foreign = u.asked == ""; foreign {
			u.run.job = "unknown"
		}
	})
	if foreign {
		s.engine.askJob(foreignJob{name, path})
	}
}

func (s *signals) jobRemoved(body []any) {
	var id uint32
	var path dbus.ObjectPath
	var name, result string
	if dbus.Store(body, &id, &path, &name, &result) != nil {
		return
	}
	s.engine.memory.signal(unitPath(name), func(u *unit) {
		if u.run.jobPath == path {
			u.run.jobPath, u.run.job = "", ""
		}
	})
	s.engine.jobs.removed(path, result)
}

// inMemory notes what systemd has in memory. A unit that it drops is never
// asked for again: to ask would load it, only to be dropped, for ever.
func (s *signals) inMemory(held bool, body []any) {
	if len(body) != 2 || s.reloading {
		return // a reload drops and loads everything; the sweep after it tells
	}
	path, _ := body[1].(dbus.ObjectPath)
	s.engine.memory.signal(path, func(u *unit) {
		u.run.held = held
		if !held {
			u.run.active, u.run.sub, u.run.pid = "inactive", "dead", 0
			u.run.job, u.run.jobPath, u.run.outdated = "", "", false
		}
	})
}

func (s *signals) reload(body []any) {
	if len(body) != 1 {
		return
	}
	s.reloading, _ = body[0].(bool)
	if !s.reloading {
		s.engine.memory.all(func(_ string, u *unit) { u.run.outdated = false })
		s.engine.askSweep()
	}
}

func (s *signals) properties(sig *dbus.Signal) {
	if len(sig.Body) < 2 {
		return
	}
	iface, _ := sig.Body[0].(string)
	values, _ := sig.Body[1].(map[string]dbus.Variant)
	s.engine.memory.signal(sig.Path, func(u *unit) {
		switch iface {
		case unitIface:
			u.run.unitProperties(values)
		case serviceIface:
			u.run.serviceProperties(values)
		}
	})
}

// sinceOf names the property that says when a unit came into a state.
func sinceOf(active string) string {
	switch active {
	case "active", "reloading":
		return "ActiveEnterTimestamp"
	case "activating":
		return "InactiveExitTimestamp"
	case "deactivating":
		return "ActiveExitTimestamp"
	}
	return "InactiveEnterTimestamp"
}

func (r *running) unitProperties(values map[string]dbus.Variant) {
	if active, ok := values["ActiveState"].Value().(string); ok {
		r.became(active)
	}
	if sub, ok := values["SubState"].Value().(string); ok {
		r.sub = word(sub)
	}
	if t, ok := values[sinceOf(r.active)].Value().(uint64); ok {
		r.since = microseconds(t)
	}
	if t, ok := values["ActiveEnterTimestampMonotonic"].Value().(uint64); ok {
		r.entered = t
	}
	if result, ok := values["ConditionResult"].Value().(bool); ok {
		r.condition = result
	}
	if at, ok := values["ConditionTimestampMonotonic"].Value().(uint64); ok {
		r.checked = at
	}
	r.skipped = !r.condition && r.checked != 0 && r.active == "inactive"
	if load, ok := values["LoadState"].Value().(string); ok {
		r.load = word(load)
	}
	if old, ok := values["NeedDaemonReload"].Value().(bool); ok {
		r.outdated = old
	}
	r.held, r.known = true, true
}

// word gives a word of systemd's to keep. One that comes in a message is a part
// of it, and would keep all of the message.
func word(s string) string { return unique.Make(s).Value() }

// became notes a state and what it says about a one-shot: that it was started,
// which only "activating" and "active" say, and was not stopped since.
func (r *running) became(active string) {
	switch {
	case active == "activating", active == "active", active == "reloading":
		r.ran = true
	case active == "failed", r.active == "active" || r.active == "reloading":
		r.ran = false
	}
	r.active = word(active)
}

// The values of ExecMainCode that say that a signal ended the process (CLD_KILLED, CLD_DUMPED).
const (
	codeKilled = 2
	codeDumped = 3
)

func (r *running) serviceProperties(values map[string]dbus.Variant) {
	if pid, ok := values["MainPID"].Value().(uint32); ok {
		r.pid = int(pid)
	}
	if result, ok := values["Result"].Value().(string); ok {
		r.result = word(result)
	}
	if code, ok := values["ExecMainCode"].Value().(int32); ok {
		r.code = code
	}
	if status, ok := values["ExecMainStatus"].Value().(int32); ok {
		r.exit = status
	}
}

// exitCode gives the exit code of the main process as a shell would: 128 and
// the signal where one ended it.
func (r *running) exitCode() int {
	if r.code == codeKilled || r.code == codeDumped {
		return 128 + int(r.exit)
	}
	return int(r.exit)
}
