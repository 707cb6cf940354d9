// Package notrun knows how a test says that it could not run because a part of
// the machine is missing, so that nothing is ever skipped in silence. It never
// knows which part.
package notrun

import (
	"fmt"
	"os"
	"testing"
)

// Env names the file that the lines are appended to, for `make test` to print.
const Env = "ABIDE_NOT_RUN"

// Because ends the test and puts the reason on record.
func Because(t testing.TB, reason string) {
	t.Helper()
	line := fmt.Sprintf("NOT RUN: %s: %s", t.Name(), reason)
	t.Log(line)
	if name := os.Getenv(Env); name != "" {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatalf("%s cannot be written: %v", Env, err)
		}
		defer f.Close()
		fmt.Fprintln(f, line)
	}
	t.SkipNow()
}
