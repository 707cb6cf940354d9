package process

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/abide-agent/abide/units"
)

func TestFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opts.Settle = patience // each of them fails
	e := w.open()
	t.Cleanup(func() { e.Close() })
	for name, tc := range map[string]struct {
		lines  []string
		want   string // in the error
		result string
		log    string
	}{
		"missing":    {[]string{"ExecStart=/no/such/program"}, "/no/such/program can't be executed: no such file or directory", "exit-code", "abide: "},
		"lookup":     {[]string{"ExecStart=no-such-program"}, "it is in none of", "exit-code", ""},
		"quick":      {[]string{"ExecStart=/bin/sh -c 'echo oops; exit 7'"}, "exited with 7", "exit-code", "oops"},
		"pre":        {[]string{"ExecStartPre=/bin/sh -c 'echo no; exit 3'", "ExecStart=/bin/sleep 1000"}, "ExecStartPre=/bin/sh exited with 3", "exit-code", "no"},
		"post":       {[]string{"ExecStart=/bin/sleep 1000", "ExecStartPost=/bin/false"}, "ExecStartPost=/bin/false exited with 1", "exit-code", ""},
		"oneshot":    {[]string{"Type=oneshot", "ExecStart=/bin/true", "ExecStart=/bin/sh -c 'exit 9'"}, "exited with 9", "exit-code", ""},
		"signal":     {[]string{"Type=oneshot", "ExecStart=/bin/sh -c 'kill -9 $$$$'"}, "signal 9", "signal", ""},
		"timeout":    {[]string{"ExecStartPre=/bin/sleep 1000", "ExecStart=/bin/true", "TimeoutStartSec=100ms"}, "within 100ms", "timeout", ""},
		"user":       {[]string{"ExecStart=/bin/true", "User=no-such-user"}, "User=no-such-user", "resources", ""},
		"env-file":   {[]string{"ExecStart=/bin/true", "EnvironmentFile=/no/such/file"}, "EnvironmentFile=/no/such/file can't be read", "resources", ""},
		"directory":  {[]string{"ExecStart=/bin/true", "WorkingDirectory=/no/such/dir"}, "WorkingDirectory=/no/such/dir can't be entered", "exit-code", ""},
		"notify":     {[]string{"Type=notify", "ExecStart=/bin/true"}, "before it said READY=1", "protocol", ""},
		"start-loop": {[]string{"ExecStart=/bin/false", "Restart=always", "RestartSec=1ms", "StartLimitBurst=3"}, "restarted", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			unit := name + ".service"
			r := one(t, e, service(unit, tc.lines...), patience)
			if r.Err == nil || !strings.Contains(r.Err.Error(), tc.want) {
				t.Fatalf("error %v, want one with %q; %+v", r.Err, tc.want, r.Status)
			}
			if tc.result == "" {
				return
			}
			if r.Status.Active != "failed" || r.Status.Result != tc.result || r.Status.State() != units.Loaded {
				t.Errorf("status %+v", r.Status)
			}
			if !strings.Contains(strings.Join(r.Log, "\n"), tc.log) {
				t.Errorf("log %q, want %q in it", r.Log, tc.log)
			}
		})
	}
	t.Run("restarts until the limit", func(t *testing.T) {
		t.Parallel()
		tg := service("limit.service", "ExecStart=/bin/sh -c 'echo ran; exit 1'", "Restart=on-failure", "RestartSec=1ms")
		tg.Text = append(tg.Text, "[Unit]\nStartLimitBurst=3\nStartLimitIntervalSec=1min\n"...)
		tg.Digest = units.Content(tg.Text, nil)
		one(t, e, tg, patience)
		s := until(t, e, "limit.service", "given up", func(s units.Status) bool { return s.Active == "failed" })
		log, _ := e.Journal(t.Context(), "limit.service", 50)
		if s.Result != "start-limit-hit" || strings.Count(strings.Join(log, "\n"), "ran\n") != 3 {
			t.Errorf("%+v, %q", s, log)
		}
	})
}

func TestNotSupported(t *testing.T) {
	t.Parallel()
	e := engine(t)
	for name, tg := range map[string]units.Target{
		"Type=forking":       service("a.service", "Type=forking", "ExecStart=/bin/true"),
		"PrivateTmp=yes":     service("a.service", "PrivateTmp=yes", "ExecStart=/bin/true"),
		"MemoryMax=1G":       service("a.service", "MemoryMax=1G", "ExecStart=/bin/true"),
		"Requires=a.socket":  target("a.service", "[Unit]", "Requires=a.socket", "[Service]", "ExecStart=/bin/true"),
		"socket":             target("a.socket", "[Socket]", "ListenStream=1"),
		"timer":              target("a.timer", "[Timer]", "OnCalendar=daily"),
		"StandardOutput=tty": service("a.service", "StandardOutput=tty", "ExecStart=/bin/true"),
	} {
		r := one(t, e, tg, patience)
		if !errors.Is(r.Err, units.ErrNotSupported) || !strings.Contains(r.Err.Error(), name) {
			t.Errorf("%s: error %v", name, r.Err)
		}
	}
	all, err := e.States(t.Context(), true)
	for name, s := range all { // placed, so that it can be seen
		if s.Load != "bad-setting" || s.State() != units.Loaded || !s.Since.IsZero() {
			t.Errorf("%s is %+v", name, s)
		}
	}
	if len(all) != 3 || err != nil {
		t.Errorf("placed was %v, %v", all, err)
	}
	// One that runs is not touched by a change that can't be honoured.
	r := must(t, e, service("b.service", "ExecStart=/bin/sleep 1000"))
	if r := one(t, e, service("b.service", "ExecStart=/bin/sleep 1000", "DynamicUser=yes"), patience); !errors.Is(r.Err, units.ErrNotSupported) {
		t.Error(r.Err)
	}
	if now := status(t, e, "b.service"); now.PID != r.Status.PID || now.Digest != r.Status.Digest {
		t.Errorf("before %+v, now %+v", r.Status, now)
	}
	ignored, err := Check("c.service", []byte("[Unit]\nDescription=x\n[Service]\nCPUWeight=5\nPrivateTmp=no\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"), nil)
	if want := "Install/WantedBy Service/CPUWeight Service/PrivateTmp Unit/Description"; err != nil || strings.Join(ignored, " ") != want {
		t.Errorf("ignored %q, %v", ignored, err)
	}
}

