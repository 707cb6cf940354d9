package store

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	info := LockInfo{PID: 4711, Socket: "/run/abide.sock", Started: noon()}
	lock, err := AcquireLock(dir, info)
	check(t, err)
	wantMode(t, dir, 0o700)
	wantMode(t, filepath.Join(dir, "lock"), 0o600)

	_, err = AcquireLock(dir, LockInfo{})
	locked, ok := errors.AsType[*LockedError](err)
	if !ok || locked.Holder != info || locked.Dir != dir {
		t.Fatalf("the second gets %v, %+v", err, locked)
	}
	want := "the state directory " + dir + " is in use by process 4711 since 2026-01-02T12:00:00Z; " +
		"stop that one, choose another directory with --state, or ask it at /run/abide.sock"
	if err.Error() != want {
		t.Errorf("the message is\n%s\nwant\n%s", err, want)
	}
	check(t, lock.Release())
	check(t, lock.Release())

	lock, err = AcquireLock(dir, LockInfo{})
	check(t, err)
	var got LockInfo
	data, err := os.ReadFile(filepath.Join(dir, "lock"))
	check(t, err)
	check(t, json.Unmarshal(data, &got))
	if got.PID != os.Getpid() || time.Since(got.Started).Abs() > time.Minute || got.Socket != "" {
		t.Errorf("the lock file says %s", data)
	}
	check(t, lock.Release())
}

func TestLockWithoutName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lock, err := AcquireLock(dir, LockInfo{})
	check(t, err)
	defer func() { check(t, lock.Release()) }()
	for _, content := range []string{"", "{", "null", strings.Repeat("x", 100_000)} {
		check(t, os.WriteFile(filepath.Join(dir, "lock"), []byte(content), 0o600))
		if _, err = AcquireLock(dir, LockInfo{}); err == nil || !strings.Contains(err.Error(), "in use by another process;") {
			t.Errorf("with the content %.10q: %v", content, err)
		}
	}
}

func TestLockImpossible(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	check(t, os.Mkdir(filepath.Join(dir, "lock"), 0o700))
	if _, err := AcquireLock(dir, LockInfo{}); err == nil || !strings.Contains(err.Error(), "cannot be locked") {
		t.Errorf("a directory in place of the lock: %v", err)
	}
	check(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	if _, err := AcquireLock(filepath.Join(dir, "file"), LockInfo{}); err == nil || !strings.Contains(err.Error(), "cannot be made") {
		t.Errorf("a file in place of the directory: %v", err)
	}
}

// TestLockDiesWithProcess kills the holder, which is a process of its own.
func TestLockDiesWithProcess(t *testing.T) {
	if dir := os.Getenv("STORE_TEST_LOCK"); dir != "" {
		_, err := AcquireLock(dir, LockInfo{Socket: "/child.sock"})
		fmt.Println("locked:", err)
		_, _ = os.Stdin.Read(make([]byte, 1)) // until killed
		return
	}
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLockDiesWithProcess$")
	cmd.Env = append(os.Environ(), "STORE_TEST_LOCK="+dir)
	stdin, err := cmd.StdinPipe()
	check(t, err)
	defer func() { _ = stdin.Close() }()
	stdout, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "locked: <nil>\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	_, err = AcquireLock(dir, LockInfo{})
	if locked, ok := errors.AsType[*LockedError](err); !ok || locked.Holder.PID != cmd.Process.Pid || locked.Holder.Socket != "/child.sock" {
		t.Errorf("while the child lives: %v", err)
	}
	check(t, cmd.Process.Kill())
	_ = cmd.Wait()
	lock, err := AcquireLock(dir, LockInfo{})
	check(t, err)
	check(t, lock.Release())
}
