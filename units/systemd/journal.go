package systemd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/abide-agent/abide/units"
)

const (
	logLines    = 20 // of a failed unit
	maxLines    = 10_000
	maxLine     = 8 << 10
	maxOutput   = 8 << 20
	journalTime = 10 * time.Second
)

// Journal gives the last lines that a unit printed and that systemd wrote about
// it, oldest first. The journal has no interface but its files, whose format is
// journald's own affair, so journalctl reads them: without a shell, without the
// agent's environment, within bounds of time and size.
func (e *Engine) Journal(ctx context.Context, name string, lines int) ([]string, error) {
	if err := units.ValidateName(name); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, journalTime)
	defer cancel()
	select {
	case e.journal <- struct{}{}:
		defer func() { <-e.journal }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	// What a process printed just before it ended is still on its way. Where this
	// fails the lines may be some short.
	_, _ = journalctl(ctx, "--sync")
	text, err := journalctl(ctx, "--unit="+name, "--lines="+strconv.Itoa(min(max(lines, 0), maxLines)), "--output=cat", "--no-pager", "--quiet")
	if err != nil {
		return nil, fmt.Errorf("the journal of %s can't be read: %w", name, err)
	}
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if len(line) > maxLine {
			line = line[:maxLine] + "…"
		}
		out = append(out, strings.ToValidUTF8(line, "�"))
	}
	return out, nil
}

func journalctl(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "journalctl", args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "SYSTEMD_COLORS=0"}
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &capped{w: &stdout, left: maxOutput}, &capped{w: &stderr, left: 1 << 10}
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", errors.New("journalctl is not installed here; install systemd's journal tools")
	case ctx.Err() != nil:
		return "", fmt.Errorf("journalctl did not end in time: %w", context.Cause(ctx))
	case err != nil:
		return "", fmt.Errorf("journalctl: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}

// capped writes up to a number of bytes and drops the rest.
type capped struct {
	w    io.Writer
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	if _, err := c.w.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// lastLines is the journal for a report: where it can't be read a line says so.
func (e *Engine) lastLines(name string) []string {
	lines, err := e.Journal(e.ctx, name, logLines)
	if err != nil {
		return []string{"(" + err.Error() + ")"}
	}
	return lines
}
