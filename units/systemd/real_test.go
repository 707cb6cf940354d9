package systemd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"go.uber.org/goleak"

	"github.com/abide-agent/abide/units"
)

// testReal is what only this engine promises.
func testReal(t *testing.T) {
	for name, run := range map[string]func(*testing.T){
		"reloads":                  testReloads,
		"quiet where all is well":  testQuiet,
		"a removed unit is gone":   testLingering,
		"names in quick order":     testQuickNames,
		"a unit of the vendor":     testVendor,
		"more jobs than it bears":  testManyJobs,
		"masked elsewhere":         testMaskedElsewhere,
		"acts of others":           testOthers,
		"false condition":          testSkipped,
		"a link of somebody else":  testForeignLink,
		"killed and started again": testKilledAgent,
		"the bus is restarted":     testBusRestart,
		"systemd executes itself":  testReexec,
	} {
		t.Run(name, run)
	}
}

const sleeper = "[Service]\nExecStart=/bin/sleep 1d\n"

func launched(name, text string) units.Target {
	return units.Target{Name: name, Want: units.Launched, Text: []byte(text), Restart: true, Digest: units.Content([]byte(text), nil), Source: "test"}
}

// apply converges a batch that must succeed.
func apply(t *testing.T, e *Engine, batch ...units.Target) map[string]units.Result {
	t.Helper()
	out := converge(t, e, time.Minute, batch...)
	for name, r := range out {
		if r.Err != nil {
			t.Fatalf("%s: %v", name, r.Err)
		}
	}
	return out
}

func converge(t *testing.T, e *Engine, wait time.Duration, batch ...units.Target) map[string]units.Result {
	t.Helper()
	out := map[string]units.Result{}
	e.Converge(t.Context(), batch, wait, func(target units.Target, r units.Result) { out[target.Name] = r })
	return out
}

