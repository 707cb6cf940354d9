package spec

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	sigTERM = int(syscall.SIGTERM)
	sigKILL = int(syscall.SIGKILL)
	sigABRT = int(syscall.SIGABRT)

	defaultTimeout  = 90 * time.Second
	defaultInterval = 10 * time.Second
	defaultRestart  = 100 * time.Millisecond
)

// ParseBool reads a boolean as systemd does.
func ParseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "1", "yes", "y", "true", "t", "on":
		return true, nil
	case "0", "no", "n", "false", "f", "off":
		return false, nil
	}
	return false, errors.New("it is no truth value; write yes or no")
}

var spans = map[string]float64{
	"": float64(time.Second), "s": float64(time.Second), "sec": float64(time.Second), "second": float64(time.Second), "seconds": float64(time.Second),
	"ms": float64(time.Millisecond), "msec": float64(time.Millisecond),
	"us": float64(time.Microsecond), "usec": float64(time.Microsecond), "µs": float64(time.Microsecond),
	"m": float64(time.Minute), "min": float64(time.Minute), "minute": float64(time.Minute), "minutes": float64(time.Minute),
	"h": float64(time.Hour), "hr": float64(time.Hour), "hour": float64(time.Hour), "hours": float64(time.Hour),
	"d": float64(24 * time.Hour), "day": float64(24 * time.Hour), "days": float64(24 * time.Hour),
	"w": float64(7 * 24 * time.Hour), "week": float64(7 * 24 * time.Hour), "weeks": float64(7 * 24 * time.Hour),
}

// ParseSpan reads a time span (systemd.time(7)) such as "1min 30s", "2.5" or
// "infinity", which gives 0, as for none.
func ParseSpan(s string) (time.Duration, error) {
	bad := errors.New("it is no time span; write it as in 90, 1min 30s or infinity")
	s = strings.TrimSpace(s)
	if s == "infinity" {
		return 0, nil
	}
	if s == "" {
		return 0, bad
	}
	var total float64
	for s != "" {
		n := strings.IndexFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if n < 0 {
			n = len(s)
		}
		number, err := strconv.ParseFloat(s[:n], 64)
		if err != nil {
			return 0, bad
		}
		s = strings.TrimLeft(s[n:], blanks)
		n = strings.IndexAny(s, "0123456789. \t")
		if n < 0 {
			n = len(s)
		}
		unit, ok := spans[s[:n]]
		if !ok {
			return 0, bad
		}
		total += number * unit
		s = strings.TrimLeft(s[n:], blanks)
	}
	if total > math.MaxInt64/4 {
		return 0, nil // longer than anybody waits
	}
	return time.Duration(total), nil
}

// ParseSignal reads the name of a signal, with or without SIG, or its number.
func ParseSignal(s string) (int, error) {
	name := strings.ToUpper(strings.TrimSpace(s))
	if n, err := strconv.Atoi(name); err == nil && n > 0 && n <= 64 {
		return n, nil
	}
	name = "SIG" + strings.TrimPrefix(name, "SIG")
	if n := unix.SignalNum(name); n > 0 {
		return int(n), nil
	}
	for prefix, base := range map[string]int{"SIGRTMIN": 34, "SIGRTMAX": 64} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			if rest == "" {
				return base, nil
			}
			if n, err := strconv.Atoi(rest); err == nil && base+n >= 34 && base+n <= 64 {
				return base + n, nil
			}
		}
	}
	return 0, errors.New("it is no signal; write a name such as SIGTERM or a number")
}

// exitNames are the names of exit codes that mean the same to everybody
// (systemd.exec(5), "Process Exit Codes").
var exitNames = map[string]int{
	"SUCCESS": 0, "FAILURE": 1, "INVALIDARGUMENT": 2, "NOTIMPLEMENTED": 3, "NOPERMISSION": 4, "NOTINSTALLED": 5, "NOTCONFIGURED": 6, "NOTRUNNING": 7,
	"USAGE": 64, "DATAERR": 65, "NOINPUT": 66, "NOUSER": 67, "NOHOST": 68, "UNAVAILABLE": 69, "SOFTWARE": 70, "OSERR": 71, "OSFILE": 72,
	"CANTCREAT": 73, "IOERR": 74, "TEMPFAIL": 75, "PROTOCOL": 76, "NOPERM": 77, "CONFIG": 78,
	"CHDIR": 200, "NICE": 201, "EXEC": 203, "LIMITS": 205, "STDIN": 208, "STDOUT": 209, "GROUP": 216, "USER": 217,
}

// add reads a list of exit codes and signals into the set.
func (e *Exits) add(value string) error {
	if value == "" {
		*e = Exits{}
		return nil
	}
	for word := range strings.FieldsSeq(value) {
		if n, err := strconv.Atoi(word); err == nil {
			if n < 0 || n > 255 {
				return fmt.Errorf("%s is no exit code; write one from 0 to 255", word)
			}
			e.Codes = append(e.Codes, n)
		} else if n, ok := exitNames[word]; ok {
			e.Codes = append(e.Codes, n)
		} else if n, err := ParseSignal(word); err == nil {
			e.Signals = append(e.Signals, n)
		} else {
			return fmt.Errorf("%s is no exit code and no signal; write a number from 0 to 255, or a name such as TEMPFAIL or SIGTERM", word)
		}
	}
	return nil
}

func bounded(value string, low, high int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("it is no number from %d to %d", low, high)
	}
	return n, nil
}
