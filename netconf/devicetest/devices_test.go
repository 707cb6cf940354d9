package devicetest_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/abide-agent/abide/internal/testkit/netconfd"
	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/devicetest"
	"github.com/abide-agent/abide/netconf/sim"
)

type device struct{ target netconf.Target }

func (d device) Target() netconf.Target { return d.target }

func TestNetconfd(t *testing.T) {
	t.Parallel()
	devicetest.Run(t, func(t testing.TB, startup bool) devicetest.Device {
		k := netconfd.Start(t, netconfd.Options{Startup: startup})
		return device{netconf.Target{
			Addr: k.Devices[0].Addr, User: k.User, Auth: netconf.Auth{KeyFiles: []string{k.KeyFile}}, KnownHosts: k.KnownHosts,
		}}
	})
}

func TestSimulator(t *testing.T) {
	t.Parallel()
	devicetest.Run(t, func(t testing.TB, startup bool) devicetest.Device {
		private, public, err := newKey()
		if err != nil {
			t.Fatal(err)
		}
		o := sim.Options{User: "noc", AuthorizedKeys: public}
		if startup {
			o.Mode = sim.WithStartup
		}
		d, err := sim.New(o)
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var serving sync.WaitGroup
		serving.Go(func() {
			if err := d.Serve(ctx, l); err != nil {
				t.Error(err)
			}
		})
		t.Cleanup(func() { cancel(); serving.Wait() })
		dir := t.TempDir()
		key, known := filepath.Join(dir, "id"), filepath.Join(dir, "known_hosts")
		for name, text := range map[string]string{key: string(private), known: d.KnownHosts(l.Addr().String()) + "\n"} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return device{netconf.Target{Addr: l.Addr().String(), User: "noc", Auth: netconf.Auth{KeyFiles: []string{key}}, KnownHosts: known}}
	})
}

func newKey() (private, public []byte, err error) {
	if private, err = sim.NewKey(); err == nil {
		public, err = sim.PublicKey(private)
	}
	return private, public, err
}
