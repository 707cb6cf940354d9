package process

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/internal/testkit/notrun"
	"github.com/abide-agent/abide/units"
)

// printed runs a one-shot and gives what it printed.
func printed(t *testing.T, e *Engine, name string, lines ...string) []string {
	t.Helper()
	must(t, e, service(name, append([]string{"Type=oneshot"}, lines...)...))
	log, err := e.Journal(t.Context(), name, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opts.LookupEnv = func(name string) (string, bool) { return "passed " + name, name == "PASS" || name == "LANG" }
	e := w.open()
	defer e.Close()
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte("# c\nB=of the file\nC='c c'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := printed(t, e, "a.service", "Environment=A=1 B=2 \"D=x y\" GONE=1", "EnvironmentFile="+file, "EnvironmentFile=-/no/such/file", "PassEnvironment=PASS NONE", "UnsetEnvironment=GONE",
		"ExecStart=/usr/bin/env", `ExecStart=/bin/sh -c 'for a; do echo "<$a>"; done' sh ${A} $C ${C} $NONE ${NONE} $$A %%`)
	slices.Sort(got)
	got = slices.DeleteFunc(got, func(line string) bool {
		return strings.HasPrefix(line, "INVOCATION_ID=") || os.Geteuid() != 0 && (strings.HasPrefix(line, "HOME=") || strings.HasPrefix(line, "USER="))
	})
	want := []string{
		"<$A>", "<%>", "<1>", "<>", "<c c>", "<c>", "<c>", "A=1", "B=of the file", "C=c c", "D=x y", "LANG=passed LANG", "PASS=passed PASS",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestProcessSettings(t *testing.T) {
	t.Parallel()
	e := engine(t)
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	got := printed(t, e, "a.service", "WorkingDirectory="+dir, "UMask=0027", "LimitNOFILE=77:88", "LimitCORE=0", "Nice=5", "OOMScoreAdjust=500", "NoNewPrivileges=yes",
		"ExecStart=/bin/sh -c 'pwd; umask; ulimit -n; ulimit -Hn; ulimit -c; nice; cat /proc/self/oom_score_adj; grep NoNewPrivs /proc/self/status'",
		`ExecStart=/bin/sh -c 'grep -E "^Sig(Ign|Blk)" /proc/self/status'`, `ExecStart=@/bin/sh another -c 'echo "$0"'`, "ExecStart=-/bin/false", "ExecStart=-/no/such/program")
	want := []string{dir, "0027", "77", "88", "0", "5", "500", "NoNewPrivs:\t1", "SigBlk:\t0000000000000000", "SigIgn:\t0000000000001000", "another"}
	for i := range got {
		got[i] = withoutLibrarySignals(got[i])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = printed(t, e, "b.service", "StandardOutput=append:"+out, "StandardError=journal", "ExecStart=/bin/sh -c 'echo out; echo err >&2'", "ExecStart=/bin/echo more")
	if text, err := os.ReadFile(out); string(text) != "out\nmore\n" || err != nil || !slices.Equal(got, []string{"err"}) {
		t.Errorf("file %q (%v), log %q", text, err, got)
	}
	if got := printed(t, e, "c.service", "StandardOutput=null", "ExecStart=/bin/sh -c 'echo out; echo err >&2'"); len(got) > 0 {
		t.Errorf("log %q", got)
	}
}

// withoutLibrarySignals leaves signals 32 and above out of a line such as
// "SigIgn:\t0000000080001000": the C library's own, which no program sets and
// which come down from whoever started the tests.
func withoutLibrarySignals(line string) string {
	name, mask, ok := strings.Cut(line, ":\t")
	bits, err := strconv.ParseUint(mask, 16, 64)
	if !ok || err != nil || !strings.HasPrefix(name, "Sig") {
		return line
	}
	return fmt.Sprintf("%s:\t%016x", name, bits&(1<<31-1))
}

func TestUser(t *testing.T) {
	t.Parallel()
	nobody, err := user.Lookup("nobody")
	if os.Geteuid() != 0 || err != nil {
		notrun.Because(t, "only root can run a unit as somebody else, and nobody has to be a user")
	}
	e := engine(t)
	got := printed(t, e, "a.service", "User=nobody", "WorkingDirectory=-~",
		"ExecStart=/bin/sh -c 'id -u; id -g; echo $USER $HOME; echo again > /dev/stdout'", "ExecStart=+/usr/bin/id -u")
	want := []string{nobody.Uid, nobody.Gid, "nobody " + nobody.HomeDir, "again", "0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCommandsOfALife(t *testing.T) {
	t.Parallel()
	e := engine(t)
	must(t, e, service("a.service", "ExecStartPre=/bin/echo pre", "ExecStart=/bin/sh -c 'trap \"echo term; exit 3\" TERM; trap \"echo hup\" HUP; echo main; while :; do sleep 1000 & wait; done'",
		"ExecStartPre=/bin/echo pre2", `ExecStartPost=/bin/sh -c 'echo post; [ "$MAINPID" -gt 1 ]'`, "ExecReload=/bin/kill -HUP $MAINPID", `ExecStop=/bin/sh -c 'echo stop $SERVICE_RESULT'`,
		"ExecStopPost=/bin/sh -c 'echo stop-post $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'", "SuccessExitStatus=3"))
	heard := func(word string) {
		until(t, e, "a.service", word, func(units.Status) bool {
			log, _ := e.Journal(t.Context(), "a.service", 100)
			return slices.Contains(log, word)
		})
	}
	heard("main") // it has its traps set
	if err := e.Reload(t.Context(), "a.service"); err != nil {
		t.Error(err)
	}
	heard("hup")
	if err := e.Stop(t.Context(), "a.service"); err != nil {
		t.Error(err)
	}
	log, _ := e.Journal(t.Context(), "a.service", 100)
	i, j := slices.Index(log, "main"), slices.Index(log, "post")
	if i < 0 || j < 0 {
		t.Fatalf("log %q", log)
	}
	rest := slices.DeleteFunc(slices.Clone(log), func(s string) bool { return s == "main" || s == "post" })
	if diff := cmp.Diff([]string{"pre", "pre2", "hup", "stop success", "term", "stop-post success exited 3"}, rest); diff != "" {
		t.Error(diff)
	}
	if s := status(t, e, "a.service"); s.Active != "inactive" || s.Result != "success" {
		t.Errorf("%+v", s)
	}
}

func TestKillModes(t *testing.T) {
	t.Parallel()
	e := engine(t)
	dir := t.TempDir()
	// The child leaves the session and the parent that made it, as daemons do.
	daemon := func(name string) string {
		return "ExecStart=/bin/sh -c 'trap \"\" USR1; (setsid sh -c \"echo \\\\$$$$ > " + filepath.Join(dir, name) + "; exec sleep 1000\" &) ; exec sleep 1000'"
	}
	child := func(t *testing.T, name string) int {
		t.Helper()
		var pid int
		until(t, e, name+".service", "a daemon", func(units.Status) bool {
			text, _ := os.ReadFile(filepath.Join(dir, name))
			pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
			return pid > 0
		})
		return pid
	}
	for mode, survives := range map[string]bool{"control-group": false, "mixed": false, "process": true} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			must(t, e, service(mode+".service", daemon(mode), "KillMode="+mode))
			pid := child(t, mode)
			if err := e.Stop(t.Context(), mode+".service"); err != nil {
				t.Fatal(err)
			}
			if alive := syscall.Kill(pid, 0) == nil; alive != survives {
				t.Errorf("it lives: %v", alive)
			}
			_ = syscall.Kill(pid, syscall.SIGKILL)
		})
	}
	t.Run("stubborn", func(t *testing.T) {
		t.Parallel()
		must(t, e, service("stubborn.service", "ExecStart=/bin/sh -c 'trap \"\" TERM; echo ready; while :; do sleep 1000; done'", "TimeoutStopSec=100ms"))
		until(t, e, "stubborn.service", "ready", func(units.Status) bool {
			log, _ := e.Journal(t.Context(), "stubborn.service", 1)
			return len(log) > 0
		})
		if err := e.Stop(t.Context(), "stubborn.service"); err != nil {
			t.Fatal(err)
		}
		if s := status(t, e, "stubborn.service"); s.Active != "failed" || s.Result != "timeout" {
			t.Errorf("%+v", s)
		}
	})
}

func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opts.LogSize = 4096
	e := w.open()
	defer e.Close()
	must(t, e, service("a.service", "Type=oneshot", "ExecStart=/bin/sh -c 'i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done'"))
	log, err := e.Journal(t.Context(), "a.service", 3)
	if diff := cmp.Diff([]string{"line 2997", "line 2998", "line 2999"}, log); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, path := range []string{e.layout.Log("a.service"), e.layout.OldLog("a.service")} {
		if info, err := os.Stat(path); err != nil || info.Size() > 3*4096 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if log, _ := e.Journal(t.Context(), "a.service", 1000); len(log) < 100 {
		t.Errorf("only %d lines are left", len(log))
	}
}

func TestNotify(t *testing.T) {
	t.Parallel()
	e := engine(t)
	send := os.Args[0] // this program, see TestMain
	must(t, e, service("a.service", "Type=notify", "NotifyAccess=all", "ExecStart=/bin/sh -c '"+send+" test-notify READY=1; exec sleep 1000'"))
	r := one(t, e, service("b.service", "Type=notify", "NotifyAccess=all", "WatchdogSec=200ms", "ExecStart=/bin/sh -c '"+send+" test-notify READY=1; exec sleep 1000'"), patience)
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	s := until(t, e, "b.service", "barked at", func(s units.Status) bool { return s.Active == "failed" })
	if s.Result != "watchdog" {
		t.Errorf("%+v", s)
	}
	r = one(t, e, service("c.service", "Type=notify", "NotifyAccess=main", "TimeoutStartSec=200ms", "ExecStart=/bin/sh -c '"+send+" test-notify READY=1; exec sleep 1000'"), patience)
	if r.Err == nil || r.Status.Result != "timeout" {
		t.Errorf("a stranger's word was taken: %v, %+v", r.Err, r.Status)
	}
}
