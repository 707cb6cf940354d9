package systemd

import (
	"context"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/abide-agent/abide/units"
)

// askSweep asks for a look at everything, soon. Any number of askers get one.
func (e *Engine) askSweep() {
	select {
	case e.sweeps <- struct{}{}:
	default:
	}
}

// sweepLoop looks at everything when it is asked to, and every minute, in case a
// signal or an event of the file system was lost.
func (e *Engine) sweepLoop(ctx context.Context) {
	tick := time.NewTicker(e.opts.Sweep)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-e.sweeps:
		case j := <-e.foreign:
			e.lookAtJob(ctx, j)
			continue
		}
		b, err := e.link.get(ctx)
		if err == nil {
			err = e.sweep(ctx, b)
		}
		if err != nil && ctx.Err() == nil {
			continue // a new connection begins with a sweep
		}
	}
}

// foreignJob is a job that somebody else made for a unit of ours.
type foreignJob struct {
	name string
	path dbus.ObjectPath
}

// askJob asks for the type of a job, which its signal doesn't say.
func (e *Engine) askJob(j foreignJob) {
	select {
	case e.foreign <- j:
	default:
		e.askSweep() // so many that a list costs less
	}
}

func (e *Engine) lookAtJob(ctx context.Context, j foreignJob) {
	b, err := e.link.get(ctx)
	if err != nil {
		return // a new connection begins with a sweep
	}
	body, err := b.call(ctx, j.path, properties+".Get", jobIface, "JobType")
	var value dbus.Variant
	if err != nil || dbus.Store(body, &value) != nil {
		return // it has ended
	}
	e.memory.update(j.name, func(u *unit) {
		if typ, ok := value.Value().(string); ok && u.run.jobPath == j.path {
			u.run.job = typ
		}
	})
}

// sweep compares what is known with systemd's list and with the files. It
// changes nothing but what is known.
func (e *Engine) sweep(ctx context.Context, b *bus) error {
	_, err := e.survey(ctx, b)
	return err
}

// survey is sweep that also gives the jobs that are under way.
func (e *Engine) survey(ctx context.Context, b *bus) (alive map[dbus.ObjectPath]bool, err error) {
	before := map[string]uint64{}
	e.memory.all(func(name string, u *unit) { before[name] = u.seq })
	rows, err := b.list(ctx)
	if err != nil {
		return nil, err
	}
	listed := map[string]listed{}
	alive = map[dbus.ObjectPath]bool{}
	for _, row := range rows {
		alive[row.JobPath] = true
		if _, ours := before[row.Name]; ours {
			listed[row.Name] = row
		}
	}
	var unknown []string
	e.memory.all(func(name string, u *unit) {
		if seq, ok := before[name]; !ok || seq != u.seq {
			return // new, or a signal said something newer
		}
		row, held := listed[name]
		if !u.run.listed(row, held) && !units.IsTemplate(name) {
			unknown = append(unknown, name)
		}
	})
	if err := e.details(ctx, b, unknown); err != nil {
		return nil, err
	}
	e.files.lookAll()
	return alive, nil
}

// listed takes a row of the list and says whether nothing more has to be asked.
func (r *running) listed(row listed, held bool) (enough bool) {
	if !held {
		r.held, r.known, r.job, r.jobPath, r.pid = false, true, "", "", 0
		if r.load == "not-found" {
			r.load = ""
		}
		if r.active != "" && r.active != "inactive" {
			r.became("inactive")
			r.sub = "dead"
		}
		return true
	}
	// Signals don't say whether a unit is loaded: of one that has just been
	// started nothing more is unknown than that.
	enough = r.known && r.active == row.Active && r.sub == row.Sub && (r.load == row.Load || r.load == "" && row.Load == "loaded")
	r.held, r.known, r.load, r.sub = true, enough, word(row.Load), word(row.Sub)
	r.became(row.Active)
	r.job, r.jobPath = word(row.JobType), row.JobPath
	if row.JobID == 0 {
		r.job, r.jobPath = "", ""
	}
	return enough
}

// details asks for what the list doesn't hold. Single properties are cheap;
// all of a unit at once take systemd 25 ms and more, for some are computed from
// every unit file there is.
func (e *Engine) details(ctx context.Context, b *bus, names []string) error {
	type question struct {
		name, iface, property string
		seq                   uint64
		sent                  *pending
	}
	var open []question
	answer := func(q question) error {
		body, err := q.sent.wait(ctx)
		if err != nil {
			if remote(err) != "" && !isLost(err) {
				return nil // the unit went meanwhile; a signal says so
			}
			return err
		}
		var value dbus.Variant
		if err := dbus.Store(body, &value); err != nil {
			return err
		}
		e.memory.update(q.name, func(u *unit) {
			if u.seq != q.seq {
				return
			}
			values := map[string]dbus.Variant{q.property: value}
			if q.iface == unitIface {
				u.run.unitProperties(values)
			} else {
				u.run.serviceProperties(values)
			}
		})
		return nil
	}
	var failed error
	for _, name := range names {
		u, ok := e.memory.get(name)
		if !ok {
			continue
		}
		for _, p := range wanted(name, u.run.active) {
			if len(open) == inFlight/2 { // the other half is for whoever converges meanwhile
				if err := answer(open[0]); err != nil {
					failed = err
				}
				open = open[1:]
			}
			open = append(open, question{
				name: name, iface: p.iface, property: p.name, seq: u.seq,
				sent: b.send(ctx, unitPath(name), properties+".Get", p.iface, p.name),
			})
		}
	}
	for _, q := range open {
		if err := answer(q); err != nil {
			failed = err
		}
	}
	return failed
}

type property struct{ iface, name string }

// wanted are the properties that a unit in this state is asked for.
func wanted(name, active string) []property {
	out := []property{
		{unitIface, "NeedDaemonReload"},
		{unitIface, "ActiveEnterTimestampMonotonic"},
		{unitIface, sinceOf(active)},
	}
	if active == "inactive" { // in this order, see unitProperties
		out = append(out, property{unitIface, "ConditionResult"}, property{unitIface, "ConditionTimestampMonotonic"})
	}
	if strings.HasSuffix(name, ".service") {
		out = append(out, property{serviceIface, "MainPID"})
		if active != "active" {
			out = append(out, property{serviceIface, "Result"}, property{serviceIface, "ExecMainCode"}, property{serviceIface, "ExecMainStatus"})
		}
	}
	return out
}
