package netconfd

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testkit/notrun"
)

// models are two small stand-ins with the namespaces of OpenConfig's.
//
//go:embed yang
var models embed.FS

// Options says which devices a test wants.
type Options struct {
	Devices int // how many; 0 is 1
	// Startup makes devices without a candidate: running is written to, and copied
	// to startup by hand. Else there is a candidate, and commits are kept.
	Startup bool
	// Watch puts a proxy before each device, which [Device.Fail] and [Device.Seen] need.
	Watch bool
	// Models adds YANG modules (NAME.yang or NAME@REVISION.yang) to openconfig-system,
	// openconfig-interfaces, ietf-interfaces and ietf-system.
	Models fs.FS
	Args   []string // more for netconfd
}

// Kit is a number of devices that run until the test ends, or [Kit.Stop].
type Kit struct {
	Devices    []*Device
	User       string // who logs in: whoever runs the test
	KeyFile    string // with this private key
	KnownHosts string // has the devices' host key

	dir     string
	modules []string
	options Options
	keeper  *keeper
}

// ErrMissing says that the machine has not what the devices need.
var ErrMissing = errors.New("there are no NETCONF devices here")

// Start starts the devices, and ends them with the test. Where the machine has
// not what they need the test is not run, and says so.
func Start(t testing.TB, o Options) *Kit {
	t.Helper()
	k, err := Boot(t.Context(), o)
	if errors.Is(err, ErrMissing) {
		notrun.Because(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(k.logs())
		}
		k.Stop()
	})
	return k
}

// Boot is [Start] for a program, which calls [Kit.Stop] at the end. The error is
// [ErrMissing] where the machine has not what the devices need.
func Boot(ctx context.Context, o Options) (*Kit, error) {
	if err := available(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	o.Devices = max(o.Devices, 1)
	var err error
	for range 3 { // another process may take a port before sshd does
		var k *Kit
		if k, err = boot(ctx, o); err == nil {
			return k, nil
		}
	}
	return nil, fmt.Errorf("the NETCONF devices do not start: %w", err)
}

// Stop ends the devices and takes away what they left on disk.
func (k *Kit) Stop() {
	for _, d := range k.Devices {
		d.front.close()
	}
	k.keeper.stop()
	os.RemoveAll(k.dir)
}

func boot(ctx context.Context, o Options) (_ *Kit, err error) {
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "netconfd") // not the test's: a socket's path must be short
	if err != nil {
		return nil, err
	}
	k := &Kit{User: me.Username, dir: dir, options: o, keeper: keep()}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, k.logs())
			k.Stop()
		}
	}()
	if err := k.writeModels(); err != nil {
		return nil, err
	}
	ports, err := freePorts(o.Devices)
	if err != nil {
		return nil, err
	}
	for i, port := range ports {
		d := &Device{Name: fmt.Sprintf("d%d", i+1), Addr: fmt.Sprintf("127.0.0.1:%d", port), kit: k, port: port, dir: filepath.Join(dir, fmt.Sprint(port))}
		k.Devices = append(k.Devices, d)
		if err := d.prepare(); err != nil {
			return nil, err
		}
	}
	if err := k.startSSH(ctx); err != nil {
		return nil, err
	}
	for _, d := range k.Devices {
		if err := d.launch(); err != nil {
			return nil, err
		}
	}
	for _, d := range k.Devices {
		if err := d.await(ctx); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// writeModels writes the YANG modules, and notes those to load.
func (k *Kit) writeModels() error {
	k.modules = []string{"ietf-interfaces", "ietf-system"}
	own, err := fs.Sub(models, "yang")
	if err != nil {
		return err
	}
	for _, from := range []fs.FS{own, k.options.Models} {
		if from == nil {
			continue
		}
		names, err := fs.Glob(from, "*.yang")
		if err != nil {
			return err
		}
		for _, name := range names {
			text, err := fs.ReadFile(from, name)
			if err != nil {
				return err
			}
			if err := k.write(filepath.Join("yang", name), text, 0o644); err != nil {
				return err
			}
			module, _, _ := strings.Cut(strings.TrimSuffix(name, ".yang"), "@")
			k.modules = append(k.modules, module)
		}
	}
	return nil
}

// write writes a file below the kit's directory.
func (k *Kit) write(name string, text []byte, mode os.FileMode) error {
	name = filepath.Join(k.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, text, mode)
}

// logs gives the end of all logs, for a test that failed.
func (k *Kit) logs() string {
	var b strings.Builder
	names, _ := filepath.Glob(filepath.Join(k.dir, "*.log"))
	more, _ := filepath.Glob(filepath.Join(k.dir, "*", "*.log"))
	for _, name := range append(names, more...) {
		text, _ := os.ReadFile(name)
		fmt.Fprintf(&b, "--- %s\n%s", name, text[max(0, len(text)-2000):])
	}
	return b.String()
}

// freePorts asks the kernel for ports that are free, all different.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// until asks again and again, for at most 20 s.
func until(ctx context.Context, what string, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}
