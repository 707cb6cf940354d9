package systemdbox

import (
	"bytes"
	"context"
	"fmt"
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

// Compile builds the tests of a package (an import path) into a static binary,
// with the race detector where this process has it and the machine a C library
// to link it with.
func Compile(ctx context.Context, t testing.TB, pkg string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "box.test")
	if race {
		err := compile(ctx, out, pkg, "CGO_ENABLED=1", "-race", "-ldflags=-linkmode external -extldflags -static")
		if err == nil {
			return out
		}
		t.Logf("the race detector is off in the box: %v", err)
	}
	if err := compile(ctx, out, pkg, "CGO_ENABLED=0"); err != nil {
		t.Fatal(err)
	}
	return out
}

func compile(ctx context.Context, out, pkg, env string, flags ...string) error {
	args := append([]string{"test", "-c", "-trimpath", "-o", out}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Env = append(os.Environ(), env, "GOOS=linux")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compiling the tests of %s: %w\n%s", pkg, err, text)
	}
	return nil
}

// inside is where the test binary lies in a box.
const inside = "/root/box.test"

// Install compiles the tests of a package and puts them into the box.
func (b *Box) Install(t testing.TB, pkg string) {
	t.Helper()
	if err := b.Copy(t.Context(), Compile(t.Context(), t, pkg), inside, 0o755); err != nil {
		t.Fatal(err)
	}
}

// RunTests runs installed tests in the box, as root, and fails t when one of them
// fails. Their output becomes lines of t's log as it comes. pattern is as for
// go test -run; args go to the test binary besides.
func (b *Box) RunTests(t testing.TB, pattern string, args ...string) {
	t.Helper()
	log := &lineLog{t: t}
	err := b.Stream(t.Context(), []string{Env + "=1", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, log, log,
		append([]string{inside, "-test.v", "-test.run", pattern}, args...)...)
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
	if _, bench := l.t.(*testing.B); bench {
		fmt.Println(line) // a benchmark's log is cut off after a few lines
		return
	}
	l.t.Log(line)
}

func (l *lineLog) flush() {
	if len(l.rest) > 0 {
		l.say(string(l.rest))
	}
}
