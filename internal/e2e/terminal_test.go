package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/abide-agent/abide/internal/testimage"
)

// colours are what NO_COLOR takes away: select graphic rendition (ECMA-48).
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// TestTerminal shows a run in a pipe and on a terminal, with and without colours.
func TestTerminal(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	dir := t.TempDir()
	write(t, filepath.Join(dir, "p.yaml"), one(image, `printf 'plain \033[31mred\033[0m \007bell\033]0;title\007 \033[2J end\r\n'; sleep 0.3`, "  env: [A=b]"))

	out, code := abide(t, dir, nil, "apply", "-f", "p.yaml")
	if code != 0 || !regexp.MustCompile(`\[job\] plain red .*end\n`).MatchString(out) {
		t.Errorf("in a pipe: %d\n%s", code, out)
	}
	if i := strings.IndexFunc(out, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }); i >= 0 {
		t.Errorf("in a pipe there is %q in\n%q", out[i], out)
	}

	live := onTerminal(t, dir, nil, "apply", "-f", "p.yaml")
	if !colours.MatchString(live) || !strings.Contains(live, "\x1b[31mred") || !strings.Contains(live, "\x1b[1A\r\x1b[J") {
		t.Errorf("on a terminal there are neither colours nor a picture:\n%q", live)
	}
	plain := onTerminal(t, dir, []string{"NO_COLOR=1"}, "apply", "-f", "p.yaml")
	if found := colours.FindString(plain); found != "" || !strings.Contains(plain, "plain red") {
		t.Errorf("with NO_COLOR there is %q in\n%q", found, plain)
	}
	dumb := onTerminal(t, dir, []string{"TERM=dumb"}, "apply", "-f", "p.yaml")
	if strings.Contains(dumb, "\x1b") {
		t.Errorf("a terminal that can do nothing is told to:\n%q", dumb)
	}
	for name, text := range map[string]string{"live": live, "NO_COLOR": plain, "dumb": dumb} {
		if strings.Contains(text, "\x1b]0;") || strings.Contains(text, "\x1b[2J") || strings.Contains(text, "\a") {
			t.Errorf("%s: a job commands the terminal:\n%q", name, text)
		}
	}
}

// onTerminal runs the product on a terminal of its own and gives what it wrote.
func onTerminal(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	ours, theirs := terminal(t)
	cmd := exec.Command(binary(t, ""), args...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "DOCKER_HOST=" + os.Getenv("DOCKER_HOST"), "TERM=xterm"}, env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close()
	var out strings.Builder
	for b := make([]byte, 4096); ; {
		n, err := ours.Read(b) // an error (EIO) is the end of the last process on it
		out.Write(b[:n])
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("abide %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

// terminal makes a pseudoterminal (pty(7)) of 80 columns and 24 lines.
func terminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	fail := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	fail(err)
	t.Cleanup(func() { _ = ours.Close() })
	fd := int(ours.Fd())
	fail(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	fail(err)
	fail(unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}))
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	fail(err)
	return ours, theirs
}
