package supervisor

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/abide-agent/abide/units/process/spec"
)

// TestAgain is the table of Restart= in systemd.service(5).
func TestAgain(t *testing.T) {
	t.Parallel()
	results := []string{"success", "exit-code", "signal", "core-dump", "timeout", "watchdog"}
	for restart, want := range map[string]string{
		"no": "------", "always": "++++++", "on-success": "+-----", "on-failure": "-+++++", "on-abnormal": "--++++", "on-abort": "--++--", "on-watchdog": "-----+",
	} {
		for i, result := range results {
			u := unit{spec: spec.Service{Restart: restart}, status: Status{Result: result}}
			if got := u.again(); got != (want[i] == '+') {
				t.Errorf("Restart=%s after %s gives %v", restart, result, got)
			}
		}
	}
	u := unit{spec: spec.Service{Restart: "always", RestartPrevent: spec.Exits{Codes: []int{7}}, RestartForce: spec.Exits{Signals: []int{9}}}}
	if u.status = (Status{Result: "exit-code", Exit: 7}); u.again() {
		t.Error("RestartPreventExitStatus= has no effect")
	}
	u.spec.Restart = "no"
	if u.status = (Status{Result: "signal", Signal: 9}); !u.again() {
		t.Error("RestartForceExitStatus= has no effect")
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, empty, link := filepath.Join(dir, "file"), filepath.Join(dir, "empty"), filepath.Join(dir, "link")
	for path, text := range map[string]string{file: "x", empty: ""} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(dir, "none")
	for _, tc := range []struct {
		kind, path string
		want       bool
	}{
		{"PathExists", file, true},
		{"PathExists", none, false},
		{"PathExistsGlob", dir + "/f*", true},
		{"PathExistsGlob", dir + "/z*", false},
		{"PathIsDirectory", dir, true},
		{"PathIsDirectory", file, false},
		{"PathIsSymbolicLink", link, true},
		{"PathIsSymbolicLink", file, false},
		{"PathIsReadWrite", dir, true},
		{"PathIsReadWrite", none, false},
		{"DirectoryNotEmpty", dir, true},
		{"DirectoryNotEmpty", file, false},
		{"FileNotEmpty", file, true},
		{"FileNotEmpty", empty, false},
		{"FileIsExecutable", file, true},
		{"FileIsExecutable", dir, false},
	} {
		if got := holds(spec.Condition{Kind: tc.kind, Path: tc.path}); got != tc.want {
			t.Errorf("%s=%s gives %v", tc.kind, tc.path, got)
		}
	}
	yes, no := spec.Condition{Kind: "PathExists", Path: file}, spec.Condition{Kind: "PathExists", Path: none}
	triggered := func(c spec.Condition) spec.Condition { c.Trigger = true; return c }
	not := func(c spec.Condition) spec.Condition { c.Not = true; return c }
	for what, tc := range map[string]struct {
		list []spec.Condition
		met  bool
	}{
		"none": {nil, true}, "all": {[]spec.Condition{yes, not(no)}, true}, "one of all": {[]spec.Condition{yes, no}, false},
		"one triggers": {[]spec.Condition{triggered(no), triggered(yes)}, true}, "none triggers": {[]spec.Condition{yes, triggered(no)}, false},
	} {
		if got := unmet(tc.list, false); (got == "") != tc.met {
			t.Errorf("%s: unmet is %q", what, got)
		}
	}
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	now := time.Now()
	u := unit{spec: spec.Service{StartBurst: 2, StartInterval: time.Minute}}
	starts := []time.Time{now.Add(-time.Hour), now.Add(-time.Second)}
	if !u.admit(&starts) || len(starts) != 2 {
		t.Errorf("an old start counts: %v", starts)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	self := Identify(os.Getpid())
	if !self.Alive() {
		t.Error("this process does not live")
	}
	for _, p := range []Process{{}, {PID: self.PID, Start: "1"}, {PID: self.PID}, {PID: 1 << 30, Start: self.Start}} {
		if p.Alive() {
			t.Errorf("%+v lives", p)
		}
	}
}
