package sim_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/sim"
	"github.com/abide-agent/abide/netconf/tree"
)

// TestMain lets no goroutine outlive the tests.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func device(t testing.TB, o sim.Options) *sim.Device {
	t.Helper()
	d, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// pipe gives the client's end of a connection without SSH. Both ends are closed
// with the test.
func pipe(t testing.TB, d *sim.Device, user string) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	var serving sync.WaitGroup
	serving.Go(func() { d.ServeConn(context.Background(), theirs, sim.Peer{User: user, Host: "192.0.2.1"}) })
	t.Cleanup(func() { ours.Close(); serving.Wait() })
	return ours
}

func open(t testing.TB, d *sim.Device) *netconf.Session {
	t.Helper()
	s, err := netconf.Open(t.Context(), pipe(t, d, "noc"), netconf.Options{Notifications: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

// raw speaks base:1.0 by hand: it sends a message and gives what comes until the
// next mark.
type raw struct {
	net.Conn
	t testing.TB
}

const mark = "]]>]]>"

func speak(t testing.TB, d *sim.Device) raw {
	r := raw{pipe(t, d, "noc"), t}
	go io.WriteString(r, `<hello xmlns="`+tree.BaseSpace+`"><capabilities><capability>`+netconf.Base10+`</capability></capabilities></hello>`+mark)
	if hello := r.read(); !strings.Contains(hello, "<session-id>") {
		t.Errorf("the hello is %s", hello)
	}
	return r
}

func (r raw) read() string {
	var b strings.Builder
	one := make([]byte, 1)
	for !strings.HasSuffix(b.String(), mark) {
		if _, err := r.Read(one); err != nil {
			return b.String() + " " + err.Error()
		}
		b.Write(one)
	}
	return strings.TrimSuffix(b.String(), mark)
}

func (r raw) ask(text string) string {
	go io.WriteString(r, text+mark)
	return r.read()
}

func parse(t testing.TB, inside string) *tree.Node {
	t.Helper()
	n, err := tree.ParseBytes([]byte(`<config xmlns:nc="` + tree.BaseSpace + `">` + inside + `</config>`))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func hostname(name string) string {
	return fmt.Sprintf(`<system xmlns="%s"><config><hostname>%s</hostname></config></system>`, systemSpace, name)
}

// has wants a configuration.
func has(t testing.TB, config *tree.Node, want string) {
	t.Helper()
	if w := parse(t, want); config.Pretty() != w.Pretty() {
		t.Errorf("there is\n%swant\n%s", config.Pretty(), w.Pretty())
	}
}

// models compiles one module.
func models(t testing.TB, name, body string) *sim.Models {
	t.Helper()
	m, warnings, err := sim.LoadModels(fstest.MapFS{name + ".yang": {Data: []byte("module " + name + " { yang-version 1.1; namespace urn:" + name + "; prefix " + name + "; " + body + " }")}})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	return m
}
