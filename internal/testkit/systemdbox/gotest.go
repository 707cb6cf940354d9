package systemdbox

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Env is set in the environment of a test binary that runs in a box.
const Env = "ABIDE_IN_BOX"

// Inside says whether this process runs in a box.
func Inside() bool { return os.Getenv(Env) != "" }

// Compile builds the tests of a package (an import path) into a static binary.
func Compile(ctx context.Context, t testing.TB, pkg string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "box.test")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-trimpath", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compiling the tests of %s: %v\n%s", pkg, err, text)
	}
	return out
}

// RunTests runs tests of a package in the box, as root, and fails t when one of
// them fails. Its output becomes lines of t's log as it comes. args go to the
// test binary besides.
func (b *Box) RunTests(t testing.TB, pkg string, args ...string) {
	t.Helper()
	binary := Compile(t.Context(), t, pkg)
	const inside = "/root/box.test"
	if err := b.Copy(t.Context(), binary, inside, 0o755); err != nil {
		t.Fatal(err)
	}
	log := &lineLog{t: t}
	err := b.Stream(t.Context(), []string{Env + "=1", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, log, log,
		append([]string{inside, "-test.v"}, args...)...)
	log.flush()
	if err != nil {
		t.Errorf("in the box: %v", err)
	}
}

// lineLog gives whole lines to a test's log, without those that only say that a
// test goes on.
type lineLog struct {
	t    testing.TB
	rest []byte
}

func (l *lineLog) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		l.rest = rest
		l.say(string(line))
	}
}

func (l *lineLog) say(line string) {
	for _, noise := range []string{"=== RUN", "=== PAUSE", "=== CONT", "=== NAME"} {
		if strings.HasPrefix(strings.TrimSpace(line), noise) {
			return
		}
	}
	l.t.Log(line)
}

func (l *lineLog) flush() {
	if len(l.rest) > 0 {
		l.say(string(l.rest))
	}
}
