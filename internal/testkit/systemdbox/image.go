package systemdbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/jsonmessage"
	"golang.org/x/sys/unix"

	"github.com/abide-agent/abide/internal/testkit/notrun"
)

// Repository is what the images are called; the tag is a hash of what they are
// made from.
const Repository = "abide-test/systemd"

// errMissing wraps what a machine lacks to run these tests at all.
var errMissing = errors.New("a systemd container can't be had here")

// packages are what the image holds beside Debian's essential ones.
const packages = "systemd,systemd-sysv,dbus"

// sources decides what is in the image.
//
//go:embed *.go
var sources embed.FS

func tag(suite string) string {
	h := sha256.New()
	fmt.Fprintln(h, suite)
	_ = fs.WalkDir(sources, ".", func(name string, d fs.DirEntry, err error) error {
		if name == "image.go" || name == "apt.go" {
			text, _ := fs.ReadFile(sources, name)
			h.Write(text)
		}
		return err
	})
	return Repository + ":" + hex.EncodeToString(h.Sum(nil))[:12]
}

// once shares one image among all tests of a process.
var once = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	return ensure(ctx)
})

// Require gives the name of the image, made where the engine doesn't have it
// yet. Where Docker, root or debootstrap are missing the test is marked as not
// run, loudly; any other failure fails it.
func Require(t testing.TB) string {
	t.Helper()
	name, err := once()
	if errors.Is(err, errMissing) {
		notrun.Because(t, err.Error())
	}
	if err != nil {
		t.Fatalf("making the systemd image: %v", err)
	}
	return name
}

func ensure(ctx context.Context) (string, error) {
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return "", fmt.Errorf("%w: %v", errMissing, err)
	}
	defer cli.Close()
	if _, err := cli.Ping(ctx); err != nil {
		return "", fmt.Errorf("%w: no Docker engine answers: %v", errMissing, err)
	}
	from, err := readArchive(ctx)
	if err != nil {
		return "", fmt.Errorf("%w: %v", errMissing, err)
	}
	name := tag(from.suite)
	unlock, err := lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := cli.ImageInspect(ctx, name); !cerrdefs.IsNotFound(err) {
		return name, err
	}
	if os.Getuid() != 0 {
		return "", fmt.Errorf("%w: its image is made with debootstrap, which needs root", errMissing)
	}
	if err := install(ctx); err != nil {
		return "", fmt.Errorf("%w: %v", errMissing, err)
	}
	return name, build(ctx, cli, from, name)
}

// install gets debootstrap where it is missing.
func install(ctx context.Context) error {
	if _, err := exec.LookPath("debootstrap"); err == nil {
		return nil
	}
	cmd := exec.CommandContext(ctx, "apt-get", "install", "-y", "-qq", "--no-install-recommends", "debootstrap")
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("debootstrap is missing, and apt-get can't install it: %v: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// build makes the image: Debian's smallest system and systemd.
func build(ctx context.Context, cli *client.Client, from archive, name string) error {
	dir, err := os.MkdirTemp("", "abide-systemdbox-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root := filepath.Join(dir, "root")
	cmd := exec.CommandContext(ctx, "debootstrap", "--variant=minbase", "--include="+packages, from.suite, root, from.mirror)
	if from.proxy != "" {
		cmd.Env = append(os.Environ(), "http_proxy="+from.proxy, "https_proxy="+from.proxy)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		text := strings.ReplaceAll(string(out[max(0, len(out)-2000):]), from.mirror, "MIRROR")
		return fmt.Errorf("debootstrap failed: %w: %s", err, text)
	}
	if err := trim(root); err != nil {
		return err
	}
	return importRoot(ctx, cli, root, name)
}

// trim takes away what boots slowly or differs from box to box. The machine id
// is written when a box starts; without /var/log/journal the journal stays in
// memory.
func trim(root string) error {
	var errs []error
	for _, name := range []string{
		"etc/machine-id", "var/lib/dbus/machine-id", "var/log/journal", "var/cache/apt", "var/lib/apt/lists",
		"usr/share/doc", "usr/share/man", "usr/share/locale",
	} {
		errs = append(errs, os.RemoveAll(filepath.Join(root, name)))
	}
	timers, _ := filepath.Glob(filepath.Join(root, "etc/systemd/system/timers.target.wants/*"))
	for _, name := range timers {
		errs = append(errs, os.Remove(name))
	}
	return errors.Join(errs...)
}

func importRoot(ctx context.Context, cli *client.Client, root, name string) error {
	tar := exec.CommandContext(ctx, "tar", "-C", root, "--numeric-owner", "-c", ".")
	pipe, err := tar.StdoutPipe()
	if err != nil {
		return err
	}
	if err := tar.Start(); err != nil {
		return err
	}
	body, err := cli.ImageImport(ctx, image.ImportSource{Source: pipe, SourceName: "-"}, name,
		image.ImportOptions{Changes: []string{`CMD ["/lib/systemd/systemd"]`}})
	if err != nil {
		_ = tar.Process.Kill()
		_ = tar.Wait()
		return err
	}
	defer body.Close()
	err = jsonmessage.DisplayJSONMessagesStream(body, io.Discard, 0, false, nil)
	return errors.Join(err, tar.Wait())
}

// lock keeps test binaries that run at the same time from building twice.
func lock(ctx context.Context) (func(), error) {
	f, err := os.OpenFile(filepath.Join(os.TempDir(), "abide-systemdbox.lock"), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("another process is making the systemd image: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
