package systemdbox

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
)

// Box is one container whose PID 1 is systemd. Its methods are safe for
// concurrent use.
type Box struct {
	ID  string
	cli *client.Client
}

// Start boots a box with a machine id of its own and waits until the system
// bus answers in it. It is removed at the end of the test, whatever happens.
// volumes are as for [Boot].
func Start(t testing.TB, volumes ...string) *Box {
	t.Helper()
	Require(t)
	b, err := Boot(t.Context(), volumes...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b
}

// ErrMissing wraps what a machine lacks to have a box at all: Docker, root or
// debootstrap.
var ErrMissing = errMissing

// Boot is [Start] for a program that is no test. It must call [Box.Stop]. The
// directories that are volumes are on the engine's own file system, as on a
// machine, not in the layers of a container, where files cost many times as much.
func Boot(ctx context.Context, volumes ...string) (*Box, error) {
	name, err := once()
	if err != nil {
		return nil, err
	}
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, err
	}
	b := &Box{cli: cli}
	if err := b.boot(ctx, name, volumes); err != nil {
		b.Stop()
		return nil, fmt.Errorf("booting a systemd container: %w", err)
	}
	return b, nil
}

// boot makes and starts the container. systemd wants its cgroups, a few tmpfs
// and the right to mount; nothing of the machine is reachable beyond that.
func (b *Box) boot(ctx context.Context, name string, volumes []string) error {
	onEngine := map[string]struct{}{}
	for _, dir := range volumes {
		onEngine[dir] = struct{}{}
	}
	made, err := b.cli.ContainerCreate(ctx,
		&container.Config{
			Image: name, Cmd: []string{"/lib/systemd/systemd"}, Env: []string{"container=docker"}, Volumes: onEngine,
			StopSignal: "SIGRTMIN+3", Labels: map[string]string{"abide-test": "systemdbox"},
		},
		&container.HostConfig{
			CapAdd: []string{"SYS_ADMIN"}, SecurityOpt: []string{"seccomp=unconfined"}, CgroupnsMode: "host",
			Binds: []string{"/sys/fs/cgroup:/sys/fs/cgroup:rw"},
			Tmpfs: map[string]string{"/run": "", "/run/lock": "", "/tmp": "exec"},
		}, nil, nil, "")
	if err != nil {
		return err
	}
	b.ID = made.ID
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	if err := b.write(ctx, "/etc", "machine-id", 0o444, []byte(hex.EncodeToString(id)+"\n")); err != nil {
		return err
	}
	if err := b.cli.ContainerStart(ctx, b.ID, container.StartOptions{}); err != nil {
		return err
	}
	return b.ready(ctx)
}

// ready waits until systemd has started all that it starts at boot.
func (b *Box) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var out string
	for {
		var err error
		// "degraded" is up too: a kernel of a CI machine may lack something.
		out, err = b.run(ctx, nil, io.Discard, "systemctl", "is-system-running", "--wait")
		if err == nil || strings.HasPrefix(out, "degraded") {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it is not up after a minute: %s (%w)", strings.TrimSpace(out), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Exec runs a program in the box and gives its standard output. A failure
// carries its standard error.
func (b *Box) Exec(ctx context.Context, args ...string) (string, error) {
	var stderr bytes.Buffer
	out, err := b.run(ctx, nil, &stderr, args...)
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, err
}

// MustExec is [Box.Exec] that fails the test.
func (b *Box) MustExec(t testing.TB, args ...string) string {
	t.Helper()
	out, err := b.Exec(t.Context(), args...)
	if err != nil {
		t.Fatalf("in the box: %v", err)
	}
	return out
}

// exitError is a program in the box that ended with another code than 0.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func (b *Box) run(ctx context.Context, env []string, stderr io.Writer, args ...string) (string, error) {
	var stdout bytes.Buffer
	err := b.Stream(ctx, env, &stdout, stderr, args...)
	return stdout.String(), err
}

// Stream runs a program in the box with its output going to the writers as it
// comes.
func (b *Box) Stream(ctx context.Context, env []string, stdout, stderr io.Writer, args ...string) error {
	made, err := b.cli.ContainerExecCreate(ctx, b.ID, container.ExecOptions{Cmd: args, Env: env, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return err
	}
	att, err := b.cli.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
	if err != nil {
		return err
	}
	defer att.Close()
	defer context.AfterFunc(ctx, func() { _ = att.Conn.Close() })()
	if _, err := stdcopy.StdCopy(stdout, stderr, att.Reader); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	end, err := b.cli.ContainerExecInspect(ctx, made.ID)
	if err == nil && end.ExitCode != 0 {
		err = exitError(end.ExitCode)
	}
	return err
}

// Copy puts a file of this machine into the box.
func (b *Box) Copy(ctx context.Context, from, to string, mode int64) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return b.write(ctx, filepath.Dir(to), filepath.Base(to), mode, text)
}

// Write puts a file with this text into the box. Its directory must exist and
// not be one of the box's tmpfs (/run, /tmp), which Docker can't write to.
func (b *Box) Write(ctx context.Context, path string, mode int64, text []byte) error {
	return b.write(ctx, filepath.Dir(path), filepath.Base(path), mode, text)
}

func (b *Box) write(ctx context.Context, dir, name string, mode int64, text []byte) error {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(text)), ModTime: time.Now()}); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return b.Unpack(ctx, dir, &buf)
}

// Unpack puts the files of a tar archive below a directory of the box, for
// which holds what [Box.Write] says.
func (b *Box) Unpack(ctx context.Context, dir string, archive io.Reader) error {
	return b.cli.CopyToContainer(ctx, b.ID, dir, archive, container.CopyToContainerOptions{})
}

// Reboot shuts the box down as a machine is shut down, and boots it again: its
// files stay, /run and all processes are new.
func (b *Box) Reboot(ctx context.Context) error {
	seconds := 20
	if err := b.cli.ContainerRestart(ctx, b.ID, container.StopOptions{Timeout: &seconds}); err != nil {
		return err
	}
	return b.ready(ctx)
}

// Stop removes the box. [Start] sees to it that it is called.
func (b *Box) Stop() {
	defer b.cli.Close()
	if b.ID == "" {
		return
	}
	// The test's own context is over by now.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_ = b.cli.ContainerRemove(ctx, b.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	b.ID = ""
}
