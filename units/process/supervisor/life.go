package supervisor

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"syscall"
	"time"

	"github.com/abide-agent/abide/units/process/spec"
)

// run takes the unit through its starts, until it is to stay down.
func (u *unit) run() {
	if u.spec.Type == spec.Notify || u.spec.NotifyAccess != "none" {
		var err error
		if u.notify, err = openNotifier(u.order.Launch); err != nil {
			u.fail("resources", "its notification socket can't be made: %v", err)
			u.finish()
			return
		}
	}
	adopt := u.order.Adopt
	var starts []time.Time
	for {
		if adopt == nil && !u.admit(&starts) {
			break
		}
		u.cycle(adopt)
		adopt = nil
		if u.stopping || u.status.Skipped || !u.again() {
			break
		}
		u.status.Restarts++
		u.set("activating", "auto-restart")
		if u.pause(u.spec.RestartSec); u.stopping {
			u.status.Result = "success"
			break
		}
	}
	u.finish()
}

// cycle is one start with all that follows, down to the last process.
func (u *unit) cycle(adopt *Status) {
	started := true
	if adopt != nil {
		started = u.adopt(adopt)
	} else {
		u.reset()
		if !u.mayStart() {
			return
		}
		started = u.start()
	}
	up := started && (u.spec.Type != spec.OneShot || u.spec.RemainAfter)
	if up {
		u.firstStart(true)
		u.serve()
	}
	u.stop(started)
	if !up { // it is judged when nothing is left of it
		u.firstStart(started && u.status.Result == "success")
	}
}

// firstStart notes how the first start came out, once, for the agent waits for
// it. It is written with the state that follows.
func (u *unit) firstStart(started bool) {
	switch {
	case u.status.Start != "":
	case u.status.Skipped:
		u.status.Start = "skipped"
	case started:
		u.status.Start = "done"
	case u.status.Result == "success":
		u.status.Start = "stopped"
	default:
		u.status.Start = "failed"
	}
}

// finish writes the last state.
func (u *unit) finish() {
	u.firstStart(false)
	u.status.Main, u.status.Stopped = Process{}, u.stopping
	u.out.flush()
	if u.status.Result == "success" {
		u.set("inactive", "dead")
	} else {
		u.set("failed", "failed")
	}
	// Whoever reads it must be able to; nobody else will write it again.
	for range 60 {
		if !u.unsaved {
			return
		}
		u.pause(time.Second)
	}
}

// admit holds StartLimitIntervalSec= and StartLimitBurst=.
func (u *unit) admit(starts *[]time.Time) bool {
	limit, now := u.spec.StartBurst, time.Now()
	if limit == 0 || u.spec.StartInterval == 0 {
		return true
	}
	recent := (*starts)[:0]
	for _, t := range *starts {
		if now.Sub(t) < u.spec.StartInterval {
			recent = append(recent, t)
		}
	}
	*starts = append(recent, now)
	if len(recent) < limit {
		return true
	}
	u.status.Result = "success"
	u.fail("start-limit-hit", "it was started %d times within %s and ended each time, so it is left alone; mend it, then start it again", limit, u.spec.StartInterval)
	return false
}

// pause waits, or until a stop is asked for.
func (u *unit) pause(d time.Duration) {
	u.until(time.Now().Add(d), 0, func() bool { return u.stopping })
}

// again decides by Restart= (systemd.service(5), its table) whether the unit is
// started anew.
func (u *unit) again() bool {
	switch {
	case u.status.Result == "start-limit-hit" || u.spec.RestartPrevent.Matches(u.status.Exit, u.status.Signal):
		return false
	case u.spec.RestartForce.Matches(u.status.Exit, u.status.Signal):
		return true
	}
	result := u.status.Result
	abort := result == "signal" || result == "core-dump"
	switch u.spec.Restart {
	case "always":
		return true
	case "on-success":
		return result == "success"
	case "on-failure":
		return result != "success"
	case "on-abnormal":
		return result != "success" && result != "exit-code"
	case "on-abort":
		return abort
	case "on-watchdog":
		return result == "watchdog"
	}
	return false
}

// fail writes down the first thing that went wrong in this cycle, in systemd's
// word and as a sentence.
func (u *unit) fail(result, format string, args ...any) {
	if u.status.Result != "success" {
		return
	}
	u.status.Result, u.status.Error = result, fmt.Sprintf(format, args...)
	u.out.flush()
	u.out.note("%s", u.status.Error)
}

// judge says whether a process ended well, and writes down where not.
// What the main process of a daemon may die of in good order is no failure.
func (u *unit) judge(p *proc, what string, daemon bool) bool {
	clean := []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE}
	code, signal := exitOf(p)
	switch {
	case p.ignore:
		return true
	case p.unknown:
		u.fail("resources", "%s ended while nobody could see how; look at its log", what)
		return false
	case u.spec.Success.Matches(code, signal):
		return true
	case signal == 0 && code == 0:
		return true
	case signal == 0 && p.failure != "":
		u.fail("exit-code", "%s did not start: %s (exit code %d)", what, p.failure, code)
		return false
	case signal == 0:
		u.fail("exit-code", "%s exited with %d; look at its log", what, code)
		return false
	}
	for _, s := range clean {
		if daemon && int(s) == signal {
			return true
		}
	}
	word := "signal"
	if p.status.CoreDump() {
		word = "core-dump"
	}
	u.fail(word, "%s was ended by the signal %d (%s)", what, signal, syscall.Signal(signal))
	return false
}

// exitOf gives the exit code and the signal that a process ended with.
func exitOf(p *proc) (code, signal int) {
	switch {
	case p.unknown:
		return 0, 0
	case p.status.Signaled():
		return 0, int(p.status.Signal())
	}
	return p.status.ExitStatus(), 0
}

func newInvocation() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}
