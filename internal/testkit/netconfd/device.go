package netconfd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Device is one netconfd.
type Device struct {
	Name string // d1, d2, …
	Addr string // host:port

	kit   *Kit
	port  int
	dir   string
	front *front // nil where nobody watches
	run   *process
}

const emptyConfig = `<?xml version="1.0" encoding="UTF-8"?>
<nc:config xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0"/>
`

// prepare makes what the device needs on disk. Its clients come to the socket
// `front`: netconfd's own, or the proxy's.
func (d *Device) prepare() error {
	if err := d.kit.write(filepath.Join(filepath.Base(d.dir), "startup-cfg.xml"), []byte(emptyConfig), 0o644); err != nil {
		return err
	}
	name := filepath.Join(d.dir, "front")
	if !d.kit.options.Watch {
		return os.Symlink("sock", name)
	}
	var err error
	d.front, err = listen(name, filepath.Join(d.dir, "sock"))
	return err
}

// launch starts netconfd.
func (d *Device) launch() error {
	target, startup := "candidate", "false"
	if d.kit.options.Startup {
		target, startup = "running", "true"
	}
	sock := filepath.Join(d.dir, "sock")
	os.Remove(sock)
	args := []string{
		fmt.Sprintf("--port=%d", d.port), "--ncxserver-sockname=" + sock,
		"--modpath=" + filepath.Join(d.kit.dir, "yang") + ":/usr/share/yuma/modules",
		"--superuser=" + d.kit.User, "--access-control=off", "--startup=" + filepath.Join(d.dir, "startup-cfg.xml"),
		"--log=" + filepath.Join(d.dir, "netconfd.log"), "--log-level=info",
		"--target=" + target, "--with-startup=" + startup, "--max-burst=0", "--idle-timeout=0",
	}
	for _, m := range d.kit.modules {
		args = append(args, "--module="+m)
	}
	p, err := d.kit.keeper.run(d.dir, filepath.Join(d.dir, "output.log"), []string{"HOME=" + d.dir},
		"/usr/sbin/netconfd", append(args, d.kit.options.Args...)...)
	d.run = p
	return err
}

// await waits until the device takes sessions.
func (d *Device) await(ctx context.Context) error {
	return until(ctx, d.Name+" is not ready", func() error {
		select {
		case <-d.run.ended:
			return errors.New("netconfd ended")
		default:
		}
		c, err := net.Dial("unix", filepath.Join(d.dir, "sock"))
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// Stop takes the device down as a power cut does: its sessions end, and new
// ones get no hello.
func (d *Device) Stop() {
	if d.run != nil {
		d.kit.keeper.kill(d.run)
		d.run = nil
	}
}

// Start brings it up again, with the configuration that it had saved.
func (d *Device) Start(t testing.TB) {
	t.Helper()
	if d.run != nil {
		t.Fatalf("%s runs", d.Name)
	}
	err := d.launch()
	if err == nil {
		err = d.await(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Saved gives the configuration that the device would start with.
func (d *Device) Saved(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, "startup-cfg.xml"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}
