package testimage

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// shellPackage is the static program that every command of the images is.
const shellPackage = "github.com/abide-agent/abide/internal/testimage/shell"

// applets must name what shell/main.go implements; a test compares the two.
var applets = []string{
	"cat", "chmod", "cp", "date", "emit", "env", "find", "grep", "head", "hostname", "id", "kill", "ln", "ls", "mkdir",
	"nproc", "readlink", "rm", "seq", "sh", "sha256sum", "sleep", "spew", "stat", "sync", "touch", "uname", "wc", "whoami", "yes",
}

// buildShell compiles the shell for a Linux engine of the given architecture.
func buildShell(ctx context.Context, arch string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "abide-testimage-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "shell")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, shellPackage)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOFLAGS=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("compiling the shell of the test images: %w: %s", err, stderr.Bytes())
	}
	return os.ReadFile(out)
}

// writeRoot writes the root file system of an image as a tar archive.
func writeRoot(w io.Writer, homes bool, binary []byte) error {
	tw := tar.NewWriter(w)
	now := time.Unix(0, 0)
	dir := func(name string, mode int64) error {
		return tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode, ModTime: now})
	}
	file := func(name string, mode int64, text []byte) error {
		err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, ModTime: now, Size: int64(len(text))})
		if err == nil {
			_, err = tw.Write(text)
		}
		return err
	}
	errs := []error{dir("bin/", 0o755), dir("etc/", 0o755), dir("tmp/", 0o1777), file("bin/shell", 0o755, binary)}
	passwd := "root:x:0:0:root:/:/bin/sh\njob:x:1234:1235:job:/tmp:/bin/sh\n"
	if homes {
		errs = append(errs, dir("root/", 0o700), dir("home/", 0o755))
		passwd = "root:x:0:0:root:/root:/bin/sh\njob:x:1234:1235:job:/tmp:/bin/sh\n"
	}
	errs = append(errs, file("etc/passwd", 0o644, []byte(passwd)), file("etc/group", 0o644, []byte("root:x:0:\njob:x:1235:\n")))
	for _, name := range applets {
		errs = append(errs, tw.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "shell", Mode: 0o777, ModTime: now}))
	}
	return errors.Join(append(errs, tw.Close())...)
}

// lock takes the machine-wide lock under which images are made. Waiting ends
// with ctx: the kernel's own waiting can't, so it is asked again and again.
func lock(ctx context.Context) (unlock func(), err error) {
	name := filepath.Join(os.TempDir(), "abide-testimage-"+strconv.Itoa(os.Getuid())+".lock")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return func() { f.Close() }, nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("waiting for another process to make the test images (lock %s): %w", name, ctx.Err())
		}
	}
}
