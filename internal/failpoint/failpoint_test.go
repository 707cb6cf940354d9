//go:build !failpoint

package failpoint_test

import (
	"testing"

	"github.com/abide-agent/abide/internal/failpoint"
)

// TestOff sees that a point does nothing in a normal build, whatever the
// environment asks for.
func TestOff(t *testing.T) {
	t.Setenv("ABIDE_FAILPOINTS", "a=error")
	if err := failpoint.Hit("a"); err != nil {
		t.Errorf("Hit gives %v", err)
	}
	if n := testing.AllocsPerRun(100, func() { _ = failpoint.Hit("a") }); n > 0 {
		t.Errorf("Hit allocates %v times", n)
	}
}
