package process

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/abide-agent/abide/units/process/spec"
	"github.com/abide-agent/abide/units/process/supervisor"
)

// launch starts a supervisor with an order and waits until it has begun. It
// gives the order's name.
func (e *Engine) launch(ctx context.Context, o supervisor.Order) (string, error) {
	select {
	case e.spawns <- struct{}{}:
		defer func() { <-e.spawns }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails
	o.Launch, o.LogSize = hex.EncodeToString(id[:]), e.opts.LogSize
	name := o.Service.Name
	if err := e.layout.WriteOrder(o); err != nil {
		return "", fmt.Errorf("the order for the supervisor of %s can't be written: %w", name, err)
	}
	if err := e.fork(ctx, name); err != nil {
		return "", fmt.Errorf("the supervisor of %s did not start: %w", name, err)
	}
	// From here on it is watched.
	e.run(name)
	e.touched(name)
	return o.Launch, nil
}

// fork runs this program once more, from the file that it was itself started
// from even if that was replaced since, and hears whether it could begin.
func (e *Engine) fork(ctx context.Context, name string) error {
	answer, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer answer.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		_ = theirs.Close()
		return err
	}
	defer null.Close()
	// A panic of the supervisor ends up in the log of its unit.
	log, err := os.OpenFile(e.layout.Log(name), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		_ = theirs.Close()
		return err
	}
	defer log.Close()
	pid, err := syscall.ForkExec("/proc/self/exe", []string{os.Args[0], Subcommand, e.opts.StateDir, name}, &syscall.ProcAttr{
		Dir: "/",
		// One thread and a small heap do for what a supervisor has to do.
		Env:   []string{"GOMAXPROCS=1", "GOGC=50", "GOMEMLIMIT=32MiB"},
		Files: []uintptr{null.Fd(), null.Fd(), log.Fd(), theirs.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	_ = theirs.Close()
	if err != nil {
		return err
	}
	e.deaths.child(pid)
	stop := context.AfterFunc(ctx, func() { _ = answer.SetReadDeadline(time.Now()) })
	defer stop()
	text, err := io.ReadAll(io.LimitReader(answer, 4096))
	switch why := strings.TrimSpace(string(text)); {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case why != "":
		e.deaths.reapNow()
		return errors.New(why)
	}
	return nil
}

// order makes the order for a new run of a unit.
func (e *Engine) order(c spec.Compiled, meaning string) supervisor.Order {
	o := supervisor.Order{Service: c.Service, Meaning: meaning}
	names := []string{"LANG"}
	if os.Geteuid() != 0 { // as for the services of a user's own systemd
		names = append(names, "HOME", "USER", "LOGNAME", "SHELL", "XDG_RUNTIME_DIR")
	}
	for _, name := range append(names, c.Service.Pass...) {
		if value, ok := e.opts.LookupEnv(name); ok {
			o.Environ = append(o.Environ, name+"="+value)
		}
	}
	return o
}

// rescueAgain is how soon the supervisor of one unit is replaced again.
const rescueAgain = time.Second

// rescue replaces a supervisor that was killed by one that goes on with its
// unit. Somebody at work on the unit does that himself.
func (e *Engine) rescue(name string) {
	// Whoever works on the unit may be waiting for the start that died with its
	// supervisor, and leaves the rescue to us when he sees that.
	unlock, err := e.locks.take(e.ctx, name)
	if err != nil {
		return
	}
	defer unlock()
	_ = e.adopt(e.ctx, name)
}

// adopt makes sure that a unit which is running has a supervisor. The unit's
// lock must be held.
func (e *Engine) adopt(ctx context.Context, name string) error {
	r := e.run(name)
	if r.kind != abandoned {
		return nil
	}
	e.mu.Lock()
	pause := rescueAgain - time.Since(e.adopted[name])
	e.mu.Unlock()
	if err := sleep(ctx, pause); err != nil {
		return err
	}
	o, err := e.layout.ReadOrder(name)
	if err != nil {
		return fmt.Errorf("the supervisor of %s was killed, and what it was told can't be read: %w; end the unit's processes by hand", name, err)
	}
	o.Adopt = &r.Status
	e.mu.Lock()
	e.adopted[name] = time.Now()
	e.mu.Unlock()
	_, err = e.launch(ctx, o)
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// signal tells a supervisor something. It says whether there was one.
func signal(p supervisor.Process, sig syscall.Signal) bool {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		// A kernel without pidfds leaves the moment between the two calls.
		return p.Alive() && syscall.Kill(p.PID, sig) == nil
	}
	defer func() { _ = unix.Close(fd) }()
	return p.Alive() && unix.PidfdSendSignal(fd, sig, nil, 0) == nil
}
