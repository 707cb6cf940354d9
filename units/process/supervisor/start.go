package supervisor

import (
	"strings"
	"time"

	"github.com/abide-agent/abide/units/process/spec"
)

// reset forgets the start before.
func (u *unit) reset() {
	u.status.Result, u.status.Error, u.status.Skipped = "success", "", false
	u.status.Main, u.status.Exit, u.status.Signal = Process{}, 0, 0
	u.status.Invocation = newInvocation()
	u.ready, u.reload, u.main, u.adopted = false, false, nil, false
}

// start brings the unit up and says whether that went well. A stop that is
// asked for meanwhile ends it without a failure.
func (u *unit) start() bool {
	deadline := after(u.spec.TimeoutStart)
	if len(u.spec.ExecConditions) > 0 {
		u.set("activating", "condition")
	}
	for _, c := range u.spec.ExecConditions {
		if !u.command(c, "ExecCondition="+c.Path, deadline) {
			return false
		}
	}
	if len(u.spec.Pre) > 0 {
		u.set("activating", "start-pre")
	}
	for _, c := range u.spec.Pre {
		if !u.command(c, "ExecStartPre="+c.Path, deadline) {
			return false
		}
	}
	if !u.startMain(deadline) {
		return false
	}
	if len(u.spec.Post) > 0 {
		u.set("activating", "start-post")
	}
	for _, c := range u.spec.Post {
		if !u.command(c, "ExecStartPost="+c.Path, deadline) {
			return false
		}
	}
	return true
}

// after gives the deadline of a timeout; the zero time is none.
func after(d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}

func (u *unit) startMain(deadline time.Time) bool {
	for _, c := range u.spec.Start {
		u.drop(u.main)
		var err error
		if u.main, err = u.spawn(c, nil); err != nil {
			u.fail("resources", "ExecStart=%s did not start: %v", c.Path, err)
			return false
		}
		u.status.Main = Identify(u.main.pid)
		u.set("activating", "start")
		if !u.mainStarted(c, deadline) {
			return false
		}
	}
	return true
}

// mainStarted waits until the unit counts as started, by its type.
func (u *unit) mainStarted(c spec.Command, deadline time.Time) bool {
	what := "ExecStart=" + c.Path
	up := func() bool {
		switch {
		case u.spec.Type == spec.OneShot:
			return u.main.execed && u.main.exited
		case u.spec.Type == spec.Notify:
			return u.main.execed && (u.ready || u.main.exited)
		}
		// Type=simple waits for the program too: that it can't be executed is
		// better said now than a moment later.
		return u.main.execed
	}
	switch {
	case !u.until(deadline, 0, func() bool { return up() || u.stopping }):
		u.fail("timeout", "%s did not get ready within %s; raise TimeoutStartSec=, or look at its log", what, u.spec.TimeoutStart)
		return false
	case !up():
		return false
	case u.spec.Type == spec.OneShot:
		return u.mainEnded(what, false)
	case u.main.failure != "":
		u.until(time.Time{}, 0, func() bool { return u.main.exited })
		return u.mainEnded(what, false)
	case u.spec.Type == spec.Notify && u.main.exited && !u.ready:
		if u.mainEnded(what, true) {
			u.fail("protocol", "%s exited before it said READY=1; let it notify, or use Type=simple", what)
		}
		return false
	}
	return true
}

// mainEnded writes down how the main process ended.
func (u *unit) mainEnded(what string, daemon bool) bool {
	u.status.Exit, u.status.Signal = exitOf(u.main)
	u.status.Main = Process{}
	return u.judge(u.main, what, daemon)
}

// command runs one of the other commands of the start to its end.
func (u *unit) command(c spec.Command, what string, deadline time.Time) bool {
	p, err := u.spawn(c, u.mainEnvironment())
	if err != nil {
		u.fail("resources", "%s did not start: %v", what, err)
		return c.Ignore
	}
	defer u.drop(p)
	ended := func() bool { return p.execed && p.exited }
	if !u.until(deadline, 0, func() bool { return ended() || u.stopping }) {
		u.fail("timeout", "%s did not end within %s; raise TimeoutStartSec=, or look at its log", what, u.spec.TimeoutStart)
		return false
	}
	if strings.HasPrefix(what, "ExecCondition=") && ended() && u.skip(c, p) {
		return false
	}
	return ended() && u.judge(p, what, false)
}

// serve is the time from the start to the end of the main process, or to a
// stop.
func (u *unit) serve() {
	if u.spec.Type == spec.OneShot || u.main == nil {
		if u.spec.RemainAfter && !u.stopping {
			u.remain()
		}
		return
	}
	u.set("active", "running")
	what, end := "ExecStart="+u.spec.Start[0].Path, after(u.spec.RuntimeMax)
	u.petted = time.Now()
	for {
		happened := u.until(u.nextCheck(end), 0, func() bool { return u.main.exited || u.stopping || u.reload })
		switch {
		case u.main.exited:
			if u.mainEnded(what, true) && u.spec.RemainAfter && !u.stopping {
				u.remain()
			}
			return
		case u.stopping:
			return
		case u.reload:
			u.runReload()
		case happened:
		case !end.IsZero() && !time.Now().Before(end):
			u.fail("timeout", "%s ran for longer than RuntimeMaxSec=%s", what, u.spec.RuntimeMax)
			return
		case !time.Now().Before(u.petted.Add(u.spec.Watchdog)):
			u.fail("watchdog", "%s gave no sign of life for %s", what, u.spec.Watchdog)
			u.signal([]int{u.main.pid}, u.spec.WatchdogSignal)
			return
		}
	}
}

// nextCheck gives when a running unit has to be looked at: at the end of its
// time, or when the watchdog would bark if nobody pets it meanwhile.
func (u *unit) nextCheck(end time.Time) time.Time {
	if u.spec.Watchdog <= 0 {
		return end
	}
	if bark := u.petted.Add(u.spec.Watchdog); end.IsZero() || bark.Before(end) {
		return bark
	}
	return end
}

// remain is the life of a unit that stays active without a process.
func (u *unit) remain() {
	u.set("active", "exited")
	for !u.stopping {
		u.until(time.Time{}, 0, func() bool { return u.stopping || u.reload })
		if u.reload {
			u.runReload()
		}
	}
}

// runReload runs ExecReload=. A failure leaves the unit as it is.
func (u *unit) runReload() {
	u.reload = false
	before, sub := u.status.Active, u.status.Sub
	u.set("reloading", "reload")
	failed := ""
	for _, c := range u.spec.Reload {
		p, err := u.spawn(c, u.mainEnvironment())
		if err != nil {
			failed = "ExecReload=" + c.Path + " did not start: " + err.Error()
			break
		}
		ended := u.until(after(u.spec.TimeoutStart), 0, func() bool { return p.execed && p.exited || u.stopping })
		u.drop(p)
		code, signal := exitOf(p)
		if !ended || !p.exited || (code != 0 || signal != 0) && !p.ignore {
			u.signal([]int{p.pid}, sigKILL)
			failed = "ExecReload=" + c.Path + " failed; look at its log"
			break
		}
	}
	if failed != "" {
		u.out.note("%s", failed)
	}
	u.status.Reloads++
	u.status.Reload = failed
	u.set(before, sub)
}
