package process

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/abide-agent/abide/units"
	"github.com/abide-agent/abide/units/enginetest"
)

// TestSuite holds the engine to the promises of all engines.
func TestSuite(t *testing.T) {
	dir := t.TempDir()
	opts := Options{Dir: filepath.Join(dir, "units"), StateDir: filepath.Join(dir, "state")}
	open := func(t testing.TB) units.Engine {
		t.Helper()
		e, err := New(opts)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	enginetest.Run(t, open, enginetest.Options{
		Dir:    opts.Dir,
		Notify: os.Args[0] + " test-notify READY=1",
		Reopen: func(t testing.TB, e units.Engine) units.Engine {
			t.Helper()
			if err := e.Close(); err != nil {
				t.Error(err)
			}
			return open(t)
		},
	})
}
