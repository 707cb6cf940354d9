//go:build failpoint

package store

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/abide-agent/abide/internal/failpoint"
)

const crashCommits = 10

// TestCrash kills a process at each step of its fifth commit. What it had
// acknowledged is there, in order, and at most the one on its way besides; the
// backup says the same, and the next commits work.
func TestCrash(t *testing.T) {
	if path := os.Getenv("STORE_TEST_CRASH"); path != "" {
		crash(t, path)
		return
	}
	t.Parallel()
	tests := []struct {
		arm         string
		acked, kept int
		killed      bool
	}{
		{arm: "store.before-commit=kill:5", acked: 4, kept: 4, killed: true},
		{arm: "store.after-commit=kill:5", acked: 4, kept: 5, killed: true},
		{arm: "store.before-commit=error:5", acked: 9, kept: 9},
		{arm: "store.after-commit=error:5", acked: 9, kept: 10},
	}
	for _, tt := range tests {
		t.Run(tt.arm, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "abide.db")
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrash$")
			cmd.Env = append(os.Environ(), "STORE_TEST_CRASH="+path, failpoint.EnvVar+"="+tt.arm)
			out, err := cmd.Output()
			exit, _ := errors.AsType[*exec.ExitError](err)
			if killed := exit != nil && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL; killed != tt.killed || !killed && err != nil {
				t.Fatalf("the process ended with %v:\n%s", err, out)
			}
			acked := 0
			for lines := bufio.NewScanner(strings.NewReader(string(out))); lines.Scan(); {
				if strings.HasPrefix(lines.Text(), "acked ") {
					acked++
				}
			}
			if acked != tt.acked {
				t.Errorf("%d commits were acknowledged, want %d:\n%s", acked, tt.acked, out)
			}
			b := mustOpen(t, path, Options{BackupPrefixes: []string{"owner/"}})
			if b.Recovered() != "" {
				t.Errorf("the state was taken for damaged: %s", b.Recovered())
			}
			entries := list(t, b, "owner/")
			if len(entries) != tt.kept {
				t.Errorf("%d entries are kept, want %d", len(entries), tt.kept)
			}
			wantBackup(t, path, entries...)
			mustCommit(t, b, Put("owner/next", nil))
			wantBackup(t, path, list(t, b, "owner/")...)
		})
	}
}

func crash(t *testing.T, path string) {
	b := mustOpen(t, path, Options{BackupPrefixes: []string{"owner/"}})
	for i := range crashCommits {
		key := fmt.Sprintf("owner/%02d", i)
		if _, err := b.Commit(t.Context(), Put(key, []byte("1"))); err != nil {
			fmt.Println("failed", err)
			continue
		}
		fmt.Println("acked", key)
	}
}
