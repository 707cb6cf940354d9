//go:build failpoint

package failpoint

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func TestHit(t *testing.T) {
	tests := []struct {
		env  string
		want string // what each of three hits of the point "a" gives: "." or "E"
	}{
		{"", "..."},
		{"a=error", "E.."},
		{"a=error:1", "E.."},
		{"a=error:3", "..E"},
		{"a=error:x", "E.."},
		{"a=error:-1", "E.."},
		{"b=error", "..."},
		{"b=kill,a=error:2", ".E."},
		{" a = error ", "E.."},
		{"a", "..."},
		{",=,a=error", "E.."},
	}
	for _, tt := range tests {
		set(t, tt.env)
		var got strings.Builder
		for range 3 {
			err := Hit("a")
			switch {
			case err == nil:
				got.WriteByte('.')
			case strings.Contains(err.Error(), "the fail point a "):
				got.WriteByte('E')
			default:
				t.Errorf("%q: error %v", tt.env, err)
			}
		}
		if got.String() != tt.want {
			t.Errorf("%q: hits give %s, want %s", tt.env, &got, tt.want)
		}
	}
}

func set(t *testing.T, env string) {
	t.Helper()
	before := points
	points = parse(env)
	t.Cleanup(func() { points = before })
}

// TestKill has a process of its own killed at the second hit.
func TestKill(t *testing.T) {
	const second = "second"
	if os.Getenv("FAILPOINT_TEST_KILL") != "" {
		_ = Hit(second)
		os.Stdout.WriteString("alive\n")
		_ = Hit(second)
		os.Stdout.WriteString("still alive\n")
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKill$")
	cmd.Env = append(os.Environ(), "FAILPOINT_TEST_KILL=1", EnvVar+"="+second+"=kill:2")
	out, err := cmd.Output()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL || string(out) != "alive\n" {
		t.Errorf("the process printed %q and ended with %v", out, err)
	}
}