// opened gives an engine of the test's own that takes its units away.
func opened(t *testing.T, dir string) *Engine {
	t.Helper()
	e := open(t, dir)
	t.Cleanup(func() {
		var batch []units.Target
		for _, name := range e.memory.names() {
			batch = append(batch, units.Target{Name: name, Remove: true})
		}
		e.Converge(t.Context(), batch, time.Minute, func(units.Target, units.Result) {})
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// until waits for a status.
func until(t *testing.T, e *Engine, name string, good func(units.Status) bool) {
	t.Helper()
	w := e.memory.watch()
	defer e.memory.unwatch(w)
	timer := time.NewTimer(30 * time.Second)
	defer timer.Stop()
	for {
		u, _ := e.memory.get(name)
		if good(u.status()) {
			return
		}
		select {
		case <-w.wake:
		case <-timer.C:
			t.Fatalf("%s stays %+v", name, u.status())
		}
	}
}

// calls hears what anybody asks of systemd.
type calls struct {
	ch chan *dbus.Message
}

func monitor(t *testing.T) *calls {
	t.Helper()
	conn, err := dbus.Connect("unix:path=/run/dbus/system_bus_socket")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &calls{ch: make(chan *dbus.Message, 100_000)}
	if err := conn.BusObject().Call("org.freedesktop.DBus.Monitoring.BecomeMonitor", 0, []string{"type='method_call',destination='org.freedesktop.systemd1'"}, uint32(0)).Err; err != nil {
		t.Fatal(err)
	}
	conn.Eavesdrop(c.ch)
	return c
}

// take gives the methods that were called since, without those that only read.
func (c *calls) take(t *testing.T, e *Engine) map[string]int {
	t.Helper()
	fence := fmt.Sprintf("fence-%d.service", time.Now().UnixNano())
	b, err := e.link.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = b.call(t.Context(), managerPath, manager+"GetUnit", fence)
	out := map[string]int{}
	for m := range c.ch {
		if m.Type != dbus.TypeMethodCall {
			continue
		}
		member, _ := m.Headers[dbus.FieldMember].Value().(string)
		if member == "GetUnit" && len(m.Body) == 1 && m.Body[0] == fence {
			return out
		}
		switch member {
		case "Get", "GetAll", "GetUnit", "ListUnits", "Ping", "Subscribe":
		default:
			out[member]++
		}
	}
	return out
}

func testReloads(t *testing.T) {
	e := opened(t, t.TempDir())
	m := monitor(t)
	var batch, changed []units.Target
	for i := range 30 {
		name := fmt.Sprintf("reload-%d.service", i)
		batch = append(batch, launched(name, sleeper))
		changed = append(changed, launched(name, sleeper+"Nice=1\n"))
	}
	apply(t, e, batch...)
	if got := m.take(t, e); !maps.Equal(got, map[string]int{"StartUnit": 30}) {
		t.Errorf("30 new units: %v", got)
	}
	apply(t, e, append(changed, launched("reload-new.service", sleeper))...)
	if got := m.take(t, e); !maps.Equal(got, map[string]int{"Reload": 1, "RestartUnit": 30, "StartUnit": 1}) {
		t.Errorf("30 changed units and a new one: %v", got)
	}
	one := launched("reload-1.service", sleeper+"Nice=1\n[X-Fleet]\nGlobal=true\n")
	one.Restart = false
	apply(t, e, one)
	if got := m.take(t, e); !maps.Equal(got, map[string]int{"Reload": 1}) {
		t.Errorf("a change that systemd never reads: %v", got)
	}
	var gone []units.Target
	for _, u := range batch {
		gone = append(gone, units.Target{Name: u.Name, Remove: true})
	}
	apply(t, e, gone...)
	if got := m.take(t, e); !maps.Equal(got, map[string]int{"StopUnit": 30}) {
		t.Errorf("30 removed units: %v", got)
	}
}

// testQuiet: on a converged machine nothing is asked that changes anything, and
// what is only looked at isn't asked either.
func testQuiet(t *testing.T) {
	dir := t.TempDir()
	e := opened(t, dir)
	var batch []units.Target
	for i := range 50 {
		batch = append(batch, launched(fmt.Sprintf("quiet-%d.service", i), sleeper+"[Install]\nWantedBy=multi-user.target\n"))
	}
	batch = append(batch, launched("quiet-once.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n"), launched("quiet-t@.service", sleeper))
	apply(t, e, batch...)
	m := monitor(t)
	apply(t, e, batch...)
	for range 3 {
		if _, err := e.States(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.take(t, e); len(got) != 0 {
		t.Errorf("a converged machine: %v", got)
	}
}

// testLingering: a removed unit that another one speaks of stays in systemd's
// memory until that reads its files again.
func testLingering(t *testing.T) {
	e := opened(t, t.TempDir())
	apply(t, e, launched("linger-a.service", sleeper), launched("linger-b.service", "[Unit]\nAfter=linger-a.service\n"+sleeper))
	apply(t, e, units.Target{Name: "linger-a.service", Remove: true})
	if got := show(t, "linger-a.service", "LoadState"); got != "not-found" {
		t.Errorf("a removed unit is %s", got)
	}
	apply(t, e, launched("linger-a.service", sleeper+"Nice=3\n"))
	if got := show(t, "linger-a.service", "Nice"); got != "3" {
		t.Errorf("placed again it has Nice=%s", got)
	}
}

func show(t *testing.T, name, property string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "systemctl", "show", name, "--value", "-p", property).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// testQuickNames: systemd goes by the time of the directory to find new names.
func testQuickNames(t *testing.T) {
	e := opened(t, t.TempDir())
	for i := range 60 {
		target := launched(fmt.Sprintf("quick-%d.service", i), "[Service]\nType=oneshot\nExecStart=/bin/true\n")
		if i%2 == 0 {
			target.Want = units.Loaded
		}
		apply(t, e, target)
	}
}

// testManyJobs: 512 jobs of one client at a time would cost systemd its
// connection to the bus.
func testManyJobs(t *testing.T) {
	e := opened(t, t.TempDir())
	b, err := e.link.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var batch []units.Target
	for i := range 700 {
		batch = append(batch, launched(fmt.Sprintf("slow-%d.service", i), "[Service]\nType=oneshot\nExecStart=/bin/sleep 5\n"))
	}
	apply(t, e, batch...)
	select {
	case <-b.lost():
		t.Error("the connection was lost")
	default:
	}
}

func testVendor(t *testing.T) {
	const name = "vendor.service"
	vendor := filepath.Join("/usr/lib/systemd/system", name)
	if err := os.WriteFile(vendor, []byte("[Service]\nExecStart=/bin/sleep 2d\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(vendor) })
	systemctl(t, "start", name)
	e := opened(t, t.TempDir())
	apply(t, e, launched(name, sleeper))
	if pid := show(t, name, "MainPID"); !strings.Contains(cmdline(pid), "1d") {
		t.Errorf("it still runs %q", cmdline(pid))
	}
}

func cmdline(pid string) string {
	text, _ := os.ReadFile("/proc/" + pid + "/cmdline")
	return strings.ReplaceAll(string(text), "\x00", " ")
}

func systemctl(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "systemctl", args...).CombinedOutput(); err != nil {
		t.Fatalf("systemctl %v: %v: %s", args, err, out)
	}
}

func testMaskedElsewhere(t *testing.T) {
	const name = "elsewhere.service"
	e, err := New(Options{StateDir: t.TempDir(), Dir: "/run/systemd/system", Runtime: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	target := launched(name, sleeper+"[Install]\nWantedBy=multi-user.target\n")
	if r := apply(t, e, target)[name]; !r.Status.Enabled {
		t.Errorf("it is not enabled: %+v", r.Status)
	}
	if _, err := os.Lstat("/run/systemd/system/multi-user.target.wants/" + name); err != nil {
		t.Error(err)
	}
	systemctl(t, "mask", name)
	if states, err := e.States(t.Context(), true); err != nil || !states[name].Masked {
		t.Errorf("a masked unit is %+v (%v)", states[name], err)
	}
	r := apply(t, e, target)[name]
	if r.Status.Masked || !slices.Contains(r.Did, "unmasked") {
		t.Errorf("put right it is %+v", r)
	}
	apply(t, e, units.Target{Name: name, Remove: true})
	systemctl(t, "mask", "other.service")
	defer systemctl(t, "unmask", "other.service")
	if r := converge(t, e, time.Minute, launched("other.service", sleeper))["other.service"]; r.Err == nil || !strings.Contains(r.Err.Error(), "masked") {
		t.Errorf("a unit that somebody else masked gives %v", r.Err)
	}
}

func testOthers(t *testing.T) {
	const name = "others.service"
	e := opened(t, t.TempDir())
	target := launched(name, "[Service]\nExecStart=/bin/sleep 1d\nExecStop=/bin/sleep 1\n[Install]\nWantedBy=multi-user.target\n")
	apply(t, e, target)
	go func() { _ = exec.Command("systemctl", "stop", name).Run() }()
	until(t, e, name, func(s units.Status) bool { return s.Job == "stop" })
	until(t, e, name, func(s units.Status) bool { return s.State() == units.Loaded && s.Job == "" })
	systemctl(t, "disable", name)
	until(t, e, name, func(s units.Status) bool { return s.Disabled })
	r := apply(t, e, target)[name]
	if !slices.Equal(r.Did, []string{"enabled", "started"}) {
		t.Errorf("put right by %q", r.Did)
	}
	if err := os.WriteFile("/etc/systemd/system/"+name, []byte(sleeper), 0o644); err != nil {
		t.Fatal(err)
	}
	until(t, e, name, func(s units.Status) bool { return s.Outdated })
	systemctl(t, "daemon-reload")
	until(t, e, name, func(s units.Status) bool { return !s.Outdated })
	systemctl(t, "restart", name) // now it runs what somebody wrote there
	before := show(t, name, "MainPID")
	until(t, e, name, func(s units.Status) bool { return fmt.Sprint(s.PID) == before })
	r = apply(t, e, target)[name]
	if fmt.Sprint(r.Status.PID) == before {
		t.Error("it still runs what somebody wrote there")
	}
}

func testForeignLink(t *testing.T) {
	e := opened(t, t.TempDir())
	const alias = "/etc/systemd/system/abide-alias.service"
	if err := os.Symlink("/usr/lib/systemd/system/systemd-logind.service", alias); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(alias)
	r := converge(t, e, time.Minute, launched("aliased.service", sleeper+"[Install]\nAlias=abide-alias.service\n"))["aliased.service"]
	if r.Err == nil || !strings.Contains(r.Err.Error(), "[Install]") || r.Status.State() != units.Launched {
		t.Errorf("an alias that is taken gives %v, %+v", r.Err, r.Status)
	}
	if to, _ := os.Readlink(alias); to != "/usr/lib/systemd/system/systemd-logind.service" {
		t.Errorf("the link became %s", to)
	}
}

// crashEnv makes this binary an agent that launches units and is then killed.
const crashEnv = "ABIDE_TEST_CRASH"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashEnv); dir != "" {
		crashAgent(dir)
	}
	goleak.VerifyTestMain(m)
}

func crashBatch() (batch []units.Target) {
	for i := range 100 {
		batch = append(batch, launched(fmt.Sprintf("crash-%d.service", i), sleeper))
	}
	return batch
}

func crashAgent(dir string) {
	e, err := New(Options{StateDir: dir})
	if err != nil {
		panic(err)
	}
	reports := 0
	e.Converge(context.Background(), crashBatch(), time.Minute, func(units.Target, units.Result) {
		if reports++; reports == 40 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	})
}

// testKilledAgent: an agent that is killed half way leaves nothing that the next
// one doesn't know, and what runs goes on running.
func testKilledAgent(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashEnv+"="+dir)
	if err := cmd.Run(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the agent ended with %v", err)
	}
	e := opened(t, dir)
	states, err := e.States(t.Context(), true)
	if err != nil || len(states) != 100 {
		t.Fatalf("%d units are known (%v)", len(states), err)
	}
	running := map[string]int{}
	for name, s := range states {
		if s.State() == units.Launched {
			running[name] = s.PID
		}
	}
	if len(running) < 40 {
		t.Errorf("%d units run", len(running))
	}
	out := apply(t, e, crashBatch()...)
	for name, pid := range running {
		if out[name].Status.PID != pid {
			t.Errorf("%s was restarted", name)
		}
	}
	for name, r := range out {
		if r.Status.State() != units.Launched {
			t.Errorf("%s is %+v", name, r.Status)
		}
	}
}

func testBusRestart(t *testing.T) {
	e := opened(t, t.TempDir())
	slow := launched("slow-start.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 3\n")
	before := apply(t, e, launched("bus-a.service", sleeper))["bus-a.service"]
	waited := make(chan units.Result, 1)
	go func() {
		e.Converge(t.Context(), []units.Target{slow}, time.Minute, func(_ units.Target, r units.Result) { waited <- r })
	}()
	until(t, e, slow.Name, func(s units.Status) bool { return s.Job == "start" })
	systemctl(t, "restart", "dbus.service")
	began := time.Now()
	if r := converge(t, e, time.Minute, launched("bus-b.service", sleeper))["bus-b.service"]; r.Err != nil {
		t.Errorf("after a restart of the bus: %v", r.Err)
	}
	took := time.Since(began)
	t.Logf("managing again %v after the bus came back", took)
	if took > time.Second {
		t.Errorf("that took %v", took)
	}
	if r := <-waited; r.Err != nil || r.Status.State() != units.Launched {
		t.Errorf("a start that was under way meanwhile: %v %+v", r.Err, r.Status)
	}
	if s := apply(t, e, launched("bus-a.service", sleeper))["bus-a.service"].Status; s.PID != before.Status.PID {
		t.Error("a unit was restarted")
	}
	if err := syscall.Kill(before.Status.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, e, "bus-a.service", func(s units.Status) bool { return s.Active == "failed" })
}

func testReexec(t *testing.T) {
	e := opened(t, t.TempDir())
	pid := apply(t, e, launched("reexec.service", sleeper))["reexec.service"].Status.PID
	systemctl(t, "daemon-reexec")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, e, "reexec.service", func(s units.Status) bool { return s.Active == "failed" })
	apply(t, e, launched("reexec.service", sleeper))
}

// rebootPhase runs before and after a reboot: the units are up by themselves
// after it, and the next agent knows them.
func rebootPhase(t *testing.T) {
	const dir = "/var/lib/abide-reboot"
	_, err := os.Stat(dir)
	again := err == nil
	e := open(t, dir)
	defer e.Close()
	up := launched("up.service", sleeper+"[Install]\nWantedBy=multi-user.target\n")
	once := launched("once.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo x >>/root/ran'\n")
	r := apply(t, e, up, once)
	if !again {
		return
	}
	if len(r[up.Name].Did) != 0 || r[up.Name].Status.PID == 0 {
		t.Errorf("a unit that came up by itself: %+v", r[up.Name])
	}
	if text, _ := os.ReadFile("/root/ran"); string(text) != "x\nx\n" {
		t.Errorf("a one-shot ran %q; it is launched once in each boot", text)
	}
	if _, err := os.Stat("/etc/systemd/system/up.service"); errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
