package testimage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// NotRunEnv names the file to which a test that can't run appends why, so that
// `make test` can say so at its end.
const NotRunEnv = "ABIDE_NOT_RUN"

// once shares one answer among all tests of a process.
var once = sync.OnceValues(func() (Images, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	return Ensure(ctx)
})

// Require gives the test images. Where no Docker engine answers, the test is
// marked as not run, loudly; any other failure fails the test.
func Require(t testing.TB) Images {
	t.Helper()
	images, err := once()
	if errors.Is(err, ErrNoEngine) {
		NotRun(t, err.Error())
	}
	if err != nil {
		t.Fatalf("making the test images: %v", err)
	}
	return images
}

// NotRun ends a test that can't run here, and puts that on record.
func NotRun(t testing.TB, reason string) {
	t.Helper()
	line := fmt.Sprintf("NOT RUN: %s: %s", t.Name(), reason)
	if name := os.Getenv(NotRunEnv); name != "" {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatalf("%s: and it could not be recorded: %v", line, err)
		}
		defer f.Close()
		if _, err := fmt.Fprintln(f, line); err != nil {
			t.Fatalf("%s: and it could not be recorded: %v", line, err)
		}
	}
	t.Log(line)
	t.SkipNow()
}
