package e2e

import (
	"bufio"
	"io"
	"os/exec"
	"syscall"
	"testing"
)

// program starts somebody else's program and gives its output line by line. It
// is killed when the test ends.
func program(t *testing.T, cmd *exec.Cmd) *stream {
	t.Helper()
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // a browser is many processes
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait()
		_ = w.Close()
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-done
	})
	return readLines(t, r)
}

// readLines reads r in the background.
func readLines(t *testing.T, r io.ReadCloser) *stream {
	s := &stream{t: t, body: r, lines: make(chan string, 10_000)}
	go func() {
		defer close(s.lines)
		sc := bufio.NewScanner(r)
		sc.Buffer(nil, 1<<20)
		for sc.Scan() {
			s.lines <- sc.Text()
		}
	}()
	t.Cleanup(func() { _ = r.Close() })
	return s
}
