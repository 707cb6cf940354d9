// Package probe knows how to ask a started unit whether it is well: over HTTP,
// by a TCP connection, or with a program. It never knows what started the unit
// nor what becomes of it.
package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/abide-agent/abide/units"
)

// The pace of a probe.
const (
	defaultWindow = 30 * time.Second // of a probe that names none
	minWindow     = time.Second      // of one that is asked late, or its own if that is less
	firstPause    = 50 * time.Millisecond
	maxPause      = time.Second
	maxAttempt    = 5 * time.Second // for one answer
	maxOutput     = 400             // bytes of a program's output that an error quotes
)

// Wait is [WaitSince] for a unit that was started just now.
func Wait(ctx context.Context, p units.Probe, alive func() error) error {
	return WaitSince(ctx, p, time.Now(), alive)
}

// WaitSince asks until the unit says that it is well, which gives nil, or until
// the probe's window is over, which gives the last reason. The window begins when
// the unit was started, so that a caller who can't wait for all of it may ask
// again; a little of it is always left. alive is asked between two attempts; its
// error ends the wait at once, since a unit that has failed won't get well. alive
// may be nil. The end of ctx gives its cause.
func WaitSince(ctx context.Context, p units.Probe, started time.Time, alive func() error) error {
	window := p.Window
	if window <= 0 {
		window = defaultWindow
	}
	left := max(window-time.Since(started), min(window, minWindow))
	within, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	pause := firstPause
	var last error
	for {
		if alive != nil {
			if err := alive(); err != nil {
				return err
			}
		}
		err := attempt(within, p)
		if err == nil {
			return nil
		}
		if within.Err() == nil || last == nil {
			last = err // an attempt that the end of the window cut short says less
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-within.Done():
			timer.Stop()
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("its probe %s did not succeed within %v: %w; see what the unit prints, or allow it more time with ProbeWindow=", describe(p), window, last)
		}
		pause = min(pause*3/2, maxPause)
	}
}

func attempt(ctx context.Context, p units.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, maxAttempt)
	defer cancel()
	switch {
	case p.HTTP != "":
		return ask(ctx, p.HTTP)
	case p.TCP != "":
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.TCP)
		if err != nil {
			return err
		}
		return conn.Close()
	case len(p.Exec) > 0:
		return run(ctx, p.Exec)
	}
	return errors.New("the probe asks for nothing")
}

// plain asks the address itself: no proxy, no redirection, no connection kept.
var plain = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func ask(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("its URL can't be read")
	}
	req.Header.Set("User-Agent", "abide-probe")
	resp, err := plain.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL, which may hold a password
		}
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 4096)
	if resp.StatusCode < 200 || resp.StatusCode > 399 {
		return fmt.Errorf("it answers %s", resp.Status)
	}
	return nil
}

// run executes a program without a shell and with nothing of the agent's
// environment, which may hold secrets.
func run(ctx context.Context, argv []string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "LANG=C.UTF-8"}
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // with what it started
	var out tail
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if text := out.String(); err != nil && text != "" {
		return fmt.Errorf("%w: %s", err, text)
	}
	return err
}

// tail keeps the end of what is written to it.
type tail struct{ text []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if len(t.text) > maxOutput {
		t.text = t.text[len(t.text)-maxOutput:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	return strings.ToValidUTF8(string(bytes.TrimSpace(t.text)), "")
}

func describe(p units.Probe) string {
	switch {
	case p.HTTP != "":
		u, err := url.Parse(p.HTTP)
		if err != nil {
			return "http"
		}
		u.User, u.RawQuery = nil, ""
		return u.String()
	case p.TCP != "":
		return "tcp://" + p.TCP
	}
	return "exec:" + strings.Join(p.Exec[:min(len(p.Exec), 1)], "")
}
