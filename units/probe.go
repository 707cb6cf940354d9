package units

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// The window of a probe: how long a started unit may take to be well.
const (
	defaultWindow = 30 * time.Second
	maxWindow     = time.Hour
)

// parseProbe reads `http://…`, `tcp://HOST:PORT` or `exec:/PROGRAM ARGS…`.
func parseProbe(value string) (*Probe, error) {
	if rest, ok := cutKind(value, "exec"); ok || strings.HasPrefix(value, "/") {
		return execProbe(rest)
	}
	if rest, ok := cutKind(value, "tcp"); ok {
		return tcpProbe(strings.TrimPrefix(rest, "//"))
	}
	if strings.HasPrefix(value, "http://") || strings.HasPrefix(value, "https://") {
		return httpProbe(value)
	}
	return nil, errors.New("is neither an http://, a tcp:// nor an exec: probe")
}

// cutKind cuts `kind:` or `kind ` off, and gives the whole value when it isn't there.
func cutKind(value, kind string) (string, bool) {
	rest, ok := strings.CutPrefix(value, kind)
	if !ok || rest == "" || rest[0] != ':' && rest[0] != ' ' {
		return value, false
	}
	return strings.TrimSpace(rest[1:]), true
}

func execProbe(command string) (*Probe, error) {
	argv, err := words(command, true)
	switch {
	case err != nil:
		return nil, err
	case len(argv) == 0 || !path.IsAbs(argv[0]):
		return nil, errors.New("does not name a program by its absolute path")
	}
	return &Probe{Exec: argv, Window: defaultWindow}, nil
}

func tcpProbe(address string) (*Probe, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errors.New("does not give host and port")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return nil, fmt.Errorf("has the port %s, which is not one from 1 to 65535", clip(port))
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return &Probe{TCP: net.JoinHostPort(host, port), Window: defaultWindow}, nil
}

func httpProbe(address string) (*Probe, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "":
		return nil, errors.New("is not a URL with a host")
	case u.User != nil:
		return nil, errors.New("holds credentials, which don't belong into a unit file")
	}
	return &Probe{HTTP: address, Window: defaultWindow}, nil
}

// spanUnits are those of systemd.time(7) that make sense for a window.
var spanUnits = map[string]time.Duration{
	"": time.Second, "ms": time.Millisecond, "msec": time.Millisecond,
	"s": time.Second, "sec": time.Second, "second": time.Second, "seconds": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hour": time.Hour, "hours": time.Hour,
}

// parseWindow reads a time span as systemd writes them: `90`, `1min 30s`, `1m30s`.
func parseWindow(value string) (time.Duration, error) {
	const digits = "0123456789."
	var sum time.Duration
	rest := strings.TrimSpace(value)
	if rest == "" {
		return 0, errors.New("is empty")
	}
	for rest != "" {
		number := rest[:len(rest)-len(strings.TrimLeft(rest, digits))]
		rest = strings.TrimLeft(rest[len(number):], blanks)
		unit := rest
		if i := strings.IndexAny(rest, digits+blanks); i >= 0 {
			unit = rest[:i]
		}
		rest = strings.TrimLeft(rest[len(unit):], blanks)
		n, err := strconv.ParseFloat(number, 64)
		scale, ok := spanUnits[unit]
		if err != nil || !ok || n > float64(maxWindow/scale) {
			return 0, fmt.Errorf("is not a time span of at most %s", maxWindow)
		}
		sum += time.Duration(n * float64(scale))
	}
	if sum <= 0 || sum > maxWindow {
		return 0, fmt.Errorf("is not a time span of at most %s", maxWindow)
	}
	return sum, nil
}
