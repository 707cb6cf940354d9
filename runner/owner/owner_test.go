package owner

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestGone(t *testing.T) {
	t.Parallel()
	child := exec.CommandContext(t.Context(), "/bin/sh", "-c", "read x")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	name := describe(child.Process.Pid)
	if Gone(name) || Gone(Self()) {
		t.Errorf("a living process counts as gone: %s or %s", name, Self())
	}
	in.Close()
	_ = child.Wait()
	part := strings.Split(Self(), "|")
	with := func(i int, s string) string {
		p := append([]string(nil), part...)
		p[i] = s
		return strings.Join(p, "|")
	}
	for what, tc := range map[string]struct {
		name string
		want bool
	}{
		"ended":              {name, true},
		"the pid was reused": {with(4, "1"), true},
		"another boot":       {with(1, "other"), true},
		"another machine":    {with(0, "other"), false},
		"another namespace":  {with(2, "pid:[1]"), false},
		"nonsense":           {"x", false},
		"empty":              {"", false},
	} {
		if got := Gone(tc.name); got != tc.want {
			t.Errorf("%s: Gone gives %v", what, got)
		}
	}
	if _, err := Start(os.Getpid()); err != nil {
		t.Error(err)
	}
}
