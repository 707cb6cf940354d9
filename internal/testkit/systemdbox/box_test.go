package systemdbox

import (
	"strings"
	"testing"
)

func TestMirror(t *testing.T) {
	t.Parallel()
	const stanzas = "Types: deb\n# a comment: x\nURIs: http://a/debian\nSuites: x x-updates\nComponents: main\n\n" +
		"Types: deb\nURIs: http://a/security\nSuites: x-security\nComponents: main\n"
	for name, c := range map[string]struct {
		text, want string
		deb822     bool
	}{
		"stanza":      {stanzas, "http://a/debian", true},
		"line":        {"# deb http://no x main\ndeb http://a/debian x main contrib\n", "http://a/debian", false},
		"options":     {"deb [arch=amd64 signed-by=/k] http://a/debian x main\n", "http://a/debian", false},
		"other suite": {"deb http://a/debian y main\n", "", false},
		"no main":     {"deb http://a/debian x extra\n", "", false},
		"empty":       {"", "", true},
	} {
		if got, ok := mirrorOf(c.text, c.deb822, "x"); got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestBoot boots two boxes: each is a machine of its own.
func TestBoot(t *testing.T) {
	t.Parallel()
	a, b := Start(t), Start(t)
	idA, idB := a.MustExec(t, "cat", "/etc/machine-id"), b.MustExec(t, "cat", "/etc/machine-id")
	if idA == idB || len(strings.TrimSpace(idA)) != 32 {
		t.Errorf("machine ids %q and %q", idA, idB)
	}
	if got := a.MustExec(t, "cat", "/proc/1/comm"); strings.TrimSpace(got) != "systemd" {
		t.Errorf("PID 1 is %q", got)
	}
	if err := a.Write(t.Context(), "/etc/systemd/system/x.service", 0o644, []byte("[Service]\nExecStart=/bin/sleep 1d\n[Install]\nWantedBy=multi-user.target\n")); err != nil {
		t.Fatal(err)
	}
	a.MustExec(t, "systemctl", "enable", "x.service")
	if err := a.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := a.MustExec(t, "systemctl", "is-active", "x.service"); strings.TrimSpace(got) != "active" {
		t.Errorf("after a reboot an enabled unit is %s", got)
	}
	if _, err := a.Exec(t.Context(), "sh", "-c", "echo no >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "exit code 3: no") {
		t.Errorf("a failing program gives %v", err)
	}
}
