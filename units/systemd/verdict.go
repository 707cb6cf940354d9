package systemd

import (
	"errors"
	"fmt"

	"github.com/abide-agent/abide/units"
)

// errFailed wraps what is the unit's own fault: then its last lines of output
// say more.
var errFailed = errors.New("the unit failed")

// unitError is a sentence about a unit that is [errFailed].
type unitError struct{ text string }

func (e unitError) Error() string { return e.text }

func (e unitError) Is(target error) bool { return target == errFailed }

func failed(err error) bool { return errors.Is(err, errFailed) }

func fault(format string, args ...any) error { return unitError{fmt.Sprintf(format, args...)} }

// verdict puts the end of a job into a sentence, nil for a good one. result is
// systemd's word (JobRemoved); err says that there was no job.
func verdict(v verb, name, result string, err error, r running) error {
	if err != nil {
		if errors.Is(err, units.ErrBusy) {
			return fmt.Errorf("%s does not %s: %w; see `abide units journal %s` for what holds it up", name, v, err, name)
		}
		switch remote(err) {
		case "org.freedesktop.systemd1.BadUnitSetting", "org.freedesktop.systemd1.LoadFailed":
			return refused(name, err.Error())
		case "org.freedesktop.systemd1.NoSuchUnit":
			if v == stop {
				return nil
			}
		case "org.freedesktop.systemd1.OnlyByDependency":
			return fmt.Errorf("%s can't be told to %s: its file says that only other units may (RefuseManualStart=, RefuseManualStop=); take that out, or want those others", name, v)
		case "org.freedesktop.systemd1.UnitMasked":
			return fmt.Errorf("%s is masked, so systemd does not %s it; `systemctl unmask %s`", name, v, name)
		case "org.freedesktop.systemd1.TransactionIsDestructive", "org.freedesktop.systemd1.TransactionOrderIsCyclic", "org.freedesktop.systemd1.TransactionJobsConflicting":
			return fmt.Errorf("systemd can't %s %s together with what it depends on: %w; look at Conflicts=, Before= and After=", v, name, err)
		}
		return fmt.Errorf("%s did not %s: %w", name, v, sentence(err))
	}
	switch result {
	case "done", "skipped":
		return nil
	case "canceled":
		return fmt.Errorf("%s did not %s: another job took the place of this one; somebody else acts on it, or it conflicts with a unit that was started", name, v)
	case "timeout":
		return fault("%s did not %s in time (JobTimeoutSec=); allow it more, or see what holds it up", name, v)
	case "dependency":
		return fmt.Errorf("%s was not started: a unit that it requires failed; `systemctl list-dependencies %s` names them", name, name)
	case "assert":
		return fault("%s was not started: an Assert…= of its [Unit] is false", name)
	case "unsupported":
		return fault("%s was not started: systemd can't have units of this type here", name)
	}
	return fault("%s did not %s: its job ended with %q: %s; read `abide units journal %s`", name, v, result, reason(r), name)
}

// fellOver is the error of a unit that failed after it was started.
func fellOver(name string, r running) error {
	return fault("%s was started and failed at once: %s; read `abide units journal %s`", name, reason(r), name)
}

func unwell(name string, err error) error {
	if failed(err) || errors.Is(err, units.ErrBusy) || errors.Is(err, units.ErrUnavailable) {
		return err
	}
	return fault("%s runs, but is not well: %v", name, err)
}

// refused is the error of a unit whose file systemd doesn't take. What is wrong
// with which line stands in the journal.
func refused(name, why string) error {
	return fault("systemd refuses the file of %s (%s); `systemd-analyze verify %s` names the line", name, why, name)
}

// reason puts the Result of a service (systemd.service(5)) into words.
func reason(r running) string {
	switch r.result {
	case "exit-code":
		return fmt.Sprintf("its process exited with code %d%s (result exit-code)", r.exitCode(), setup(int(r.exit)))
	case "signal", "core-dump":
		return fmt.Sprintf("signal %d ended its process (result %s)", r.exit, r.result)
	case "timeout":
		return "it took longer than TimeoutStartSec= or TimeoutStopSec= allow (result timeout)"
	case "protocol":
		return "it did not do what its Type= promises (result protocol)"
	case "start-limit-hit":
		return "it was started too often in a short time, see StartLimitBurst= (result start-limit-hit)"
	case "watchdog":
		return "it did not keep its WatchdogSec= (result watchdog)"
	case "oom-kill":
		return "it ran out of memory (result oom-kill)"
	case "resources":
		return "systemd could not set it up: a file, a user or a limit of it is not there (result resources)"
	case "", "success":
		return "the unit is " + r.active + " (" + r.sub + ")"
	}
	return "its result is " + r.result
}

// setup names the exit codes that systemd itself gives a process that it could
// not start (systemd.exec(5)).
func setup(code int) string {
	names := map[int]string{200: "CHDIR", 203: "EXEC", 208: "STDIN", 209: "STDOUT", 216: "GROUP", 217: "USER", 226: "NAMESPACE", 228: "SECCOMP", 233: "RUNTIME_DIRECTORY", 238: "STATE_DIRECTORY"}
	if name := names[code]; name != "" {
		return ", " + name + ": systemd could not start it"
	}
	return ""
}