func TestRestarts(t *testing.T) {
	t.Parallel()
	e := engine(t)
	kill := func(t *testing.T, name string, sig syscall.Signal) units.Status {
		t.Helper()
		before := status(t, e, name)
		if err := syscall.Kill(before.PID, sig); err != nil {
			t.Fatal(err)
		}
		return before
	}
	t.Run("always", func(t *testing.T) {
		t.Parallel()
		must(t, e, service("always.service", "ExecStart=/bin/sleep 1000", "Restart=always", "RestartSec=1ms"))
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
			before := kill(t, "always.service", sig)
			until(t, e, "always.service", "up again", func(s units.Status) bool { return s.Active == "active" && s.PID != before.PID })
		}
	})
	t.Run("no", func(t *testing.T) {
		t.Parallel()
		must(t, e, service("no.service", "ExecStart=/bin/sleep 1000"))
		kill(t, "no.service", syscall.SIGKILL)
		s := until(t, e, "no.service", "failed", func(s units.Status) bool { return s.Active == "failed" })
		if s.Result != "signal" || s.State() != units.Loaded {
			t.Errorf("%+v", s)
		}
		// The same wish starts it again.
		if r := must(t, e, service("no.service", "ExecStart=/bin/sleep 1000")); r.Status.Active != "active" {
			t.Errorf("%+v", r.Status)
		}
	})
	t.Run("clean exit on-failure", func(t *testing.T) {
		t.Parallel()
		must(t, e, service("clean.service", "ExecStart=/bin/sleep 1000", "Restart=on-failure"))
		kill(t, "clean.service", syscall.SIGTERM)
		s := until(t, e, "clean.service", "down", func(s units.Status) bool { return s.Active == "inactive" })
		if s.Result != "success" {
			t.Errorf("%+v", s)
		}
	})
}

func TestOneShot(t *testing.T) {
	t.Parallel()
	e := engine(t)
	dir := t.TempDir()
	count := filepath.Join(dir, "count")
	tg := service("once.service", "Type=oneshot", "ExecStart=/bin/sh -c 'echo x >> "+count+"'")
	for range 2 {
		if r := must(t, e, tg); r.Status.State() != units.Launched || r.Status.Active != "inactive" {
			t.Errorf("%+v", r.Status)
		}
	}
	remain := service("once.service", "Type=oneshot", "RemainAfterExit=yes", "ExecStart=/bin/sh -c 'echo x >> "+count+"'", "ExecStop=/bin/sh -c 'echo stop >> "+count+"'")
	if r := must(t, e, remain); r.Status.State() != units.Launched || r.Status.Sub != "exited" {
		t.Errorf("%+v", r.Status)
	}
	if err := e.Stop(t.Context(), "once.service"); err != nil {
		t.Error(err)
	}
	if text, _ := os.ReadFile(count); string(text) != "x\nx\nstop\n" {
		t.Errorf("it ran as %q", text)
	}
	tg.Want = units.Loaded
	if r := must(t, e, tg); r.Status.State() != units.Loaded {
		t.Errorf("loaded: %+v", r.Status)
	}
}

func TestBusy(t *testing.T) {
	t.Parallel()
	e := engine(t)
	gate := filepath.Join(t.TempDir(), "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	slow := service("slow.service", "Type=oneshot", "RemainAfterExit=yes", "ExecStart=/bin/sh -c 'read x < "+gate+"'")
	after := target("after.service", "[Unit]", "After=slow.service", "[Service]", "ExecStart=/bin/sleep 1000")
	begin := time.Now()
	out := converge(t, e, []units.Target{slow, after, service("quick.service", "ExecStart=/bin/sleep 1000")}, 2*time.Second)
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	if !errors.Is(out["slow.service"].Err, units.ErrBusy) || !errors.Is(out["after.service"].Err, units.ErrBusy) || out["quick.service"].Err != nil {
		t.Errorf("slow %v, after %v, quick %v", out["slow.service"].Err, out["after.service"].Err, out["quick.service"].Err)
	}
	if err := os.WriteFile(gate, []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	until(t, e, "slow.service", "done", func(s units.Status) bool { return s.Sub == "exited" })
	until(t, e, "after.service", "started", func(s units.Status) bool { return s.Sub == "running" })
}
