package e2e

import (
	"os/exec"
	"regexp"
	"testing"

	"github.com/abide-agent/abide/internal/testimage"
)

// TestDemo runs what `make demo` runs: it ends by itself, and well only when
// each unit of examples/ did what the demo says of it.
func TestDemo(t *testing.T) {
	t.Parallel()
	testimage.Require(t)
	cmd := exec.CommandContext(t.Context(), "go", "run", "./internal/demo")
	cmd.Dir = "../.."
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	for _, says := range []string{
		`clock\.service was process (\d+) and is process \d+, greeter@world\.service still is process \d+\.`,
		`reason: clock\.service failed \(exit-code\): .*\(exit code 203\)`,
		`3 units removed\.\n\n== That took .*s\. Everything it made is gone again\.\n$`,
	} {
		if !regexp.MustCompile(says).Match(out) {
			t.Errorf("it does not say %s:\n%s", says, out)
		}
	}
}
