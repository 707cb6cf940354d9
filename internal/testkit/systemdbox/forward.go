package systemdbox

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Forward gives a port of this machine's loopback from where connections go on
// to a port of the box's own loopback, until the end of the test. They go
// through the Docker engine, so that no network of the box need be reachable.
func (b *Box) Forward(t testing.TB, port int) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
	})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go b.carry(ctx, conn, port)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// carry takes one connection to the box, and ends when either side does.
func (b *Box) carry(ctx context.Context, conn net.Conn, port int) {
	defer conn.Close()
	// The end of either direction ends the other, and the shell waits for both: a
	// process that is left with the output of its exec in its hands makes the
	// engine wait for two seconds, and all other execs of the box with it.
	script := fmt.Sprintf("exec 3<>/dev/tcp/127.0.0.1/%d; cat <&3 & cat <&0 >&3 & wait -n; kill %%1 %%2; wait", port)
	made, err := b.cli.ContainerExecCreate(ctx, b.ID, container.ExecOptions{
		Cmd: []string{"bash", "-c", script}, AttachStdin: true, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return
	}
	att, err := b.cli.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
	if err != nil {
		return
	}
	defer att.Close()
	defer context.AfterFunc(ctx, att.Close)()
	go func() {
		_, _ = io.Copy(att.Conn, conn)
		_ = att.CloseWrite()
	}()
	_, _ = stdcopy.StdCopy(conn, io.Discard, att.Reader)
}
